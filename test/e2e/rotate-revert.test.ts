import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrayAt, type Json, type JsonObject, memberAt, parseJson, stringAt } from '../../src/core/json.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { codesOf, passed, untilReady, untilTried } from '../harness/attention.ts';
import { ROTATOR } from '../harness/rotator.ts';
import { type Checkout, clone } from '../harness/checkout.ts';
import { namespaceForTest } from '../harness/control-plane.ts';
import { secretPath } from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { startSealedSecretsController } from '../harness/sealed-secrets-controller.ts';
import { newAgeKeyPair, stockOutput } from '../harness/stock.ts';
import { createWorld, eventually, secret, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen', 'kubeseal', 'sealed-secrets-controller'] as const;
const STOCK_LABEL = 'sealedsecrets.bitnami.com/sealed-secrets-key';

describeReal('git revert around a rotation', TOOLS, () => {
  let world: World;
  let agent: RunningAgent;
  let checkout: Checkout;
  let oldSealing: string;
  let withdrawn: string;
  let rotated: string;

  const git = (...args: readonly string[]): string => checkout.git(...args);
  const head = (): string => git('rev-parse', 'HEAD').trim();
  const password = async (name: string): Promise<string | undefined> => {
    const live = await world.get(secretPath(world.namespace, name));
    return live === undefined ? undefined : Buffer.from(stringAt(live, 'data', 'password') ?? '', 'base64').toString();
  };
  const sealingKeys = async (): Promise<readonly Json[]> => {
    const selector = encodeURIComponent(STOCK_LABEL);
    const path = `/api/v1/namespaces/${world.namespace}/secrets?labelSelector=${selector}`;
    return arrayAt(await world.get(path), 'items');
  };
  const sealed = async (name: string, index: number, key: Json | undefined): Promise<string> => {
    const certificate = join(world.folder, 'sealing.pem');
    writeFileSync(certificate, entryOf(key, 'tls.crt'));
    const args = ['--cert', certificate, '--namespace', world.namespace];
    const stdin = JSON.stringify(secret(name, { password: world.value(index) }));
    return (await stockOutput('kubeseal', args, { stdin })).toString();
  };

  async function pushed(): Promise<void> {
    git('push', '-q', 'origin', 'main');
    await passed(agent, head());
  }

  /** What is live was opened from the commit that is applied, and is not what was there before. */
  async function expectMadeAnew(expected: Readonly<Record<string, string>>): Promise<void> {
    for (const name of Object.keys(expected)) await world.own.plane.admin('DELETE', secretPath(world.namespace, name));
    for (const [name, value] of Object.entries(expected))
      await eventually(`${name} is there again`, async () => ((await password(name)) === value ? true : undefined));
  }

  beforeAll(async () => {
    const recovery = await newAgeKeyPair();
    // With `auto`, what no key opens would go to a controller once another test has installed its kind.
    world = await createWorld({
      top: `sealing: { enabled: true, recovery: [ ${recovery.recipient} ] }`,
      sync: '  sealedSecrets: unseal\n',
    });
    const person = await world.own.plane.createServiceAccount(world.namespace, 'kim', ROTATOR);
    const encrypted = (name: string, index: number): Promise<string> =>
      world.sops(JSON.stringify(secret(name, { password: world.value(index) })), `${name}.json`);
    await world.repository.commit(
      {
        'deploy/db.json': await encrypted('db', 0),
        'deploy/cache.json': await encrypted('cache', 1),
        '.sops.yaml': `creation_rules:\n- encrypted_regex: ^(data|stringData)$\n  age: ${world.recipient}\n`,
      },
      'first',
    );
    agent = await world.start();
    await world.until('a key', (status) => stringAt(status, 'sealing', 'fingerprint') !== undefined);
    const [key] = await sealingKeys();
    oldSealing = stringAt(key, 'metadata', 'name') ?? '';
    const second = await world.repository.commit(
      { 'deploy/api.json': await sealed('api', 2, key), 'deploy/mail.json': await sealed('mail', 3, key) },
      'sealed',
    );
    await untilReady(world, second);
    checkout = clone(world, person);
    git('rm', '-q', 'deploy/cache.json', 'deploy/mail.json');
    git('commit', '-q', '-m', 'no cache and no mail');
    withdrawn = head();
    await pushed();
    const { exit, stderr } = await checkout.run('rotate', '--new-secret', '--new-sealing', '--push', '--yes');
    expect({ exit, stderr }).toMatchObject({ exit: 0 });
    rotated = head();
    await untilReady(world, rotated);
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  test('a commit after it is reverted with the new key', async () => {
    const recipient = /age: (age1\w+)/.exec(readFileSync(join(checkout.folder, '.sops.yaml'), 'utf8'))?.[1] ?? '';
    expect(recipient).not.toBe(world.recipient);
    const manifest = JSON.stringify(secret('db', { password: world.value(4) }));
    const args = ['encrypt', '--age', recipient, '--encrypted-regex', '^(data|stringData)$'];
    const made = await stockOutput('sops', [...args, '--filename-override', 'db.json'], { stdin: manifest });
    writeFileSync(join(checkout.folder, 'deploy/db.json'), made);
    git('commit', '-qam', 'another password');
    await pushed();
    expect(await password('db')).toBe(world.value(4));
    git('revert', '--no-edit', 'HEAD');
    await pushed();
    expect(await password('db')).toBe(world.value(0));
  });

  test('a commit before it is reverted with the old keys, and what it had removed is live again', async () => {
    expect(await password('cache')).toBeUndefined();
    git('revert', '--no-edit', withdrawn);
    await pushed();
    expect([await password('cache'), await password('mail')]).toEqual([world.value(1), world.value(3)]);
    expect(readFileSync(join(checkout.folder, 'deploy/cache.json'), 'utf8')).toContain(world.recipient);
  });

  test('the rotation itself is reverted, and everything opens from the commit of before', async () => {
    git('revert', '--no-edit', rotated);
    for (const file of ['.sops.yaml', 'deploy/db.json', 'deploy/api.json'])
      expect(git('rev-parse', `HEAD:${file}`)).toBe(git('rev-parse', `${rotated}^:${file}`));
    await pushed();
    await expectMadeAnew({ db: world.value(0), api: world.value(2), cache: world.value(1), mail: world.value(3) });
  });

  test('until the old keys are retired, which is refused while that is the head', async () => {
    for (const name of ['sops-age', oldSealing]) {
      const refused = await checkout.run('keys', 'retire', name, '--yes');
      expect(refused).toMatchObject({ exit: 1, stderr: expect.stringContaining('SOTTO-KEYS-064') as string });
    }
    git('revert', '--no-edit', 'HEAD');
    git('rm', '-q', 'deploy/cache.json', 'deploy/mail.json');
    git('commit', '-q', '-m', 'no cache and no mail, again');
    const again = head();
    await pushed();
    for (const name of ['sops-age', oldSealing]) {
      const { exit, stderr } = await checkout.run('keys', 'retire', name, '--yes');
      expect({ exit, stderr }).toMatchObject({ exit: 0 });
    }
    await world.until('both are retired', (status) => {
      const retired = arrayAt(status, 'keys').filter((key) => stringAt(key, 'state') === 'retired');
      return retired.length === 2;
    });
    git('revert', '--no-edit', again);
    git('push', '-q', 'origin', 'main');
    const status = await untilTried(world, head());
    const mail = 'bitnami.com/SealedSecret/mail';
    expect(codesOf(status)).toMatchObject({ 'Secret/cache': 'SOTTO-AGE-001', [mail]: 'SOTTO-SEAL-001' });
    expect([await password('cache'), await password('mail')]).toEqual([undefined, undefined]);
    expect([await password('db'), await password('api')]).toEqual([world.value(0), world.value(2)]);
    git('revert', '--no-edit', 'HEAD');
    await pushed();
  });

  test('the stock SealedSecrets controller opens what was sealed anew, with the new key alone', async () => {
    await agent.stop();
    using keys = await namespaceForTest([]);
    const made = (await sealingKeys()).find((key) => stringAt(key, 'metadata', 'name') !== oldSealing);
    const { labels, name } = memberAt(made, 'metadata') as { labels: JsonObject; name: string };
    const copy = { metadata: { name, labels }, type: memberAt(made, 'type'), data: memberAt(made, 'data') };
    await world.create(`/api/v1/namespaces/${keys.namespace}/secrets`, copy as JsonObject);
    await world.own.plane.admin('DELETE', secretPath(world.namespace, 'api'));
    await using controller = await startSealedSecretsController(keys.plane, keys.namespace);
    expect(controller.certificatePem.trim()).toBe(entryOf(made, 'tls.crt').trim());
    const manifest = parseJson(readFileSync(join(checkout.folder, 'deploy/api.json'), 'utf8')) as JsonObject;
    await world.create(`/apis/bitnami.com/v1alpha1/namespaces/${world.namespace}/sealedsecrets`, manifest);
    await eventually('the controller opens it', async () =>
      (await password('api')) === world.value(2) ? true : undefined,
    );
  });
});

function entryOf(object: Json | undefined, key: string): string {
  return Buffer.from(stringAt(object, 'data', key) ?? '', 'base64').toString();
}
