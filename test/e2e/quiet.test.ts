import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrayAt, type Json, memberAt, stringAt } from '../../src/core/json.ts';
import { MEMBER_LABEL } from '../../src/core/labels.ts';
import type { RunningAgent } from '../harness/agent.ts';
import {
  collectionOf,
  configMapPath,
  editByHand,
  eventNotes,
  KIND_CASES,
  type KindCase,
  remove,
  secretPath,
  valueAt,
} from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { type RequestLog, requestsFromNow, shown } from '../harness/requests.ts';
import { configMap, createWorld, eventually, secret, syncOf, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;
const QUIET_MS = 15_000;
/** Longer than the delays after which the agent stores its inventory and status (2 s quiet, 10 s at most). */
const SETTLE_MS = 11_000;
const FIGHT_MS = 20_000;

/** Every kind in one commit, the Secret encrypted. Not waited for: nothing runs the workloads here. */
async function everyKind(world: World): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const { kind, manifest } of KIND_CASES) {
    const text = JSON.stringify(manifest);
    files[`deploy/${kind}.json`] = kind === 'Secret' ? await world.sops(text, 'secret.json') : text;
  }
  return files;
}

const isApplied = (status: Json): boolean => stringAt(syncOf(status), 'appliedRevision') !== undefined;

/** Of an object that may be missing: what the edit changes. */
async function live(world: World, { api, plural, place }: KindCase): Promise<Json | undefined> {
  return valueAt(await world.get(`${collectionOf({ api, plural }, world.namespace)}/web`), place);
}

function restored(world: World, wanted: KindCase): Promise<true> {
  return eventually(`${wanted.kind} is as in Git`, async () =>
    JSON.stringify(sorted(await live(world, wanted))) === JSON.stringify(sorted(wanted.wanted)) ? true : undefined,
  );
}

function sorted(value: Json | undefined): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value ?? null;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  );
}

