import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrayAt, type Json, memberAt, parseJson, stringAt } from '../../src/core/json.ts';
import type { CliResult } from '../cli/session.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { untilTried } from '../harness/attention.ts';
import { readyToRotate, ROTATOR } from '../harness/rotator.ts';
import { type Checkout, clone } from '../harness/checkout.ts';
import { forgeCanary } from '../harness/forged-status.ts';
import { configMapPath, secretPath } from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { WEB, webGeneration, webPath } from '../harness/restarting-workload.ts';
import { rolledOut } from '../harness/rollout.ts';
import { type AgeKeyPair, newAgeKeyPair, stockOutput } from '../harness/stock.ts';
import { createWorld, eventually, secret, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen', 'age'] as const;

describeReal('sotto rotate with the agent', TOOLS, () => {
  let world: World;
  let agent: RunningAgent;
  let recovery: AgeKeyPair;
  let checkout: Checkout;

  const git = (...args: readonly string[]): string => checkout.git(...args);
  const run = (...words: readonly string[]): Promise<CliResult> => checkout.run(...words);
  const keySecrets = async (): Promise<readonly Json[]> => {
    const selector = encodeURIComponent('sotto.dev/use=keys');
    return arrayAt(await world.get(`/api/v1/namespaces/${world.namespace}/secrets?labelSelector=${selector}`), 'items');
  };
  const password = async (): Promise<string> => {
    const live = await world.get(secretPath(world.namespace, 'db'));
    return Buffer.from(stringAt(live, 'data', 'password') ?? '', 'base64').toString();
  };

  beforeAll(async () => {
    recovery = await newAgeKeyPair();
    world = await createWorld({ top: `sealing: { recovery: [ ${recovery.recipient} ] }` });
    ({ agent, checkout } = await readyToRotate(world));
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  test('a forged status is noticed, nothing is encrypted, and the key that was made is taken by the next run', async () => {
    await agent.stop();
    const before = git('rev-parse', 'HEAD');
    const forging = forgeCanary(world);
    const refused = await run('rotate', '--new-secret', '--push', '--yes');
    await forging;
    expect(refused).toMatchObject({ exit: 3, stderr: expect.stringContaining('SOTTO-ROTATE-014') as string });
    expect(git('rev-parse', 'HEAD')).toBe(before);
    expect(git('ls-remote', 'origin', 'main').split('\t')[0]).toBe(before.trim());
    expect(await keySecrets()).toHaveLength(1);
    agent = await world.start();
  });

  test('the key is made in the cluster, proven, used, and the old one only opens from then on; nothing restarts', async () => {
    const generation = await webGeneration(world);
    const { exit, stderr } = await run('rotate', '--new-secret', '--push', '--yes');
    expect({ exit, stderr }).toMatchObject({ exit: 0 });
    expect(stderr).toContain('syncs that open with it: app\n');
    expect(stderr).toContain('; 0 workloads changed\n');
    const [made, ...others] = await keySecrets();
    expect(others).toEqual([]);
    expect(made).toMatchObject({ metadata: { annotations: { 'sotto.dev/origin': 'sotto' } } });
    const identity = Buffer.from(stringAt(made, 'data', 'age.agekey') ?? '', 'base64').toString();
    const recipient = /# public key: (age1\w+)/.exec(identity)?.[1] ?? '';
    expect(readFileSync(join(checkout.folder, '.sops.yaml'), 'utf8')).toContain(`age: ${recipient}\n`);
    expect(git('status', '--porcelain')).toBe('');
    expect(await webGeneration(world)).toBe(generation);
    expect(await password()).toBe(world.value(0));

    // Encrypted at birth to whoever can get it back.
    const copy = stringAt(await world.get(configMapPath(world.namespace, 'sotto-recovery')), 'data', nameOf(made));
    writeFileSync(join(world.folder, 'recovery.txt'), `${recovery.identity}\n`);
    const opened = await stockOutput('age', ['-d', '-i', join(world.folder, 'recovery.txt')], { stdin: copy ?? '' });
    expect(stringAt(parseJson(opened.toString()), 'data', 'age.agekey')).toBe(stringAt(made, 'data', 'age.agekey'));

    const old = await world.until('the old key only opens', (status) =>
      arrayAt(status, 'keys').some((key) => stringAt(key, 'state') === 'decrypt-only'),
    );
    expect(arrayAt(old, 'keys')).toMatchObject(
      [
        { id: world.recipient, state: 'decrypt-only', secret: 'sops-age', until: expect.any(String) as string },
        { id: recipient, state: 'active', origin: 'sotto' },
      ].toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    );
  });

  test('a commit of before is applied until the old key is retired', async () => {
    const again = await world.sops(JSON.stringify(secret('db', { password: world.value(1) })), 'db.yaml');
    await world.repository.commit({ 'deploy/db.yaml': again }, 'as before');
    await eventually('the old key opens it', async () => ((await password()) === world.value(1) ? true : undefined));
    const mark = { metadata: { annotations: { 'sotto.dev/state': 'retired' } } };
    const path = secretPath(world.namespace, 'sops-age');
    await world.own.plane.admin('PATCH', path, mark, 'application/merge-patch+json');
    await world.until('it is retired', (status) =>
      arrayAt(status, 'keys').some((key) => stringAt(key, 'state') === 'retired'),
    );
    const late = await world.sops(JSON.stringify(secret('db', { password: world.value(2) })), 'db.yaml');
    const commit = await world.repository.commit({ 'deploy/db.yaml': late }, 'for a retired key');
    await untilTried(world, commit);
    expect(await password()).toBe(world.value(1));
  });
});

describeReal('sotto rotate --new-sealing', [...TOOLS, 'kubeseal'], () => {
  const STOCK_LABEL = 'sealedsecrets.bitnami.com/sealed-secrets-key';

  test('the agent makes the key and shows that it opens with it; nothing restarts, and what was sealed for the old one still opens', async () => {
    const recovery = await newAgeKeyPair();
    await using world = await createWorld({
      top: `sealing: { enabled: true, recovery: [ ${recovery.recipient} ] }`,
    });
    const person = await world.own.plane.createServiceAccount(world.namespace, 'kim', ROTATOR);
    await world.repository.commit(await world.canaryFile(), 'first');
    await using agent = await world.start();
    await world.until('a key', (status) => stringAt(status, 'sealing', 'fingerprint') !== undefined);
    const keys = async (): Promise<readonly Json[]> => {
      const selector = encodeURIComponent(STOCK_LABEL);
      return arrayAt(
        await world.get(`/api/v1/namespaces/${world.namespace}/secrets?labelSelector=${selector}`),
        'items',
      );
    };
    const [old] = await keys();
    const sealed = async (index: number): Promise<string> => {
      const certificate = join(world.folder, 'old.pem');
      writeFileSync(certificate, Buffer.from(stringAt(old, 'data', 'tls.crt') ?? '', 'base64'));
      const manifest = { ...secret('db', { password: world.value(index) }) };
      const args = ['--cert', certificate, '--namespace', world.namespace, '--format', 'yaml'];
      return (await stockOutput('kubeseal', args, { stdin: JSON.stringify(manifest) })).toString();
    };
    const password = async (): Promise<string> => {
      const live = await world.get(secretPath(world.namespace, 'db'));
      return Buffer.from(stringAt(live, 'data', 'password') ?? '', 'base64').toString();
    };
    const first = { 'deploy/db.yaml': `# the database\n${await sealed(0)}`, 'deploy/web.yaml': WEB };
    await untilTried(world, await world.repository.commit(first, 'sealed'));
    expect(await password()).toBe(world.value(0));
    await rolledOut(world, webPath(world));
    const generation = await webGeneration(world);
    expect(generation).toBe(1);
    const checkout = clone(world, person);
    const before = readFileSync(join(checkout.folder, 'deploy/db.yaml'), 'utf8');
    const { exit, stderr } = await checkout.run('rotate', '--new-sealing', '--push', '--yes');
    expect({ exit, stderr }).toMatchObject({ exit: 0 });
    expect(stderr).toContain('; 0 workloads changed\n');
    expect(await webGeneration(world)).toBe(generation);
    const after = readFileSync(join(checkout.folder, 'deploy/db.yaml'), 'utf8');
    const blob = /Ag[A-D][A-Za-z0-9+/=]{600,}/g;
    expect(after).not.toBe(before);
    expect(after.replaceAll(blob, 'SEALED')).toBe(before.replaceAll(blob, 'SEALED'));
    const all = await keys();
    expect(
      all.map((key) => stringAt(key, 'metadata', 'annotations', 'sotto.dev/state') ?? 'active').toSorted(),
    ).toEqual(['active', 'decrypt-only']);
    const made = all.find((key) => stringAt(key, 'metadata', 'name') !== stringAt(old, 'metadata', 'name'));
    const recoveries = memberAt(await world.get(configMapPath(world.namespace, 'sotto-recovery')), 'data');
    expect(Object.keys((recoveries ?? {}) as object)).toContain(nameOf(made));
    expect(await password()).toBe(world.value(0));
    // Stock kubeseal opens what was made with the new key alone.
    const key = join(world.folder, 'made.key');
    writeFileSync(key, Buffer.from(stringAt(made, 'data', 'tls.key') ?? '', 'base64'), { mode: 0o600 });
    const opened = await stockOutput('kubeseal', ['--recovery-unseal', '--recovery-private-key', key], {
      stdin: after,
    });
    expect(opened.toString()).toContain(Buffer.from(world.value(0)).toString('base64'));

    await world.repository.commit({ 'deploy/db.yaml': await sealed(1) }, 'for the old key');
    await eventually('it opens', async () => ((await password()) === world.value(1) ? true : undefined));
    // Another value does restart it.
    await eventually('it restarts', async () => ((await webGeneration(world)) === 2 ? true : undefined));
    await agent.stop();
  });
});

function nameOf(object: Json | undefined): string {
  return `${stringAt(object, 'metadata', 'name') ?? ''}.age`;
}
