import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Json, stringAt } from '../../src/core/json.ts';
import { type ControlPlane, startControlPlane } from '../../src/demo/control-plane.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { codesOf, passed } from '../harness/attention.ts';
import { type FaultProxy, startFaultProxy } from '../harness/fault-proxy.ts';
import { leakCheck } from '../harness/leak-check.ts';
import { configMapPath, editByHand } from '../harness/objects.ts';
import { type Outside, outsideOf, type Reaction, reactionTo, told } from '../harness/outside.ts';
import { describeReal, toolPath } from '../harness/real.ts';
import { requestsFromNow, requestsSince, shown } from '../harness/requests.ts';
import { rewriteStored } from '../harness/stored.ts';
import { configMap, eventually, type World } from '../harness/world.ts';
import { annotation, type Bench, IS_CM, IS_D, IS_X, isMember, type Row, startBench } from './rows.ts';

// Rows of the table in spec/drift.md 4 that need a server, a node or a connection of their own.

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;

const ROWS: readonly Row[] = [
  {
    row: '103 (1): kubectl patch of a key',
    kind: 'configmaps',
    act: (by, path) => by.patch(path, { data: { k1: 'x' } }, 'kubectl-patch'),
    holds: IS_CM,
    writes: 1,
    reads: 0,
  },
  {
    row: '103 (8): kubectl patch adds a key',
    kind: 'configmaps',
    act: (by, path) => by.patch(path, { data: { k9: 'x' } }, 'kubectl-patch'),
    holds: IS_CM,
    writes: 1,
    reads: 0,
  },
  {
    row: '103 (12): kubectl scale',
    kind: 'deployments',
    act: (by, path) => by.scale(path, 5, 'kubectl'),
    holds: IS_D,
    writes: 1,
    reads: 0,
  },
  {
    row: '103 (51): our label is removed',
    kind: 'configmaps',
    act: (by, path) =>
      by.patch(path, { metadata: { labels: { 'applyset.kubernetes.io/part-of': null } } }, 'kubectl-label'),
    holds: (live) => IS_CM(live) && isMember(live),
    writes: 1,
    reads: 0,
  },
  {
    row: '103 (59): a key of a Secret is changed',
    kind: 'secrets',
    act: (by, path) => by.patch(path, { stringData: { p: 'evil' } }, 'kubectl-patch'),
    holds: IS_X,
    writes: 1,
    reads: 0,
  },
  {
    row: '103 (61): an annotation of a Secret is changed by others',
    kind: 'secrets',
    act: (by, path) => by.patch(path, { metadata: { annotations: { seen: 'yes' } } }, 'some-operator'),
    holds: (live, value) => IS_X(live, value) && annotation(live, 'seen') === 'yes',
    writes: 0,
    reads: 1,
  },
  {
    row: '103 (79): kubectl delete',
    kind: 'configmaps',
    act: (by, path) => by.remove(path),
    holds: (live) => IS_CM(live) && isMember(live),
    writes: 1,
    reads: 0,
  },
];
const isNewer = (live: Json | undefined): boolean => stringAt(live, 'data', 'k1') === 'newer';
const [CM, , D, , X] = ROWS;

const CLOCK = pathToFileURL(join(import.meta.dirname, '..', 'harness', 'shifted-clock.ts')).href;
const HOUR_MS = 3_600_000;