describeReal('Git is what runs, and quiet costs nothing', TOOLS, () => {
  let world: World;
  let agent: RunningAgent;
  beforeAll(async () => {
    world = await createWorld({ sync: '  wait: false' });
    await world.repository.commit(await everyKind(world), 'every kind');
    agent = await world.start();
    await world.until('applied', isApplied);
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  test('every kind is applied, nothing is refused', async () => {
    const status = await world.status();
    expect(arrayAt(syncOf(status ?? null), 'attention')).toEqual([]);
    for (const wanted of KIND_CASES) expect(sorted((await live(world, wanted)) ?? null)).toEqual(sorted(wanted.wanted));
  });

  test('in a quiet stretch the API server sees only open watches, and Git only asks for the head', async () => {
    await sleep(SETTLE_MS);
    const log = await requestsFromNow(world);
    const gitBefore = world.git.requests.length;
    await sleep(QUIET_MS);
    expect(shown(await log.calls())).toEqual([]);
    const asked = world.git.requests.slice(gitBefore);
    expect(asked.length).toBeGreaterThan(3);
    // The head is asked for by `GET info/refs` and `POST git-upload-pack` with ls-refs; nothing is fetched.
    expect(new Set(asked.map(({ path }) => path.replace(/^.*\.git\//, '')))).toEqual(
      new Set(['info/refs', 'git-upload-pack']),
    );
    expect(asked.filter(({ status, authorized }) => authorized && status >= 400)).toEqual([]);
  });

  test.for(KIND_CASES)('a hand edit of a $kind is undone, and an Event says so without a value', async (wanted) => {
    const { kind, api, plural, edit } = wanted;
    const path = `${collectionOf({ api, plural }, world.namespace)}/web`;
    const before = await world.get(path);
    await editByHand(world, path, edit);
    await restored(world, wanted);
    expect(stringAt(await world.get(path), 'metadata', 'uid')).toBe(stringAt(before, 'metadata', 'uid'));
    const note = await eventually('an Event names the manager', async () =>
      (await eventNotes(world, kind, 'web')).find((text) => text.includes('kubectl-edit')),
    );
    expect(note).toMatch(/Undid a change of \S/);
    expect(note).not.toMatch(/blue|red|c:[12]/);
  });

  test.for(KIND_CASES)('a deleted $kind is made again', async (wanted) => {
    const path = `${collectionOf(wanted, world.namespace)}/web`;
    const before = stringAt(await world.get(path), 'metadata', 'uid');
    // The protection finalizer of a PersistentVolumeClaim waits for a controller that does not run here.
    if (wanted.kind === 'PersistentVolumeClaim') await editByHand(world, path, { metadata: { finalizers: null } });
    await world.own.plane.admin('DELETE', `${path}?propagationPolicy=Background`);
    await eventually(`${wanted.kind} is made again`, async () => {
      const uid = stringAt(await world.get(path), 'metadata', 'uid');
      return uid !== undefined && uid !== before ? true : undefined;
    });
    await restored(world, wanted);
  });

  test.for(KIND_CASES)('the label of a $kind that was removed is back', async (wanted) => {
    const path = `${collectionOf(wanted, world.namespace)}/web`;
    const label = stringAt(await world.get(path), 'metadata', 'labels', MEMBER_LABEL);
    expect(label).toMatch(/^applyset-/);
    await editByHand(world, path, { metadata: { labels: { [MEMBER_LABEL]: null } } }, 'kubectl-label');
    await eventually('the label is back', async () =>
      stringAt(await world.get(path), 'metadata', 'labels', MEMBER_LABEL) === label ? true : undefined,
    );
  });

  test('what kubectl adds goes, what a controller adds stays', async () => {
    const path = configMapPath(world.namespace, 'web');
    await editByHand(world, path, { data: { byController: 'x' } }, 'some-controller');
    await editByHand(world, path, { data: { byHand: 'x' } });
    await eventually('the addition by hand is gone', async () =>
      stringAt(await world.get(path), 'data', 'byHand') === undefined ? true : undefined,
    );
    expect(memberAt(await world.get(path), 'data')).toEqual({ color: 'blue', byController: 'x' });
  });

  test('a key that kubectl adds to a Secret goes, and its Event has no value', async () => {
    const path = secretPath(world.namespace, 'web');
    await editByHand(world, path, { stringData: { added: world.value(2) } });
    await eventually('the added key is gone', async () =>
      stringAt(await world.get(path), 'data', 'added') === undefined ? true : undefined,
    );
    await eventually('an Event names the key', async () => {
      const found = await eventNotes(world, 'Secret', 'web');
      return found.some((note) => note.includes('/data/added')) ? found : undefined;
    });
  });

  test('a change of status alone costs nothing', async () => {
    const log = await quietLog(world);
    const path = `${collectionOf({ api: 'apis/apps/v1', plural: 'deployments' }, world.namespace)}/web`;
    for (let ready = 0; ready < 5; ready += 1) {
      await editByHand(
        world,
        `${path}/status`,
        { status: { observedGeneration: 1, replicas: ready } },
        'kube-controller',
      );
    }
    await sleep(1_000);
    const aboutIt = (await log.calls()).filter(({ resource }) => resource === 'deployments');
    expect(shown(aboutIt)).toEqual([]);
  });

  test('a label on a Secret by a controller costs at most one look, and the next ones are no loop', async () => {
    const path = secretPath(world.namespace, 'web');
    const log = await quietLog(world);
    await editByHand(world, path, { metadata: { annotations: { 'example.com/seen': 'yes' } } }, 'some-controller');
    await sleep(3_000);
    const writes = (await log.writes()).filter(({ resource, name }) => resource === 'secrets' && name === 'web');
    expect(writes.length).toBeLessThanOrEqual(1);
    expect(stringAt(await world.get(path), 'metadata', 'annotations', 'example.com/seen')).toBe('yes');
  });

  test('two who fight over a field cost a bounded number of writes, and status names the other one', async () => {
    const log = await quietLog(world);
    const path = configMapPath(world.namespace, 'web');
    const until = performance.now() + FIGHT_MS;
    for (let round = 0; performance.now() < until; round += 1) {
      await editByHand(world, path, { data: { color: `c${round}` } }, 'other-writer');
      await sleep(100);
    }
    const writes = (await log.writes()).filter(({ resource, name }) => resource === 'configmaps' && name === 'web');
    expect(writes.length).toBeGreaterThan(0);
    // spec/drift.md row 36: five at once, then after 2, 6, 18 s; a correction may take two writes.
    expect(writes.length).toBeLessThanOrEqual(20);
    const status = await world.until('the fight is reported', (document) =>
      JSON.stringify(arrayAt(syncOf(document), 'attention')).includes('SOTTO-PLAN-012'),
    );
    expect(JSON.stringify(arrayAt(syncOf(status), 'attention'))).toContain('other-writer');
    await eventually('peace: it is as in Git', async () =>
      stringAt(await world.get(path), 'data', 'color') === 'blue' ? true : undefined,
    );
  });

  test('nothing of it all is a defect or a value in the log', () => {
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

/** After what went before is over. */
async function quietLog(world: World): Promise<RequestLog> {
  for (;;) {
    const log = await requestsFromNow(world);
    await sleep(2_500);
    if ((await log.writes()).length === 0) return requestsFromNow(world);
  }
}

describeReal('corrections go on', TOOLS, () => {
  test('while a file of the same sync is bad, and while Git is down', async () => {
    await using world = await createWorld();
    const encrypted = await world.sops(JSON.stringify(secret('db', { password: world.value(0) })), 'db.json');
    await world.repository.commit(
      { 'deploy/web.json': JSON.stringify(configMap('web', { color: 'blue' })), 'deploy/db.json': encrypted },
      'good',
    );
    await using agent = await world.start();
    await world.until('ready', (status) => stringAt(syncOf(status), 'state') === 'Ready');
    const path = configMapPath(world.namespace, 'web');
    const isUndone = async (): Promise<true> => {
      await editByHand(world, path, { data: { color: 'red' } });
      return eventually('undone', async () =>
        stringAt(await world.get(path), 'data', 'color') === 'blue' ? true : undefined,
      );
    };
    await world.repository.commit({ 'deploy/bad.yaml': 'a: [' }, 'bad');
    await world.until('the bad file is reported', (status) =>
      JSON.stringify(arrayAt(syncOf(status), 'attention')).includes('bad.yaml'),
    );
    expect(await isUndone()).toBe(true);
    world.git.setFault({ kind: 'status', status: 503 });
    await world.until('Git is down', (status) => memberAt(syncOf(status), 'source', 'error') !== undefined);
    expect(await isUndone()).toBe(true);
    await remove(world, secretPath(world.namespace, 'db'));
    await eventually('the Secret is back without Git', async () =>
      (await world.get(secretPath(world.namespace, 'db'))) === undefined ? undefined : true,
    );
    world.git.setFault({ kind: 'hang' });
    expect(await isUndone()).toBe(true);
    world.git.setFault(null);
    await world.until('Git is back', (status) => memberAt(syncOf(status), 'source', 'error') === undefined);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
