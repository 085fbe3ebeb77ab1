import { expect, test } from 'vitest';
import { arrayAt, stringAt } from '../../src/core/json.ts';
import { untilReady } from '../harness/attention.ts';
import { newGpgHome } from '../harness/gpg.ts';
import { leakCheck, plantCanaries } from '../harness/leak-check.ts';
import { describeReal } from '../harness/real.ts';
import { stockOutput } from '../harness/stock.ts';
import { createWorld, secret } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;

describeReal('an OpenPGP key in a Secret', TOOLS, () => {
  test('opens what stock sops encrypted for it with gpg', async () => {
    using canaries = plantCanaries([4]);
    const [password = ''] = canaries.values;
    await using home = await newGpgHome();
    const fingerprint = await home.newKey('future-default');
    await using world = await createWorld();
    const key = (await home.secretKey(fingerprint)).toString();
    await world.create(`/api/v1/namespaces/${world.namespace}/secrets`, {
      ...secret('sops-gpg', { 'sops.asc': key }),
      metadata: { name: 'sops-gpg', labels: { 'sotto.dev/use': 'keys' } },
    });
    const args = [
      'encrypt',
      '--pgp',
      fingerprint,
      '--encrypted-regex',
      '^stringData$',
      '--filename-override',
      'db.json',
    ];
    const env = { GNUPGHOME: home.folder };
    const encrypted = await stockOutput('sops', args, { stdin: JSON.stringify(secret('db', { password })), env });
    const commit = await world.repository.commit({ 'deploy/db.json': encrypted.toString() }, 'first');
    await using agent = await world.start();
    const status = await untilReady(world, commit);
    const live = await world.get(`/api/v1/namespaces/${world.namespace}/secrets/db`);
    expect(Buffer.from(stringAt(live, 'data', 'password') ?? '', 'base64').toString()).toBe(password);
    const reported = arrayAt(status, 'keys').map((each) => [stringAt(each, 'kind'), stringAt(each, 'id')]);
    expect(reported).toContainEqual(['pgp', fingerprint]);
    await leakCheck(world, agent, canaries);
  });
});
