import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { lastKeys, openPart } from '../../src/agent/last-parts.ts';
import { arrayAt, type Json, type JsonObject, memberAt, numberAt, parseJson, stringAt } from '../../src/core/json.ts';
import { Sensitive } from '../../src/core/sensitive.ts';
import type { PolicyRule } from '../../src/demo/control-plane.ts';
import { type FingerprintKey, fingerprintId, fingerprintKey, keyedDigest } from '../../src/keys/fingerprint.ts';
import { receiptSigner } from '../../src/keys/receipt-key.ts';
import { decodeInventory } from '../../src/plan/inventory.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { passed } from '../harness/attention.ts';
import { clone } from '../harness/checkout.ts';
import { rulesOf } from '../harness/deploy.ts';
import { startFaultProxy } from '../harness/fault-proxy.ts';
import { configMapPath, editByHand, remove, secretPath } from '../harness/objects.ts';
import { personIn } from '../harness/person.ts';
import { describeReal, toolPath } from '../harness/real.ts';
import { requestsFromNow, shown } from '../harness/requests.ts';
import { bindAgent, forbidden } from '../harness/rights.ts';
import { rolledOut } from '../harness/rollout.ts';
import { newAgeKeyPair } from '../harness/stock.ts';
import { createWorld, eventually, secret, syncOf, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen', 'age', 'kustomize'] as const;
const STAMP = 'sotto.dev/secrets-digest';
const WORKLOADS = ['refers', 'stamped', 'wished', 'plain'] as const;
type Workload = (typeof WORKLOADS)[number];

/** Reads one Secret. */
function deployment(name: Workload, reads: string, wish: boolean): string {
  const labels = { app: name };
  const containers = [{ name: 'c', image: 'example.com/c:1', envFrom: [{ secretRef: { name: reads } }] }];
  const spec = { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } };
  const annotations: JsonObject = wish ? { 'sotto.dev/restart-on-change': 'true' } : {};
  return JSON.stringify({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, annotations }, spec });
}

const KUSTOMIZATION = `resources: [db.json, refers.json, stamped.json, wished.json, plain.json]
secretGenerator:
- name: app
  envs: [app.env]
configMapGenerator:
- name: open
  literals: [color=blue]
`;

/** One workload of each sort: what refers to a generated name, what was restarted once, and what was not. */
async function filesOf(world: World): Promise<Record<string, string>> {
  return {
    'deploy/kustomization.yaml': KUSTOMIZATION,
    'deploy/app.env': await world.sops(`TOKEN=${world.value(1)}\n`, 'app.env', []),
    'deploy/db.json': await dbOf(world, 0),
    'deploy/refers.json': deployment('refers', 'app', false),
    'deploy/stamped.json': deployment('stamped', 'db', true),
    'deploy/wished.json': deployment('wished', 'missing', true),
    'deploy/plain.json': deployment('plain', 'db', false),
  };
}

const dbOf = async (world: World, index: number): Promise<string> =>
  world.sops(JSON.stringify(secret('db', { password: world.value(index) })), 'db.json');

const pathOf = (world: World, name: string): string =>
  `/apis/apps/v1/namespaces/${world.namespace}/deployments/${name}`;

async function generations(world: World): Promise<Record<string, number | undefined>> {
  const found = WORKLOADS.map(async (name) => {
    const live = await world.get(pathOf(world, name));
    return [name, numberAt(live, 'metadata', 'generation')] as const;
  });
  return Object.fromEntries(await Promise.all(found));
}

async function stampOf(world: World, name: Workload): Promise<string | undefined> {
  return stringAt(await world.get(pathOf(world, name)), 'spec', 'template', 'metadata', 'annotations', STAMP);
}

async function settleRollouts(world: World): Promise<void> {
  for (const name of WORKLOADS) await rolledOut(world, pathOf(world, name));
}

async function generatedNames(world: World): Promise<string[]> {
  const list = await world.get(`/api/v1/namespaces/${world.namespace}/secrets`);
  const names = arrayAt(list, 'items').map((item) => stringAt(item, 'metadata', 'name') ?? '');
  return names.filter((name) => name.startsWith('app-')).toSorted();
}

/** The entries of the fingerprint Secret, in base64. */
async function entriesOf(world: World): Promise<Record<string, string>> {
  const live = await world.get(secretPath(world.namespace, 'sotto-fingerprint'));
  return Object.fromEntries(Object.entries(memberAt(live, 'data') ?? {}).map(([name, text]) => [name, String(text)]));
}

