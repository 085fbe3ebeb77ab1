import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrayAt, type Json, memberAt, parseJson, stringAt } from '../../src/core/json.ts';
import type { PolicyRule, ServiceAccountAccess } from '../../src/demo/control-plane.ts';
import type { CliResult } from '../cli/session.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { untilTried } from '../harness/attention.ts';
import { type Checkout, clone } from '../harness/checkout.ts';
import { secretPath } from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { type AgeKeyPair, newAgeKeyPair, stockOutput } from '../harness/stock.ts';
import { createWorld, secret, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen', 'age', 'kubeseal'] as const;

/** What docs/rotation.md says of who keeps the keys. */
const PERSON: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list', 'create', 'patch'] },
  { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'watch', 'patch', 'create'] },
];

describeReal('sotto keys', TOOLS, () => {
  let world: World;
  let agent: RunningAgent;
  let person: ServiceAccountAccess;
  let recovery: AgeKeyPair;
  let checkout: Checkout;

  const git = (...args: readonly string[]): string => checkout.git(...args);
  const run = (...words: readonly string[]): Promise<CliResult> => checkout.run(...words);
  const outside = (name: string): string => join(world.folder, name);
  /** Of the age keys, by state. */
  const rowsOf = async (states: readonly string[]): Promise<readonly (Json | undefined)[]> => {
    const keys = arrayAt(parseJson((await run('keys', 'list', '-o', 'json')).stdout), 'keys');
    return states.map((state) =>
      keys.find((key) => stringAt(key, 'kind') === 'age' && stringAt(key, 'state') === state),
    );
  };
  const live = (name: string): Promise<Json | undefined> => world.get(secretPath(world.namespace, name));

  beforeAll(async () => {
    recovery = await newAgeKeyPair();
    world = await createWorld({ top: 'sealing: { enabled: true }' });
    person = await world.own.plane.createServiceAccount(world.namespace, 'kim', PERSON);
    writeFileSync(outside('recovery.txt'), `${recovery.identity}\n`);
    const commit = await world.repository.commit(
      {
        'deploy/db.json': await world.sops(JSON.stringify(secret('db', { password: world.value(0) })), 'db.json'),
        '.sops.yaml': `creation_rules:\n- encrypted_regex: ^(data|stringData)$\n  age: ${world.recipient}\n`,
      },
      'first',
    );
    agent = await world.start();
    await untilTried(world, commit);
    await world.until('a key', (status) => stringAt(status, 'sealing', 'fingerprint') !== undefined);
    checkout = clone(world, person);
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  test('list says what the agent has, and who names each', async () => {
    const { exit, stdout } = await run('keys', 'list', '-o', 'json');
    expect(exit).toBe(0);
    const keys = arrayAt(parseJson(stdout), 'keys');
    expect(keys.find((key) => stringAt(key, 'kind') === 'age')).toMatchObject({
      id: world.recipient,
      state: 'active',
      secret: 'sops-age',
      files: [{ branches: ['main', 'origin/main'], file: 'deploy/db.json' }],
      since: expect.stringMatching(/^20/) as string,
      ageDays: 0,
      commits: [
        { branch: 'origin/main', count: 1, isWhole: true, newest: { commit: git('rev-parse', 'HEAD').trim() } },
      ],
    });
    expect(keys.find((key) => stringAt(key, 'kind') === 'sealing')).toMatchObject({ state: 'active', files: null });
    expect((await run('keys', 'list')).stdout).toMatch(
      /^age +active +0d .* sops-age +foreign +main 1 +origin\/main 1 to [0-9a-f]{12} +age1/m,
    );
    expect(
      stringAt(
        keys.find((key) => stringAt(key, 'kind') === 'sealing'),
        'commits',
      ),
    ).toBeUndefined();
    const tried = arrayAt(parseJson((await run('keys', 'list', '--sealed', '-o', 'json')).stdout), 'keys');
    expect(tried.find((key) => stringAt(key, 'kind') === 'sealing')).toMatchObject({ files: [] });
  });

  test('export prints public halves only', async () => {
    const { exit, stdout } = await run('keys', 'export');
    expect(exit).toBe(0);
    expect(stdout).toContain(`# Secret sops-age, active\n${world.recipient}\n`);
    expect(stdout).toContain('-----BEGIN CERTIFICATE-----');
    expect(stdout).not.toMatch(/PRIVATE|SECRET-KEY/);
    const status = await world.until('a status', () => true);
    expect(stdout).toContain(`# signs receipts: rotation.receiptKey\n${stringAt(status, 'receipts', 'publicKey')}\n`);
    expect(stdout).toMatch(/^ed25519:[A-Za-z0-9+/]{43}=$/m);
  });

  test('backup is what stock age opens, verified against the repository, and restores what is missing', async () => {
    const backup = outside('keys.age');
    const forNobody = await run('keys', 'backup', '--out', backup);
    expect(forNobody).toMatchObject({ exit: 2, stderr: expect.stringContaining('SOTTO-AGE-009') as string });
    expect(forNobody.stderr).toContain('--recipient age1…, or --passphrase at a terminal');
    const made = await run('keys', 'backup', '--recipient', recovery.recipient, '--out', backup);
    expect(made).toMatchObject({ exit: 0 });
    expect((await run('keys', 'backup', '--recipient', recovery.recipient, '--out', backup)).exit).toBe(2);
    const opened = await stockOutput('age', ['-d', '-i', outside('recovery.txt'), backup]);
    const names = arrayAt(parseJson(opened.toString()), 'items').map(
      (item) => stringAt(item, 'metadata', 'name') ?? '',
    );
    expect(names).toEqual([
      expect.stringMatching(/^sops-age$/),
      expect.stringMatching(/^sotto-fingerprint$/),
      expect.stringMatching(/^sotto-sealing-/),
    ]);

    const verified = await run('keys', 'backup', '--verify', backup, '--key-file', outside('recovery.txt'));
    expect(verified).toMatchObject({ exit: 0, stderr: expect.stringContaining('all 1 encrypted files') as string });
    const stranger = await newAgeKeyPair();
    writeFileSync(outside('stranger.txt'), `${stranger.identity}\n`);
    expect(await run('keys', 'backup', '--verify', backup, '--key-file', outside('stranger.txt'))).toMatchObject({
      exit: 4,
      stderr: expect.stringContaining('SOTTO-KEYS-062') as string,
    });
    writeFileSync(join(checkout.folder, '.sops.yaml'), `creation_rules:\n- age: ${stranger.recipient}\n`);
    writeFileSync(join(checkout.folder, 'other.yaml'), 'a: b\n');
    await stockOutput('sops', ['encrypt', '-i', 'other.yaml'], { cwd: checkout.folder, env: { HOME: world.folder } });
    git('add', '-A');
    git('commit', '-q', '-m', 'for somebody else');
    const incomplete = await run('keys', 'backup', '--verify', backup, '--key-file', outside('recovery.txt'));
    expect(incomplete).toMatchObject({ exit: 1, stderr: expect.stringContaining('SOTTO-KEYS-063') as string });
    expect(incomplete.stdout).toContain('other.yaml');
    git('reset', '-q', '--hard', 'HEAD^');

    const before = new Map(
      await Promise.all(names.map(async (name) => [name, memberAt(await live(name), 'data')] as const)),
    );
    await agent.stop();
    for (const name of ['sops-age', 'sotto-fingerprint'])
      await world.own.plane.admin('DELETE', secretPath(world.namespace, name));
    const restored = await run('keys', 'restore', backup, '--key-file', outside('recovery.txt'), '--yes');
    expect(restored).toMatchObject({
      exit: 0,
      stderr: expect.stringContaining(
        'made: sops-age, sotto-fingerprint; there already, and the same: sotto-sealing-',
      ) as string,
    });
    for (const [name, data] of before) expect(memberAt(await live(name), 'data')).toEqual(data);
    agent = await world.start();
    await agent.line('started', ({ msg }) => msg === 'started');

    const other = { data: { 'age.agekey': Buffer.from(`${stranger.identity}\n`).toString('base64') } };
    await world.own.plane.admin(
      'PATCH',
      secretPath(world.namespace, 'sops-age'),
      other,
      'application/merge-patch+json',
    );
    expect(await run('keys', 'restore', backup, '--key-file', outside('recovery.txt'), '--yes')).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining('SOTTO-KEYS-067') as string,
    });
    const back = { data: { 'age.agekey': stringAt(before.get('sops-age') ?? null, 'age.agekey') ?? '' } };
    await world.own.plane.admin('PATCH', secretPath(world.namespace, 'sops-age'), back, 'application/merge-patch+json');
  });

  test('retire refuses while the head of a branch needs the key, here or at the remote', async () => {
    const needed = await run('keys', 'retire', 'sops-age', '--yes');
    expect(needed).toMatchObject({ exit: 1, stderr: expect.stringContaining('SOTTO-KEYS-064') as string });
    // A branch of a remote that does not answer may need it too.
    git('remote', 'add', 'away', join(world.folder, 'nowhere'));
    const unasked = await run('keys', 'retire', 'sops-age', '--yes');
    expect(unasked).toMatchObject({ exit: 3, stderr: expect.stringContaining('SOTTO-KEYS-065') as string });
    git('remote', 'remove', 'away');
    git('push', '-q', 'origin', 'main:refs/heads/old-work');
    const rotated = await run('rotate', '--new-secret', '--old', world.recipient, '--push', '--yes');
    expect(rotated).toMatchObject({ exit: 0 });
    const elsewhere = await run('keys', 'retire', 'sops-age', '--yes');
    expect(elsewhere).toMatchObject({ exit: 1, stderr: expect.stringContaining('origin/old-work') as string });
    git('push', '-q', 'origin', ':refs/heads/old-work');
    // Gone from every head, and what a revert would need is still told.
    const listed = arrayAt(parseJson((await run('keys', 'list', '-o', 'json')).stdout), 'keys');
    expect(listed.find((key) => stringAt(key, 'id') === world.recipient)).toMatchObject({
      files: [],
      commits: [{ count: 1, newest: { commit: git('rev-parse', 'HEAD^').trim() } }],
    });
    await world.until('the old key only opens', (status) =>
      arrayAt(status, 'keys').some((key) => stringAt(key, 'state') === 'decrypt-only'),
    );
    const [opening, made] = await rowsOf(['decrypt-only', 'active']);
    const until = stringAt(await live('sops-age'), 'metadata', 'annotations', 'sotto.dev/until');
    expect(until).toMatch(/^20\d\d-/);
    expect(opening).toMatchObject({ id: world.recipient, secret: 'sops-age', origin: 'foreign', until, files: [] });
    expect(made).toMatchObject({
      secret: expect.stringMatching(/^sotto-age-/) as string,
      origin: 'sotto',
      files: [{ branches: ['main', 'origin/main'], file: 'deploy/db.json' }],
      commits: [{ branch: 'origin/main', count: 1, newest: { commit: git('rev-parse', 'HEAD').trim() } }],
    });
    expect((await run('keys', 'list')).stdout).toMatch(
      /^age +decrypt-only +0d +20[-\dT:.]+Z +sops-age +foreign +nothing +origin\/main 1 to [0-9a-f]{12} +age1/m,
    );
    expect(await run('keys', 'retire', world.recipient, '--yes')).toMatchObject({ exit: 0 });
    expect(stringAt(await live('sops-age'), 'metadata', 'annotations', 'sotto.dev/state')).toBe('retired');
    await world.until('it is retired', (status) =>
      arrayAt(status, 'keys').some((key) => stringAt(key, 'state') === 'retired'),
    );
    const [retired] = await rowsOf(['retired']);
    // What a revert would need is still told of a key that is kept and opens nothing.
    expect(retired).toMatchObject({ id: world.recipient, secret: 'sops-age', files: [], commits: [{ count: 1 }] });
    expect((await run('keys', 'list')).stdout).toMatch(
      /^age +retired +0d .* sops-age +foreign +nothing +origin\/main 1 to [0-9a-f]{12} +age1/m,
    );
    expect((await run('keys', 'retire', 'nobody', '--yes')).stderr).toContain('SOTTO-KEYS-066');
    expect(readFileSync(join(checkout.folder, '.sops.yaml'), 'utf8')).not.toContain(world.recipient);
  });
});
