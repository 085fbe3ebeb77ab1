import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { arrayAt, type Json, type JsonObject, memberAt, stringAt } from '../../src/core/json.ts';
import { makeSealingCertificate } from '../../src/sealed/make-certificate.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { untilTried } from '../harness/attention.ts';
import { ROTATOR } from '../harness/rotator.ts';
import { type Checkout, clone } from '../harness/checkout.ts';
import { forgeCanary } from '../harness/forged-status.ts';
import { secretPath } from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { type SealingKeySecret, sealingKeySecret } from '../harness/sealing-key.ts';
import { newAgeKeyPair, stockOutput } from '../harness/stock.ts';
import { createWorld, secret, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen', 'kubeseal'] as const;
const STOCK_LABEL = 'sealedsecrets.bitnami.com/sealed-secrets-key';

describeReal('somebody who wants values to be sealed for another key', TOOLS, () => {
  let world: World;
  let checkout: Checkout;
  let older: SealingKeySecret;
  let ownKey: string;
  let before: { readonly facts: string; readonly marks: readonly Json[] };

  const git = (...args: readonly string[]): string => checkout.git(...args);
  const rotate = (...args: readonly string[]) => checkout.run('rotate', ...args, '--push', '--yes');
  const keySecrets = async (selector: string): Promise<readonly Json[]> => {
    const path = `/api/v1/namespaces/${world.namespace}/secrets?labelSelector=${encodeURIComponent(selector)}`;
    return arrayAt(await world.get(path), 'items');
  };
  const facts = (): string =>
    [
      git('rev-parse', 'HEAD'),
      git('for-each-ref'),
      git('ls-remote', 'origin'),
      git('status', '--porcelain', '--ignored'),
      ...['deploy/db.json', 'deploy/api.json', '.sops.yaml'].map((name) =>
        readFileSync(join(checkout.folder, name), 'utf8'),
      ),
    ].join('\n');
  const marks = async (): Promise<readonly Json[]> =>
    (await keySecrets(STOCK_LABEL)).map((key) => memberAt(key, 'metadata', 'annotations') ?? null);

  /** As if the agent were not there: whatever answers in its place is somebody else. */
  beforeAll(async () => {
    world = await createWorld({ top: 'sealing: { enabled: true }' });
    const person = await world.own.plane.createServiceAccount(world.namespace, 'kim', ROTATOR);
    older = await sealingKeySecret('older');
    await world.create(`/api/v1/namespaces/${world.namespace}/secrets`, older.secret);
    writeFileSync(join(world.folder, 'older.pem'), older.certificatePem);
    const args = ['--cert', join(world.folder, 'older.pem'), '--namespace', world.namespace];
    const sealed = await stockOutput('kubeseal', args, { stdin: JSON.stringify(secret('api', { a: world.value(0) })) });
    const db = JSON.stringify(secret('db', { password: world.value(1) }));
    const commit = await world.repository.commit(
      {
        'deploy/api.json': sealed.toString(),
        'deploy/db.json': await world.sops(db, 'db.json'),
        '.sops.yaml': `creation_rules:\n- encrypted_regex: ^(data|stringData)$\n  age: ${world.recipient}\n`,
      },
      'first',
    );
    await using agent: RunningAgent = await world.start();
    await untilTried(world, commit);
    await world.until('a key', (status) => stringAt(status, 'sealing', 'fingerprint') !== undefined);
    await agent.stop();
    checkout = clone(world, person);
    const own = (await keySecrets(STOCK_LABEL)).find(
      (key) => stringAt(key, 'metadata', 'annotations', 'sotto.dev/origin') === 'sotto',
    );
    ownKey = stringAt(own, 'metadata', 'name') ?? '';
    expect(ownKey).not.toBe('');
  });
  afterAll(() => world[Symbol.asyncDispose]());

  beforeEach(async () => {
    before = { facts: facts(), marks: await marks() };
  });
  afterEach(async () => {
    expect({ facts: facts(), marks: await marks() }).toEqual(before);
  });

  test('forges the answer to the canary of a sealing key, and is noticed', async () => {
    const forging = forgeCanary(world);
    const refused = await rotate('--new-sealing');
    await forging;
    expect(refused).toMatchObject({ exit: 3, stderr: expect.stringContaining('SOTTO-ROTATE-014') as string });
    expect(refused.stderr).toContain('kubectl auth can-i --list');
  });

  test('exchanges the certificate of the key, and is noticed: it belongs to another private key', async () => {
    const own = await world.get(secretPath(world.namespace, ownKey));
    const { certificatePem } = await makeSealingCertificate({ now: new Date() });
    const exchanged = { data: { 'tls.crt': Buffer.from(certificatePem).toString('base64') } };
    await patch(exchanged, ownKey);
    const refused = await rotate('--new-sealing');
    await patch({ data: { 'tls.crt': stringAt(own, 'data', 'tls.crt') ?? '' } }, ownKey);
    expect(refused).toMatchObject({ exit: 2, stderr: expect.stringContaining('SOTTO-ROTATE-017') as string });
    expect(refused.stderr).toContain(`Secret/${ownKey}`);
    expect(refused.stderr).toContain('the certificate belongs to another private key');
  });

  test('hands out another certificate than the one that the repository pins, and is noticed', async () => {
    const own = await world.get(secretPath(world.namespace, ownKey));
    const fingerprint = stringAt(await world.status(), 'sealing', 'fingerprint') ?? '';
    const settings = `apiVersion: sotto.dev/v1alpha1\nkind: Config\nsealing: { certificate: "${fingerprint}" }\nsyncs:\n- name: app\n  source: { git: { url: "https://git.example.com/app.git", ref: { branch: main } } }\n  path: deploy\n`;
    writeFileSync(join(checkout.folder, 'sotto.yaml'), settings);
    git('add', '-A');
    git('commit', '-q', '-m', 'the pin');
    git('push', '-q', 'origin', 'main');
    before = { ...before, facts: facts() };
    writeFileSync(join(world.folder, 'keys.json'), JSON.stringify(older.secret));
    const other = await makeSealingCertificate({ now: new Date() });
    writeFileSync(join(world.folder, 'other.pem'), other.certificatePem);
    const args = ['--key-file', join(world.folder, 'keys.json'), '--cert', join(world.folder, 'other.pem')];
    for (const more of [[], ['--branch', 'anew'], ['--plan']]) {
      const refused = await checkout.run('rotate', ...args, ...more, '--yes');
      expect(refused).toMatchObject({ exit: 2, stderr: expect.stringContaining('SOTTO-SEAL-021') as string });
    }
    // The one that is pinned is taken.
    writeFileSync(join(world.folder, 'own.pem'), Buffer.from(stringAt(own, 'data', 'tls.crt') ?? '', 'base64'));
    const keys = ['--key-file', join(world.folder, 'keys.json'), '--cert', join(world.folder, 'own.pem')];
    expect(await checkout.run('rotate', ...keys, '--plan')).toMatchObject({ exit: 0 });
  });

  test('puts a key of his own where a rotation looks for one, and is named before anything is encrypted for it', async () => {
    const planted = await newAgeKeyPair();
    await world.create(`/api/v1/namespaces/${world.namespace}/secrets`, {
      ...secret('planted', { 'age.agekey': `${planted.identity}\n` }),
      metadata: {
        name: 'planted',
        labels: { 'sotto.dev/use': 'keys' },
        annotations: { 'sotto.dev/replaces': world.recipient, 'sotto.dev/origin': 'sotto' },
      },
    });
    const shown = await checkout.run('rotate', '--new-secret', '--plan');
    expect(shown).toMatchObject({ exit: 0 });
    expect(shown.stderr).toContain(`the new key is there: ${planted.recipient}, taken from Secret planted`);
    const asked = await checkout.run('rotate', '--new-secret', '--push');
    expect(asked.exit).toBe(2);
    expect(asked.stderr).toContain('taken from Secret planted');
  });

  async function patch(change: JsonObject, name: string): Promise<void> {
    const path = secretPath(world.namespace, name);
    await world.own.plane.admin('PATCH', path, change, 'application/merge-patch+json');
  }
});