async function keyIn(world: World): Promise<FingerprintKey> {
  return fingerprintKey(Sensitive.copyOf(Buffer.from((await entriesOf(world))['key'] ?? '', 'base64')));
}

/** A world in which one workload was restarted by a changed value, and everything has rolled out. */
async function rolling(world: World): Promise<{ agent: RunningAgent; commit: string }> {
  const first = await world.repository.commit(await filesOf(world), 'first');
  const agent = await world.start();
  await passed(agent, first);
  const commit = await world.repository.commit({ 'deploy/db.json': await dbOf(world, 2) }, 'another value');
  await passed(agent, commit);
  await settleRollouts(world);
  return { agent, commit };
}

/** Everything that was made with the key is made with this one. */
async function expectAllMadeWith(world: World, key: FingerprintKey): Promise<void> {
  const stored = await world.get(configMapPath(world.namespace, 'sotto-inventory'));
  const entry = Buffer.from(stringAt(stored, 'binaryData', 'inventory') ?? '', 'base64');
  const inventory = decodeInventory(entry, (bytes) => keyedDigest(key, 'inventory', world.namespace, bytes));
  expect(inventory?.rows.size).toBeGreaterThan(5);
  expect(stringAt(stored, 'metadata', 'annotations', 'sotto.dev/fingerprint')).toBe(fingerprintId(key));
  const status = await world.get(configMapPath(world.namespace, 'sotto-status'));
  const signed = keyedDigest(key, 'status', Buffer.from(stringAt(status, 'data', 'status.json') ?? ''));
  expect(stringAt(status, 'metadata', 'annotations', 'sotto.dev/signature')).toBe(signed.toString('base64'));
  expect(stringAt(await world.status(), 'receipts', 'publicKey')).toBe(receiptSigner(key).name);
  const last = inventory?.last['app'];
  expect(last?.parts.length).toBeGreaterThan(0);
  for (const { at, id } of last?.parts ?? []) {
    const part = await world.get(configMapPath(world.namespace, `sotto-last-${at}`));
    const bytes = Buffer.from(stringAt(part, 'binaryData', 'objects') ?? '', 'base64');
    const place = { sync: 'app', version: last?.version ?? '', id };
    expect(openPart(bytes, lastKeys(key, world.namespace), place)).toBeDefined();
  }
}

/** What docs/rotation.md says of who keeps the keys. */
const KEEPER: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list', 'create', 'patch'] },
  { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'watch', 'patch', 'create'] },
];

