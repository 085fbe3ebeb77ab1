import { existsSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrayAt, type Json, parseJson, stringAt } from '../../src/core/json.ts';
import type { ServiceAccountAccess } from '../../src/demo/control-plane.ts';
import type { CliResult } from '../cli/session.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { untilTried } from '../harness/attention.ts';
import { ROTATOR } from '../harness/rotator.ts';
import { type Checkout, clone } from '../harness/checkout.ts';
import { listenerOf } from '../harness/listener.ts';
import { configMapPath, secretPath } from '../harness/objects.ts';
import { allowPushing } from '../harness/pushing.ts';
import { newAgeKeyPair, stockOutput } from '../harness/stock.ts';
import { describeReal, toolPath } from '../harness/real.ts';
import { createWorld, eventually, secret, settingsText, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen', 'age'] as const;

describeReal('sotto rotate --reason compromised', TOOLS, () => {
  let world: World;
  let agent: RunningAgent;
  let person: ServiceAccountAccess;
  let checkout: Checkout;
  let first: string;
  /** The inventory from before anything was exposed. */
  let before: string;

  const run = (...words: readonly string[]): Promise<CliResult> => checkout.run(...words);
  const expose = (key: string): Promise<CliResult> => run('rotate', 'expose', key, '--reason', 'seen in a log');
  const untilOpen = (...open: readonly string[]): Promise<Json> =>
    world.until(`these are open: ${open.join(', ')}`, areOpen(...open));
  const recipient = async (): Promise<string> => {
    const status = await world.status();
    return (
      stringAt(
        arrayAt(status, 'keys').find((key) => stringAt(key, 'state') === 'active'),
        'id',
      ) ?? ''
    );
  };
  const metric = async (): Promise<string | undefined> =>
    /^sotto_exposed_values (\d+)$/m.exec(await (await listenerOf(agent)).text('/metrics'))?.[1];

  const inventoryPath = (): string => configMapPath(world.namespace, 'sotto-inventory');

  beforeAll(async () => {
    world = await createWorld();
    person = await world.own.plane.createServiceAccount(world.namespace, 'kim', ROTATOR);
    const db = secret('db', { password: world.value(0), user: world.value(1) });
    const files = {
      'deploy/db.yaml': await world.sops(JSON.stringify(db), 'db.yaml'),
      '.sops.yaml': `creation_rules:\n- encrypted_regex: ^(data|stringData)$\n  age: ${world.recipient}\n`,
    };
    first = await world.repository.commit(files, 'first');
    const api = secret('api', { token: world.value(2) });
    const second = { 'deploy/api.yaml': await world.sops(JSON.stringify(api), 'api.yaml') };
    const commit = await world.repository.commit(second, 'another');
    agent = await world.start();
    await untilTried(world, commit);
    before = stringAt(await world.get(inventoryPath()), 'binaryData', 'inventory') ?? '';
    checkout = clone(world, person);
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  test('the plan lists every value with the commit since which the key could open it, and asks nobody to follow it', async () => {
    const { exit, stdout, stderr } = await run(
      'rotate',
      '--new-secret',
      '--reason',
      'compromised',
      '--plan',
      '-o',
      'json',
    );
    expect({ exit, stderr }).toMatchObject({ exit: 0 });
    const report = parseJson(stdout);
    expect(report).toMatchObject({ exposure: { key: world.recipient, total: 3 } });
    expect(arrayAt(report, 'exposure', 'values')).toMatchObject([
      { file: 'deploy/api.yaml', key: 'stringData.token', certainty: 'first' },
      { file: 'deploy/db.yaml', key: 'stringData.password', since: { commit: first }, certainty: 'first' },
      { file: 'deploy/db.yaml', key: 'stringData.user', since: { commit: first } },
    ]);
    expect(exposures((await world.status()) ?? null)).toEqual([]);
  });

  test('before anything has another key the agent follows what the old one could open, and says so', async () => {
    const { exit, stdout, stderr } = await run(
      'rotate',
      '--new-secret',
      '--reason',
      'compromised: a laptop',
      '--push',
      '--yes',
    );
    expect({ exit, stderr }).toMatchObject({ exit: 0 });
    expect(stdout).toMatch(/deploy\/db\.yaml +stringData\.password +\d{4}-\d\d-\d\d +[0-9a-f]{12} /);
    expect(stderr).toContain('the old key can open 3 values of 2 files as they are now\n');
    expect(stderr).toContain('note: 3 values have to change');
    expect(checkout.git('log', '-1', '--format=%B')).toContain('Reason: compromised: a laptop\n');
    const status = await untilOpen(
      'deploy/api.yaml stringData.token',
      'deploy/db.yaml stringData.password',
      'deploy/db.yaml stringData.user',
    );
    expect(exposures(status)).toMatchObject([
      { key: world.recipient, reason: 'compromised: a laptop', total: 3, accepted: 0, open: 3 },
    ]);
    expect(stringAt(exposures(status)[0], 'by')).toContain('kim');
    const shown = await run('status');
    expect(shown.stdout).toContain(`Exposed: 3 of 3 values are as ${world.recipient} could open them`);
    expect(shown.stdout).toContain('next: sotto secret set deploy/api.yaml stringData.token');
    expect(await metric()).toBe('3');
  });

  test('it is known after a restart, and encrypting the same value anew closes nothing', async () => {
    await agent.stop();
    agent = await world.start();
    const same = await encrypt('api.yaml', secret('api', { token: world.value(2) }), await recipient());
    await untilTried(world, await world.repository.commit({ 'deploy/api.yaml': same }, 'encrypted anew'));
    await untilOpen(
      'deploy/api.yaml stringData.token',
      'deploy/db.yaml stringData.password',
      'deploy/db.yaml stringData.user',
    );
  });

  test.each(['an older one', 'damaged'])('it is known when the inventory is %s', async (what) => {
    await agent.stop();
    const inventory = what === 'damaged' ? 'AAAA' : before;
    const patch = { binaryData: { inventory } };
    await world.own.plane.admin('PATCH', inventoryPath(), patch, 'application/merge-patch+json');
    agent = await world.start(['--take-over']);
    await untilTried(world, await world.repository.commit({ 'deploy/readme.md': what }, 'something else'));
    const status = await untilOpen(
      'deploy/api.yaml stringData.token',
      'deploy/db.yaml stringData.password',
      'deploy/db.yaml stringData.user',
    );
    expect(isLost(status)).toBe(false);
    expect(await metric()).toBe('3');
  });

  test('a value that is another one is closed; one that moves to another file and key is followed', async () => {
    const db = await encrypt(
      'db.yaml',
      secret('db', { password: world.value(3), user: world.value(1) }),
      await recipient(),
    );
    await world.repository.commit({ 'deploy/db.yaml': db }, 'another password');
    await untilOpen('deploy/api.yaml stringData.token', 'deploy/db.yaml stringData.user');
    const moved = await encrypt('moved.yaml', secret('moved', { key: world.value(2) }), await recipient());
    await world.repository.commit({ 'deploy/api.yaml': null, 'deploy/moved.yaml': moved }, 'moved');
    await untilOpen('deploy/db.yaml stringData.user', 'deploy/moved.yaml stringData.key');
  });

  test('somebody may say that a value stays as it is; what is not exposed is not accepted', async () => {
    const wrong = await run('rotate', 'accept', 'deploy/db.yaml', 'stringData.password', '--reason', 'a slip');
    expect(wrong).toMatchObject({ exit: 1, stdout: expect.stringContaining('SOTTO-ROTATE-052') as string });
    const { exit, stdout } = await run('rotate', 'accept', 'deploy/db.yaml', 'stringData.user', '--reason', 'a name');
    expect({ exit, stdout }).toMatchObject({ exit: 0, stdout: 'done: 1 accepted as they are; 1 are to be changed\n' });
    const status = await untilOpen('deploy/moved.yaml stringData.key');
    expect(exposures(status)).toMatchObject([{ total: 3, accepted: 1, open: 1 }]);
  });

  test('what somebody wrote into the ConfigMap is not trusted and is said to be so, until it is back or settled', async () => {
    await agent.stop();
    const path = configMapPath(world.namespace, 'sotto-exposure');
    const kept = stringAt(await world.get(path), 'binaryData', 'exposed') ?? '';
    const write = (exposed: string): Promise<unknown> =>
      world.own.plane.admin('PATCH', path, { binaryData: { exposed } }, 'application/merge-patch+json');
    const forged = Buffer.from(kept, 'base64');
    forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
    await write(forged.toString('base64'));
    agent = await world.start();
    const lost = await world.until('it cannot be told', isLost);
    expect(exposures(lost)).toEqual([]);
    await agent.stop();
    await write(kept);
    agent = await world.start();
    const back = await untilOpen('deploy/moved.yaml stringData.key');
    expect(isLost(back)).toBe(false);

    await agent.stop();
    await world.own.plane.admin('DELETE', path);
    agent = await world.start();
    await world.until('it cannot be told', isLost);
    expect((await run('status')).stdout).toContain('SOTTO-ROTATE-050');
    expect(await run('rotate', 'accept', '--all', '--reason', 'all are changed')).toMatchObject({ exit: 0 });
    await world.until('it is settled', (status) => !isLost(status));
  });

  test('a key can be named without a rotation; when all is changed nothing is left, also after a restart', async () => {
    const key = await recipient();
    const reader = await newAgeKeyPair();
    const both = await encrypt('moved.yaml', secret('moved', { key: world.value(2) }), `${key},${reader.recipient}`);
    await untilTried(world, await world.repository.commit({ 'deploy/moved.yaml': both }, 'for one more'));
    expect(await expose(reader.recipient)).toMatchObject(done(1));
    expect(await expose(key)).toMatchObject(done(3));
    // Said twice, it is the same three; and what another key could open is followed beside.
    expect(await expose(key)).toMatchObject(done(3));
    const followed = exposures((await world.status()) ?? null);
    const placed = { file: 'deploy/moved.yaml', key: 'stringData.key' };
    const all = [
      { file: 'deploy/db.yaml', key: 'stringData.password' },
      { file: 'deploy/db.yaml', key: 'stringData.user' },
      placed,
    ];
    expect(followed).toHaveLength(2);
    expect(followed).toContainEqual(expect.objectContaining({ key: reader.recipient, total: 1, values: [placed] }));
    expect(followed).toContainEqual(expect.objectContaining({ key, total: 3, values: all }));
    const db = await encrypt('db.yaml', secret('db', { password: world.value(4), user: world.value(5) }), key);
    const moved = await encrypt('moved.yaml', secret('moved', { key: world.value(6) }), key);
    await world.repository.commit({ 'deploy/db.yaml': db, 'deploy/moved.yaml': moved }, 'all are other ones');
    await world.until('nothing is exposed', (status) => exposures(status).length === 0);
    await eventually('the metric says so', async () => ((await metric()) === '0' ? true : undefined));
    await agent.stop();
    agent = await world.start();
    const commit = await world.repository.commit(await world.canaryFile(), 'something else');
    await untilTried(world, commit);
    expect(exposures((await world.status()) ?? null)).toEqual([]);
    await agent.stop();
  });
});

describeReal('an exposed SealedSecret', [...TOOLS, 'kubeseal', 'kustomize'], () => {
  test('is told with the sealing key that opens it, and followed over a change of the fingerprint key into a kustomization', async () => {
    await using world = await createWorld({ top: 'sealing: { enabled: true }' });
    const person = await world.own.plane.createServiceAccount(world.namespace, 'kim', ROTATOR);
    await world.repository.commit(await world.canaryFile(), 'first');
    await using agent = await world.start();
    const status = await world.until('a key', (each) => stringAt(each, 'sealing', 'fingerprint') !== undefined);
    const old = stringAt(status, 'sealing', 'fingerprint') ?? '';
    const certificate = join(world.folder, 'old.pem');
    writeFileSync(certificate, await (await listenerOf(agent)).text('/v1/cert.pem'));
    const args = ['--cert', certificate, '--namespace', world.namespace, '--format', 'yaml'];
    const manifest = JSON.stringify(secret('db', { password: world.value(0), user: world.value(1) }));
    const sealed = (await stockOutput('kubeseal', args, { stdin: manifest })).toString();
    await untilTried(world, await world.repository.commit({ 'deploy/db.yaml': sealed }, 'sealed'));
    const checkout = clone(world, person);
    const rotated = await checkout.run('rotate', '--new-sealing', '--reason', 'compromised', '--push', '--yes');
    expect(rotated).toMatchObject({ exit: 0, stdout: expect.stringMatching(/db\.yaml +password +/) as string });
    const followed = await world.until('both', areOpen('deploy/db.yaml password', 'deploy/db.yaml user'));
    expect(exposures(followed)).toMatchObject([{ key: old, total: 2 }]);

    const changed = await checkout.run('rotate', '--fingerprint', '--yes');
    expect(changed).toMatchObject({ exit: 0 });
    await agent.stop();
    const path = [dirname(toolPath('kustomize')), process.env['PATH'] ?? ''].join(delimiter);
    await using next = await world.start([], { env: { PATH: path } });
    // From a SealedSecret into an env file that kustomize makes a Secret of: one value is the same, one is another.
    const env = await world.sops(`PASSWORD=${world.value(0)}\nNAME=${world.value(2)}\n`, 'db.env', []);
    const files = {
      'deploy/db.yaml': null,
      'deploy/db.env': env,
      'deploy/kustomization.yaml': 'resources: [canary.json]\nsecretGenerator:\n- name: db\n  envs: [db.env]\n',
    };
    await world.repository.commit(files, 'by kustomize');
    await world.until('one is left', areOpen('deploy/db.env PASSWORD'));
    await next.stop();
  });
});

interface Unfollowed {
  readonly checkout: Checkout;
  readonly keys: () => Promise<number>;
  /** What a rotation changes: none of it has. */
  readonly expectNothingRotated: () => Promise<void>;
}

async function sceneIn(world: World, agent: RunningAgent): Promise<Unfollowed> {
  const kim = await world.own.plane.createServiceAccount(world.namespace, 'kim', ROTATOR);
  const checkout = clone(world, kim);
  const head = checkout.git('rev-parse', 'HEAD').trim();
  return {
    checkout,
    keys: async () => {
      const selector = encodeURIComponent('sotto.dev/use=keys');
      const path = `/api/v1/namespaces/${world.namespace}/secrets?labelSelector=${selector}`;
      return arrayAt(await world.get(path), 'items').length;
    },
    expectNothingRotated: async () => {
      expect(checkout.git('rev-parse', 'HEAD').trim()).toBe(head);
      expect(checkout.git('status', '--porcelain')).toBe('');
      expect(existsSync(join(checkout.folder, '.git/sotto-rotate'))).toBe(false);
      const branches = await world.repository.git(['for-each-ref', '--format=%(refname:short) %(objectname)']);
      expect(branches.toString().trim()).toBe(`main ${head}`);
      const old = await world.get(secretPath(world.namespace, 'sops-age'));
      expect(stringAt(old, 'metadata', 'annotations', 'sotto.dev/state')).toBeUndefined();
      expect(exposures((await world.status()) ?? null)).toEqual([]);
      expect(agent.log.filter(({ msg }) => msg === 'a rotation was pushed')).toEqual([]);
    },
  };
}

const rulesFor = (world: World): string =>
  `creation_rules:\n- encrypted_regex: ^(data|stringData)$\n  age: ${world.recipient}\n`;

describeReal('sotto rotate --reason compromised, where the agent cannot follow the values', TOOLS, () => {
  test('a sync has made no pass: neither runner rotates anything, and the same command does once it has', async () => {
    await using world = await createWorld();
    await allowPushing(world).secret();
    const url = world.git.url(world.repository);
    const source = `{ git: { url: "${url}", ref: { branch: later }, secretRef: { name: git-auth }, interval: 1s } }`;
    await world.settings(settingsText(url, { sync: `- { name: other, path: ./other, source: ${source} }` }));
    const db = await world.sops(JSON.stringify(secret('db', { password: world.value(0) })), 'db.yaml');
    const files = { 'deploy/db.yaml': db, '.sops.yaml': rulesFor(world), 'other/note.txt': 'nothing\n' };
    const commit = await world.repository.commit(files, 'first');
    await using agent = await world.start();
    await untilTried(world, commit);
    const { checkout, keys, expectNothingRotated } = await sceneIn(world, agent);
    const why = 'sync other has made no pass';
    const flags = ['--reason', 'compromised', '--yes'];

    const inCluster = await checkout.run('rotate', '--in-cluster', '--sync', 'app', ...flags);
    // There it is the agent that follows, and its answer that says why it does not.
    expect(inCluster).toMatchObject({ exit: 1, stdout: expect.stringContaining('SOTTO-ROTATE-051') as string });
    expect(inCluster.stdout).toContain(why);
    expect(await keys()).toBe(0);
    await expectNothingRotated();

    const local = await checkout.run('rotate', '--new-secret', '--push', ...flags);
    expect(local).toMatchObject({ exit: 3, stderr: expect.stringContaining('SOTTO-ROTATE-051') as string });
    expect(local.stderr).toContain(why);
    const made = await keys();
    await expectNothingRotated();

    await world.settings(settingsText(url));
    await world.until('the sync is gone', (status) => arrayAt(status, 'syncs').length === 1);
    const again = await checkout.run('rotate', '--new-secret', '--push', ...flags);
    expect(again).toMatchObject({ exit: 0 });
    expect([made, await keys()]).toEqual([1, 1]);
    await world.until('it is followed', areOpen('deploy/db.yaml stringData.password'));
    await agent.stop();
  });

  test('there are more values than are followed: nothing is rotated', async () => {
    await using world = await createWorld();
    const entries = Array.from({ length: 5_001 }, (_, at) => [`k${at}`, `v${at}`] as const);
    const files = {
      ...(await world.canaryFile()),
      'deploy/many.json': await world.sops(JSON.stringify(secret('many', Object.fromEntries(entries))), 'many.json'),
      '.sops.yaml': rulesFor(world),
    };
    const commit = await world.repository.commit(files, 'first');
    await using agent = await world.start();
    await untilTried(world, commit);
    const { checkout, expectNothingRotated } = await sceneIn(world, agent);
    const refused = await checkout.run('rotate', '--new-secret', '--reason', 'compromised', '--push', '--yes');
    expect({ exit: refused.exit, stderr: refused.stderr }).toMatchObject({
      exit: 3,
      stderr: expect.stringContaining('SOTTO-ROTATE-051') as string,
    });
    expect(refused.stderr).toContain('more than 5000 values');
    await expectNothingRotated();
    await agent.stop();
  });
});

/** The answer to a key of which so many values are followed. */
function done(open: number): object {
  return { exit: 0, stdout: expect.stringContaining(`done: ${open} value${open === 1 ? '' : 's'} that`) as string };
}

function exposures(status: Json): readonly Json[] {
  return arrayAt(status, 'exposures');
}

function places(status: Json): string[] {
  return exposures(status).flatMap((exposure) =>
    arrayAt(exposure, 'values').map((value) => `${stringAt(value, 'file') ?? ''} ${stringAt(value, 'key') ?? ''}`),
  );
}

function areOpen(...open: readonly string[]): (status: Json) => boolean {
  return (status) => places(status).join('\n') === open.join('\n');
}

function isLost(status: Json): boolean {
  return arrayAt(status, 'syncs').some((sync) =>
    arrayAt(sync, 'attention').some((item) => stringAt(item, 'code') === 'SOTTO-ROTATE-050'),
  );
}

/** As somebody encrypts it who has pulled. */
async function encrypt(file: string, manifest: Json, to: string): Promise<string> {
  const args = ['--encrypted-regex', '^(data|stringData)$', '--age', to, '--filename-override', file];
  return (await stockOutput('sops', ['encrypt', ...args], { stdin: JSON.stringify(manifest) })).toString();
}