describeReal('drift on a server without streaming lists', TOOLS, () => {
  let plane: ControlPlane;
  let proxy: FaultProxy;
  let bench: Bench;
  let agent: RunningAgent;
  let startMark: number;
  const kubeconfig = (): string => proxy.kubeconfigPath;
  const start = (args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<RunningAgent> =>
    bench.world.start(args, { kubeconfig: kubeconfig(), env });
  const pathOf = (row: Row | undefined): string => {
    if (row === undefined) throw new Error('no such row');
    return bench.pathOf(row);
  };
  const count = async (
    row: Row | undefined,
    act: (by: Outside, path: string) => Promise<unknown>,
  ): Promise<Reaction & { readonly text: string }> => {
    const path = pathOf(row);
    const reaction = await reactionTo(bench.world, bench.history, {
      paths: ROWS.map((each) => bench.pathOf(each)),
      act: async (by) => void (await act(by, path)),
      holds: async () => row?.holds(await bench.world.get(path), bench.value) === true,
      quietMs: 1_000,
    });
    return { ...reaction, text: told(reaction) };
  };
  /** The agent of the bench is stopped: another one takes its place. */
  const replaced = async (next: () => Promise<RunningAgent>): Promise<void> => {
    await agent.stop();
    agent = await next();
    await agent.line('it has passed', ({ msg }) => msg === 'pass ended');
  };

  beforeAll(async () => {
    const programs = { 'kube-apiserver': toolPath('kube-apiserver'), etcd: toolPath('etcd') };
    plane = await startControlPlane({ programs, apiserverFlags: ['--feature-gates=WatchList=false'] });
    startMark = await plane.auditMark();
    bench = await startBench(ROWS, {
      plane,
      start: async (world: World) => {
        proxy = await startFaultProxy({ access: plane.access, kubeconfigPath: world.own.account.kubeconfigPath });
        return world.start([], { kubeconfig: proxy.kubeconfigPath });
      },
    });
    agent = bench.agent;
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    await bench[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
    await plane[Symbol.asyncDispose]();
  });

  test('row 103: it lists, and then watches from there', async () => {
    const entries = await requestsSince(bench.world, startMark).entries();
    const ofMaps = entries.filter(({ resource, uri }) => resource === 'configmaps' && uri.includes('labelSelector'));
    // The streaming list is refused once for each kind.
    const kinds = ofMaps.map(({ verb, status, uri }) => `${verb} ${status} ${uri.includes('sendInitialEvents')}`);
    expect(kinds, shown(ofMaps).join('\n')).toEqual(['watch 422 true', 'list 200 false', 'watch 200 false']);
  });

  test.for(ROWS.map((row) => [row.row, row] as const))('row %s', ([, row]) => bench.check(row));

  test('row 86: what the watch tells of our own apply before its answer comes is held and dropped', async () => {
    proxy.setFault(({ method }) => (method === 'PATCH' ? { kind: 'late', ms: 700 } : undefined));
    const reaction = await count(CM, (by, path) => by.patch(path, { data: { k1: 'x' } }, 'kubectl-edit'));
    proxy.setFault(() => undefined);
    expect(reaction, reaction.text).toMatchObject({ writes: 1, reads: 0 });
    expect(proxy.passed.filter(({ fault }) => fault === 'late').length).toBeGreaterThan(0);
  });

  test('row 95: a migration of the storage: nothing is written, each Secret is looked at by one apply', async () => {
    const { namespace } = bench.world;
    const secrets = ROWS.filter(({ kind }) => kind === 'secrets').map((row) => bench.nameOf(row));
    const reaction = await count(X, async () => {
      for (const resource of ['configmaps', 'secrets', 'deployments']) {
        expect(await rewriteStored(plane, namespace, resource)).toBeGreaterThan(0);
      }
    });
    const ofObjects = reaction.calls.filter(({ name }) => name.startsWith('r-'));
    expect(ofObjects.map(({ verb, name }) => `${verb} ${name}`).toSorted(), reaction.text).toEqual(
      secrets.map((name) => `patch ${name}`),
    );
  });

  test('row 102: an agent that is frozen while its streams end judges what was changed meanwhile', async () => {
    const { world } = bench;
    const [map, scaled] = [pathOf(CM), pathOf(D)];
    // What the row before has stirred up is over.
    await eventually('it asks nothing', async () => {
      const before = await requestsFromNow(world);
      await sleep(1_000);
      return (await before.calls()).length === 0 ? true : undefined;
    });
    process.kill(agent.pid, 'SIGSTOP');
    await editByHand(world, map, { data: { k1: 'x' } }, 'kubectl-patch');
    const by = outsideOf(world);
    await by.scale(scaled, 7, 'kubectl');
    proxy.dropWatches();
    await sleep(3_000);
    const requests = await requestsFromNow(world);
    process.kill(agent.pid, 'SIGCONT');
    await eventually(
      'both are undone',
      async () => (IS_CM(await world.get(map)) && IS_D(await world.get(scaled)) ? true : undefined),
      () => Promise.resolve(agent.output().split('\n').slice(-20).join('\n')),
    );
    await sleep(1_000);
    const calls = (await requests.calls()).filter(
      ({ resource, uri }) => resource !== 'events' && !uri.includes('sotto-'),
    );
    const text = shown(calls).join('\n');
    expect(
      calls.filter(({ verb }) => verb === 'patch'),
      text,
    ).toHaveLength(2);
    // One question for each stream: whether the versions still count.
    expect(calls.filter(({ verb }) => verb === 'list').length, text).toBeLessThanOrEqual(8);
    expect(
      calls.filter(({ verb }) => verb !== 'patch' && verb !== 'list'),
      text,
    ).toEqual([]);
  });

  test('nothing of this shows a value, though the agent was stopped and went on', async () => {
    await leakCheck(bench.world, agent, bench.canaries);
  });

  test.for([HOUR_MS, -HOUR_MS])('row 101: a clock that is off by %d ms changes nothing', async (shiftMs) => {
    const env = { NODE_OPTIONS: `--import=${CLOCK}`, SOTTO_TEST_CLOCK_SHIFT_MS: String(shiftMs) };
    const started = await count(CM, () => replaced(() => start([], env)));
    expect(started.writes, started.text).toBe(0);
    const written = Date.parse(String(agent.log[0]?.['time']));
    expect(Math.abs(written - Date.now() - shiftMs)).toBeLessThan(HOUR_MS / 2);
    for (const row of [CM, D, X]) {
      const reaction = await count(row, (by, path) => Promise.resolve(row?.act(by, path, bench)));
      expect(reaction.reads, reaction.text).toBe(0);
    }
  });

  test('row 99: a second agent of the same commit writes nothing, and the first one ends', async () => {
    await replaced(() => start());
    const first = agent;
    const reaction = await count(CM, async () => {
      agent = await start(['--take-over']);
      await agent.line('it has passed', ({ msg }) => msg === 'pass ended');
      expect(await first.ended()).not.toBe(0);
    });
    expect(reaction.writes, reaction.text).toBe(0);
    const applies = reaction.calls.filter(({ name, verb }) => name.startsWith('r-') && verb === 'patch');
    expect(applies, reaction.text).toEqual([]);
  });

  test('what a stopped agent had sent lands late, over what Git has now, and is undone by the next one', async () => {
    const { world } = bench;
    const path = pathOf(CM);
    const first = agent;
    // Its correction is on the way while another agent takes over with a newer commit.
    const landing = Promise.withResolvers<void>();
    let held = 0;
    proxy.setFault((asked) => {
      if (asked.method !== 'PATCH' || !asked.path.startsWith(path) || held > 0) return undefined;
      held += 1;
      return { kind: 'stray', after: landing.promise };
    });
    await editByHand(world, path, { data: { k1: 'x' } });
    await eventually('its correction is held', () => Promise.resolve(held > 0 ? true : undefined));
    const object = { ...bench.manifestAt(path), data: { k1: 'newer', k2: 'b' } };
    const commit = await world.repository.commit(
      { [`deploy/${path.split('/').at(-1)}.json`]: JSON.stringify(object) },
      'newer',
    );
    agent = await start(['--take-over']);
    await passed(agent, commit);
    expect(await first.ended()).not.toBe(0);
    expect(isNewer(await world.get(path))).toBe(true);
    const requests = await requestsFromNow(world);
    landing.resolve();
    // A late write of the first one under the same name, and the correction of the second one.
    const patches = async (): Promise<readonly string[]> =>
      (await requests.writes()).filter(({ uri }) => uri.startsWith(path)).map(({ status }) => `${status}`);
    await eventually('it lands and is undone', async () => ((await patches()).length > 1 ? true : undefined));
    expect(await patches()).toEqual(['200', '200']);
    await eventually('Git is what is there', async () => (isNewer(await world.get(path)) ? true : undefined));
  });

  test('nothing of this shows a value', async () => {
    await leakCheck(bench.world, agent, bench.canaries);
  });

  test('row 82: a namespace that is being deleted is left alone', async () => {
    const { world } = bench;
    const more = Array.from({ length: 30 }, (_, index) => configMap(`more-${index}`, { a: 'b' }));
    const commit = await world.repository.commit(
      { 'deploy/more.yaml': more.map((map) => JSON.stringify(map)).join('\n---\n') },
      'more',
    );
    await passed(agent, commit);
    const maps = more.map((map) => configMapPath(world.namespace, stringAt(map, 'metadata', 'name') ?? ''));
    const paths = [...ROWS.map((row) => bench.pathOf(row)), ...maps];
    const requests = await requestsFromNow(world);
    expect((await plane.admin('DELETE', `/api/v1/namespaces/${world.namespace}`)).status).toBe(200);
    // As the namespace controller does, which does not run here.
    for (const path of paths) expect((await plane.admin('DELETE', path)).status).toBe(200);
    await eventually(
      'it is said',
      async () => (Object.values(codesOf(await world.status())).includes('SOTTO-KUBE-013') ? true : undefined),
      async () => agent.output().split('\n').slice(-60).join('\n') + JSON.stringify(await world.status()),
    );
    await sleep(5_000);
    const calls = (await requests.calls()).filter(({ name }) => /^(?:r|more)-/.test(name));
    // What was on its way when the first was refused, and one more after a while; not one for each object and pass.
    expect(calls.length, shown(calls).join('\n')).toBeLessThanOrEqual(9);
  });
});
