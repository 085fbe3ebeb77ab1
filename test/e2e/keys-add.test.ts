import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrayAt, type Json, memberAt, parseJson, stringAt } from '../../src/core/json.ts';
import type { PolicyRule, ServiceAccountAccess } from '../../src/demo/control-plane.ts';
import { makeSealingCertificate } from '../../src/sealed/make-certificate.ts';
import { type CliResult, sotto } from '../cli/session.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { untilTried } from '../harness/attention.ts';
import { newGpgHome } from '../harness/gpg.ts';
import { configMapPath, secretPath } from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { type AgeKeyPair, newAgeKeyPair, stockOutput } from '../harness/stock.ts';
import { createWorld, secret, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen', 'age'] as const;

/** What docs/rbac.md says of who keeps keys. */
const PERSON: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list', 'create', 'patch'] },
  { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'watch', 'patch', 'create'] },
];

describeReal('sotto keys add', TOOLS, () => {
  let world: World;
  let agent: RunningAgent;
  let person: ServiceAccountAccess;
  let recovery: AgeKeyPair;

  const outside = (name: string): string => join(world.folder, name);
  const live = (name: string): Promise<Json | undefined> => world.get(secretPath(world.namespace, name));
  const secretsThere = async (): Promise<number> =>
    arrayAt(await world.get(`/api/v1/namespaces/${world.namespace}/secrets`), 'items').length;
  const add = (words: readonly string[], stdin?: string): Promise<CliResult> =>
    sotto(['keys', 'add', ...words, '-n', world.namespace, '--kubeconfig', person.kubeconfigPath], {
      cwd: world.folder,
      env: { PATH: process.env['PATH'] ?? '' },
      ...(stdin === undefined ? {} : { stdin }),
    });

  beforeAll(async () => {
    recovery = await newAgeKeyPair();
    world = await createWorld({ top: `sealing: { recovery: [ ${recovery.recipient} ] }` });
    person = await world.own.plane.createServiceAccount(world.namespace, 'kim', PERSON);
    writeFileSync(outside('recovery.txt'), `${recovery.identity}\n`);
    const commit = await world.repository.commit(await world.canaryFile(), 'first');
    agent = await world.start();
    await untilTried(world, commit);
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  test('an identity on stdin goes into a Secret of its own, its copy first, and opens what is encrypted for it', async () => {
    const pair = await newAgeKeyPair();
    const { exit, stdout, stderr } = await add(['-', '--name', 'team'], `${pair.identity}\n`);
    expect({ exit, stderr }).toMatchObject({ exit: 0 });
    expect(stderr).toContain(`age key ${pair.recipient} in Secret team; a copy is in ConfigMap sotto-recovery\n`);
    expect(stderr).toContain('the agent has shown that it holds it; syncs that open with it: app\n');
    expect(stdout + stderr).not.toContain('SECRET-KEY');
    const made = await live('team');
    expect(made).toMatchObject({
      metadata: {
        labels: { 'sotto.dev/use': 'keys' },
        annotations: { 'sotto.dev/origin': 'sotto', 'sotto.dev/since': expect.stringMatching(/^20/) as string },
      },
    });
    const copy = stringAt(await world.get(configMapPath(world.namespace, 'sotto-recovery')), 'data', 'team.age') ?? '';
    const opened = await stockOutput('age', ['-d', '-i', outside('recovery.txt')], { stdin: copy });
    expect(memberAt(parseJson(opened.toString()), 'data')).toEqual(memberAt(made, 'data'));

    const file = await stockOutput(
      'sops',
      [
        'encrypt',
        '--age',
        pair.recipient,
        '--encrypted-regex',
        '^(data|stringData)$',
        '--filename-override',
        'new.json',
      ],
      {
        stdin: JSON.stringify(secret('new', { a: world.value(1) })),
      },
    );
    await untilTried(world, await world.repository.commit({ 'deploy/new.json': file.toString() }, 'for the new key'));
    expect(memberAt(await live('new'), 'data')).toEqual({ a: Buffer.from(world.value(1)).toString('base64') });

    // The same again, in another file: nothing is made.
    const before = await secretsThere();
    expect(await add(['-'], `${pair.identity}\n`)).toMatchObject({
      exit: 2,
      stderr: expect.stringMatching(/^SOTTO-KEYS-091: .*Secret team holds it/m) as string,
    });
    expect(await secretsThere()).toBe(before);
  });

  test('a Secret of that name is not written over, and neither is the copy of what is in it', async () => {
    const pair = await newAgeKeyPair();
    const recoveries = await world.get(configMapPath(world.namespace, 'sotto-recovery'));
    const before = await live('team');
    const taken = await add(['-', '--name', 'team'], `${pair.identity}\n`);
    expect(taken).toMatchObject({ exit: 2, stderr: expect.stringContaining('SOTTO-KEYS-092') as string });
    expect(await live('team')).toEqual(before);
    expect(await world.get(configMapPath(world.namespace, 'sotto-recovery'))).toEqual(recoveries);
  });

  test('a file that others may read is not taken', async () => {
    const { identity, recipient } = await newAgeKeyPair();
    writeFileSync(outside('open.txt'), `${identity}\n`, { mode: 0o644 });
    expect(await add(['open.txt'])).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('chmod 600 open.txt') as string,
    });
    chmodSync(outside('open.txt'), 0o600);
    expect(await add(['open.txt'])).toMatchObject({ exit: 0, stderr: expect.stringContaining(recipient) as string });
    expect((await add(['missing.txt'])).stderr).toContain('SOTTO-CLI-005');
  });

  test('an OpenPGP key is listed, a sealing key opens a canary and does not become the one that is sealed for', async () => {
    await using gpg = await newGpgHome();
    const fingerprint = await gpg.newKey('future-default');
    const openpgp = await add(['-'], (await gpg.secretKey(fingerprint)).toString());
    expect(openpgp).toMatchObject({ exit: 0, stderr: expect.stringContaining('the agent lists it') as string });
    expect((await add(['-'], (await gpg.publicKey(fingerprint)).toString())).stderr).toContain('SOTTO-KEYS-090');

    const made = await makeSealingCertificate({ now: new Date(), modulusBits: 2048 });
    const pem = Buffer.from(made.keyPem.reveal()).toString() + made.certificatePem;
    const sealing = await add(['-', '--name', 'old-sealing'], pem);
    expect({ exit: sealing.exit, stderr: sealing.stderr }).toMatchObject({
      exit: 0,
      stderr: expect.stringContaining('the agent has shown that it holds it') as string,
    });
    const status = await world.status();
    expect(arrayAt(status, 'keys').find((key) => stringAt(key, 'secret') === 'old-sealing')).toMatchObject({
      kind: 'sealing',
      state: 'decrypt-only',
    });
    expect(memberAt(status, 'sealing')).toBeUndefined();
  });

  test('without an agent the key is there, and that nobody holds it is said', async () => {
    await agent.stop();
    const { exit, stderr } = await add(['-', '--name', 'unseen'], `${(await newAgeKeyPair()).identity}\n`);
    expect({ exit, stderr }).toMatchObject({ exit: 3, stderr: expect.stringContaining('SOTTO-KEYS-094') as string });
    expect(await live('unseen')).toBeDefined();
    agent = await world.start();
  });
});
