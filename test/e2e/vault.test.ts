import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stringAt } from '../../src/core/json.ts';
import { attentionOf, untilReady, untilTried } from '../harness/attention.ts';
import { leakCheck, plantCanaries } from '../harness/leak-check.ts';
import { describeReal } from '../harness/real.ts';
import { stockOutput } from '../harness/stock.ts';
import { startGuardedTransit } from '../harness/transit.ts';
import { createWorld, secret, settingsText } from '../harness/world.ts';

const TOKEN = 'hvs.of-the-key-secret';
const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen', 'transit'] as const;

describeReal('a file with a key of Vault', TOOLS, () => {
  test('gets no connection until settings allow its address, and opens then', async () => {
    using canaries = plantCanaries([4]);
    const [password = ''] = canaries.values;
    await using vault = await startGuardedTransit(TOKEN);
    await using world = await createWorld();
    await world.create(`/api/v1/namespaces/${world.namespace}/secrets`, {
      ...secret('sops-vault', { 'sops.vault-token': `${TOKEN}\n`, 'ca.crt': vault.caPem }),
      metadata: { name: 'sops-vault', labels: { 'sotto.dev/use': 'keys' } },
    });
    const folder = await mkdtemp(join(tmpdir(), 'sotto-vault-ca-'));
    await writeFile(join(folder, 'ca.crt'), vault.caPem);
    const env = { VAULT_TOKEN: TOKEN, VAULT_CACERT: join(folder, 'ca.crt'), HOME: folder };
    const args = ['encrypt', '--hc-vault-transit', vault.uri, '--encrypted-regex', '^stringData$'];
    const stdin = JSON.stringify(secret('db', { password }));
    const encrypted = await stockOutput('sops', [...args, '--filename-override', 'db.json'], { stdin, env });
    await rm(folder, { recursive: true });
    const ofStock = vault.connections();
    expect(ofStock).toBeGreaterThan(0);

    const commit = await world.repository.commit({ 'deploy/db.json': encrypted.toString() }, 'first');
    await using agent = await world.start();
    const refused = attentionOf(await untilTried(world, commit));
    expect(refused).toMatchObject([{ code: 'SOTTO-SOPS-070', file: 'deploy/db.json' }]);
    expect(refused[0]?.text).toContain(`decryption: { vault: [ { address: "${vault.address}" } ] }`);
    expect(vault.connections()).toBe(ofStock);

    const decryption = (address: string): string =>
      settingsText(world.git.url(world.repository)).replace(
        /^decryption: .*$/m,
        `decryption: { keys: [ { secretRef: { name: sops-age } } ], vault: [ { address: "${address}" } ] }`,
      );
    await world.settings(decryption(`${vault.address}0`.replace(/:\d+$/, ':1')));
    const again = await world.repository.commit({ 'README.md': 'x' }, 'second');
    expect(attentionOf(await untilTried(world, again))[0]?.code).toBe('SOTTO-SOPS-070');
    expect(vault.connections()).toBe(ofStock);

    await world.settings(decryption(vault.address));
    const status = await untilReady(world, again);
    const live = await world.get(`/api/v1/namespaces/${world.namespace}/secrets/db`);
    expect(Buffer.from(stringAt(live, 'data', 'password') ?? '', 'base64').toString()).toBe(password);
    expect(vault.connections()).toBeGreaterThan(ofStock);
    expect(JSON.stringify(status) + JSON.stringify(agent.log)).not.toContain(TOKEN);
    await leakCheck(world, agent, canaries);
  });
});