describeReal('sotto rotate --fingerprint', TOOLS, () => {
  beforeAll(() => {
    process.env['PATH'] = [dirname(toolPath('kustomize')), process.env['PATH'] ?? ''].join(delimiter);
  });

  test('says what it restarts, restarts exactly that, and leaves nothing made with the former key', async () => {
    await using world = await createWorld();
    const { agent, commit } = await rolling(world);
    const person = await personIn(world);
    const [before, entries, names] = [await generations(world), await entriesOf(world), await generatedNames(world)];
    expect(await stampOf(world, 'stamped')).toMatch(/^[0-9a-f]{64}$/);
    expect(await stampOf(world, 'wished')).toBeUndefined();
    expect([Object.keys(entries), names.length]).toEqual([['key'], 1]);

    const planned = await person.sotto(['rotate', '--fingerprint', '--plan', '-o', 'json']);
    expect(planned).toMatchObject({ exit: 0, stderr: '' });
    expect(parseJson(planned.stdout)).toMatchObject({
      schema: 'sotto.dev/fingerprint-plan/v1alpha1',
      restarts: [
        { object: 'apps/Deployment/refers', why: 'it refers to what is renamed' },
        { object: 'apps/Deployment/stamped', why: 'its Pods carry the digest of what they read' },
      ],
      renames: [`Secret/${names[0]}`],
      changes: [],
      holds: [],
    });
    const unasked = await person.sotto(['rotate', '--fingerprint']);
    expect(unasked).toMatchObject({ exit: 2, stderr: expect.stringContaining('SOTTO-CLI-060') as string });
    expect(unasked.stdout).toContain('workloads whose Pods are replaced: 2\n  apps/Deployment/refers: it refers');
    expect([await generations(world), await entriesOf(world)]).toEqual([before, entries]);

    const done = await person.sotto(['rotate', '--fingerprint', '--yes']);
    expect(done.stdout + done.stderr).toContain('done: nothing made with the former key is left');
    expect(done).toMatchObject({ exit: 0, stderr: expect.stringContaining('sotto keys backup') as string });
    const after = await generations(world);
    expect(after).toEqual({ ...before, refers: (before['refers'] ?? 0) + 1, stamped: (before['stamped'] ?? 0) + 1 });
    const now = await entriesOf(world);
    expect(Object.keys(now)).toEqual(['key']);
    expect(now['key']).not.toBe(entries['key']);
    const key = await keyIn(world);
    await expectAllMadeWith(world, key);

    await settleRollouts(world);
    const renamed = await eventually('the old name is pruned', async () => {
      const left = await generatedNames(world);
      return left.length === 1 ? left : undefined;
    });
    expect(renamed).not.toEqual(names);

    await agent.kill('SIGTERM');
    await using second = await world.start();
    expect(await passed(second, commit)).toMatchObject({ applied: 0, pruned: 0, refused: 0 });
    await settleRollouts(world);
    expect(await generations(world)).toEqual(after);
    for (const { log } of [agent, second]) expect(log.filter(({ level }) => level === 'error')).toEqual([]);
    const written = [...agent.log, ...second.log].map((line) => JSON.stringify(line)).join('\n');
    const maps = JSON.stringify(await world.get(`/api/v1/namespaces/${world.namespace}/configmaps`));
    for (const text of [entries['key'], now['key']]) expect(written + maps).not.toContain(text);
  });

  test('is not made where a commit has made another plan of what was shown, and then nothing is changed', async () => {
    await using world = await createWorld();
    const { agent } = await rolling(world);
    const person = await personIn(world);
    const plan = async (): Promise<Json> =>
      parseJson((await person.sotto(['rotate', '--fingerprint', '--plan', '-o', 'json'])).stdout) ?? null;
    const seen = await plan();
    const [before, entries, names] = [await generations(world), await entriesOf(world), await generatedNames(world)];
    const more = KUSTOMIZATION.replace('configMapGenerator:', '- name: more\n  envs: [app.env]\nconfigMapGenerator:');
    await passed(agent, await world.repository.commit({ 'deploy/kustomization.yaml': more }, 'one more'));
    await ask(world, 1, stringAt(seen, 'planId') ?? '');
    const said = await agent.line('the answer', ({ msg, id }) => msg === 'request answered' && id === 'fingerprint-1');
    expect(said).toMatchObject({
      outcome: 'refused',
      message: expect.stringContaining('SOTTO-ROTATE-072') as string,
    });
    expect([await generations(world), await entriesOf(world), await generatedNames(world)]).toEqual([
      before,
      entries,
      names,
    ]);
    const now = await plan();
    expect(stringAt(now, 'planId')).not.toBe(stringAt(seen, 'planId'));
    expect([arrayAt(seen, 'renames').length, arrayAt(now, 'renames').length]).toEqual([1, 2]);
    await agent.stop();
  });

  test('goes on after SIGKILL at every write, and restarts nothing twice', { timeout: 540_000 }, async () => {
    await using world = await createWorld();
    const { plane, account } = world.own;
    await using proxy = await startFaultProxy({ access: plane.access, kubeconfigPath: account.kubeconfigPath });
    const through = { kubeconfig: proxy.kubeconfigPath };
    const { agent: first, commit } = await rolling(world);
    await first.kill('SIGTERM');
    const person = await personIn(world);
    let agent = await world.start([], through);
    await passed(agent, commit);
    const killed: string[] = [];
    let round = 1;
    for (; round < MOST; round += 1) {
      const plan = parseJson((await person.sotto(['rotate', '--fingerprint', '--plan', '-o', 'json'])).stdout);
      const [before, entries, names] = [await generations(world), await entriesOf(world), await generatedNames(world)];
      let [writes, ofSecret, isKilled] = [0, 0, false];
      const dying = agent;
      proxy.setFault(({ method, path }) => {
        if (isKilled) return { kind: 'hang' };
        if (method === 'GET' || path.includes('/events')) return undefined;
        writes += 1;
        if (path.includes(SECRET)) ofSecret += 1;
        // The two writes of the Secret first, whatever else is written meanwhile; then one after the other.
        const isDue = round <= 2 ? ofSecret === round : writes === round - 2;
        if (!isDue) return undefined;
        isKilled = true;
        killed.push(`${method} ${path.replace(/\?.*/, '').split('/').slice(-2).join('/')}`);
        setTimeout(() => void dying.kill('SIGKILL'), 60);
        return { kind: 'cut', afterForward: true };
      });
      await ask(world, round, stringAt(plan, 'planId') ?? '');
      const finished = agent
        .line('the end', ({ msg, id }) => msg === 'request answered' && id === `fingerprint-${round}`)
        .catch(() => undefined);
      await Promise.race([agent.ended(), finished]);
      await agent.kill('SIGKILL');
      proxy.setFault(() => undefined);

      agent = await world.start(['--take-over'], through);
      const where = `killed at ${killed.at(-1)}`;
      const now = await eventually(`one key is left, ${where}`, async () => {
        const found = await entriesOf(world);
        return found['previous'] === undefined && found['key'] !== entries['key'] ? found : undefined;
      });
      expect(Object.keys(now)).toEqual(['key']);
      await settleRollouts(world);
      await eventually(`one name is left, ${where}`, async () => {
        const left = await generatedNames(world);
        return left.length === 1 && left[0] !== names[0] ? true : undefined;
      });
      await eventually(`everything is made with it, ${where}`, async () => {
        const said = await world.status();
        return stringAt(said, 'fingerprint', 'id') === fingerprintId(await keyIn(world)) ? true : undefined;
      });
      await expectAllMadeWith(world, await keyIn(world));
      const [refers, stamped] = ['refers', 'stamped'].map((name) => (before[name] ?? 0) + 1);
      expect(await generations(world), where).toEqual({ ...before, refers, stamped });
      expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
      if (!isKilled) break;
    }
    // It ended because a change has fewer writes than that, each of which was met once.
    expect(round).toBeGreaterThan(8);
    expect(round).toBeLessThan(MOST);
    expect(killed.slice(0, 2)).toEqual([`PATCH ${SECRET}`, `PATCH ${SECRET}`]);
    await agent.kill('SIGTERM');
  });

  test('an older backup is refused, and another key in the Secret is noticed while the agent runs and at its start', async () => {
    await using world = await createWorld();
    const { agent, commit } = await rolling(world);
    const keeper = await world.own.plane.createServiceAccount(world.namespace, 'kim', KEEPER);
    const checkout = clone(world, keeper);
    const run = (...words: readonly string[]) => checkout.run(...words);
    const recovery = await newAgeKeyPair();
    const keyFile = join(world.folder, 'recovery.txt');
    writeFileSync(keyFile, `${recovery.identity}\n`);
    const [older, newer] = ['older.age', 'newer.age'].map((name) => join(world.folder, name)) as [string, string];
    const backUp = (out: string) => run('keys', 'backup', '--recipient', recovery.recipient, '--out', out);
    const restore = (from: string) => run('keys', 'restore', from, '--key-file', keyFile, '--yes');
    const fingerprint = secretPath(world.namespace, 'sotto-fingerprint');
    const untilSays = (says: boolean) =>
      world.until(`SOTTO-KEYS-101: ${says}`, (status) => codesIn(status).includes('SOTTO-KEYS-101') === says);
    expect(await backUp(older)).toMatchObject({ exit: 0 });
    expect(await run('rotate', '--fingerprint', '--yes')).toMatchObject({ exit: 0 });
    expect(await backUp(newer)).toMatchObject({ exit: 0 });
    expect(await restore(older)).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining('SOTTO-KEYS-067') as string,
    });

    await remove(world, fingerprint);
    await untilSays(true);
    const refused = await run('rotate', '--fingerprint', '--yes');
    expect(refused.stdout).toContain('SOTTO-KEYS-101');
    expect(await restore(older)).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining('SOTTO-KEYS-102') as string,
    });
    expect(await world.get(fingerprint)).toBeUndefined();
    expect(await restore(newer)).toMatchObject({ exit: 0 });
    await untilSays(false);

    const right = (await entriesOf(world))['key'] ?? '';
    await editByHand(world, fingerprint, { data: { key: Buffer.alloc(32, 7).toString('base64') } });
    await untilSays(true);
    await agent.kill('SIGTERM');
    const before = await generations(world);
    await using second = await world.start();
    expect(await second.ended()).not.toBe(0);
    expect(second.output()).toContain('SOTTO-KEYS-100');
    expect(await generations(world)).toEqual(before);
    await editByHand(world, fingerprint, { data: { key: right } });
    await using third = await world.start();
    expect(await passed(third, commit)).toMatchObject({ applied: 0, pruned: 0, refused: 0 });
  });

  test('is refused while something is paused; a plan that its new names make too large waits, and the former key with it', async () => {
    await using world = await createWorld({ sync: '  prune: { minimum: 1, maxShare: 5% }' });
    const { agent, commit } = await rolling(world);
    const person = await personIn(world);
    await person.sotto(['pause', 'deploy/plain', '--for', '1h', '--reason', 'looking']);
    const paused = await person.sotto(['rotate', '--fingerprint', '--plan']);
    expect(paused).toMatchObject({ exit: 1, stdout: expect.stringMatching(/^refused: .*SOTTO-ROTATE-070/) as string });
    await person.sotto(['resume', 'deploy/plain']);
    const before = await generations(world);
    const planned = await person.sotto(['rotate', '--fingerprint', '--plan']);
    expect(planned.stdout).toMatch(/^sync app will wait for sotto approve, .*prune\.maxShare/m);
    const changed = await person.sotto(['rotate', '--fingerprint', '--yes']);
    expect(changed).toMatchObject({
      exit: 1,
      stdout: expect.stringContaining('the former one is still needed') as string,
    });
    expect(Object.keys(await entriesOf(world)).toSorted()).toEqual(['key', 'previous']);
    expect(await generations(world)).toEqual(before);
    const again = await person.sotto(['rotate', '--fingerprint', '--plan']);
    expect(again.stdout).toContain('SOTTO-ROTATE-071');
    await world.until('the note', (each) => codesIn(each).includes('SOTTO-KEYS-103'));
    await agent.kill('SIGKILL');

    await using second = await world.start(['--take-over']);
    await passed(second, commit);
    expect(Object.keys(await entriesOf(world)).toSorted()).toEqual(['key', 'previous']);
    const status = await world.until('it is held', (each) => arrayAt(syncOf(each), 'pending').length > 0);
    const [pending] = arrayAt(syncOf(status), 'pending');
    // The status is the first agent's until the second one has written its own.
    await eventually('it is approved', async () => {
      const { stdout, stderr } = await person.sotto(['approve', stringAt(pending, 'planId') ?? '', '--yes']);
      return (stdout + stderr).includes('SOTTO-PLAN-042') ? undefined : true;
    });
    await settleRollouts(world);
    await eventually(
      'the former key goes',
      async () => ((await entriesOf(world))['previous'] === undefined ? true : undefined),
      async () => JSON.stringify(await world.status()),
    );
    await expectAllMadeWith(world, await keyIn(world));
    const stamped = (before['stamped'] ?? 0) + 1;
    expect(await generations(world)).toEqual({ ...before, refers: (before['refers'] ?? 0) + 1, stamped });
  });

  test('takes no more rights than the two Roles of a split install give', async () => {
    const target = `target-${randomBytes(4).toString('hex')}`;
    const rules = rulesOf('deploy/overlays/split/agent/role.yaml');
    await using world = await createWorld({ rules, top: `targetNamespace: ${target}` });
    await world.own.plane.createNamespace(target);
    await bindAgent(world, target, rulesOf('deploy/overlays/split/target/role.yaml'));
    const log = await requestsFromNow(world);
    const commit = await world.repository.commit(await world.canaryFile(), 'first');
    await using agent = await world.start();
    await passed(agent, commit);
    const before = await entriesOf(world);
    const person = await personIn(world);
    const done = await person.sotto(['rotate', '--fingerprint', '--yes']);
    expect(done).toMatchObject({ exit: 0, stdout: expect.stringContaining('done: ') as string });
    const now = await entriesOf(world);
    expect(Object.keys(now)).toEqual(['key']);
    expect(now['key']).not.toBe(before['key']);
    expect(shown(forbidden(await log.entries()))).toEqual([]);
  });
});

/** More writes than one change has; the loop ends sooner. */
const MOST = 40;
const SECRET = 'secrets/sotto-fingerprint';

/** As the CLI writes it, without waiting. */
async function ask(world: World, round: number, plan: string): Promise<void> {
  const path = configMapPath(world.namespace, 'sotto-requests');
  const data = { [`fingerprint-${round}`]: JSON.stringify({ kind: 'fingerprint', plan, by: 'test' }) };
  const answer = await world.own.plane.admin('PATCH', path, { data }, 'application/merge-patch+json');
  if (answer.status !== 200) throw new Error(`requests: ${answer.status}`);
}

function codesIn(status: Json): readonly (string | undefined)[] {
  return arrayAt(syncOf(status), 'attention').map((item) => stringAt(item, 'code'));
}
