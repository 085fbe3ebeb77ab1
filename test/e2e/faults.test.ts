import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { arrayAt, stringAt } from '../../src/core/json.ts';
import { startControlPlane } from '../../src/demo/control-plane.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { apiserverSwitch } from '../harness/apiserver-switch.ts';
import { passed } from '../harness/attention.ts';
import { type Fault, type FaultProxy, type ProxiedRequest, startFaultProxy } from '../harness/fault-proxy.ts';
import { configMapPath, editByHand, remove, secretPath } from '../harness/objects.ts';
import { describeReal, toolPath } from '../harness/real.ts';
import { configMap, createWorld, eventually, secret, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;
const OBJECTS = 40;

function proxyFor(world: World): Promise<FaultProxy> {
  const access = world.own.plane.access;
  return startFaultProxy({ access, kubeconfigPath: world.own.account.kubeconfigPath });
}

function startBehind(proxy: FaultProxy, world: World): Promise<RunningAgent> {
  return world.start([], { kubeconfig: proxy.kubeconfigPath });
}

async function files(world: World, color: string): Promise<Record<string, string>> {
  const all: Record<string, string> = {
    'deploy/db.json': await world.sops(
      JSON.stringify(secret('db', { password: `${world.value(0)}-${color}` })),
      'db.json',
    ),
  };
  for (let index = 1; index < OBJECTS; index += 1)
    all[`deploy/cm-${index}.json`] = JSON.stringify(configMap(`cm-${index}`, { color }));
  return all;
}

/** What is live, by name: the colour of each. */
async function colors(world: World): Promise<readonly string[]> {
  const list = await world.get(`/api/v1/namespaces/${world.namespace}/configmaps`);
  const own = arrayAt(list, 'items').filter((item) => stringAt(item, 'metadata', 'name')?.startsWith('cm-') === true);
  const password = stringAt(await world.get(secretPath(world.namespace, 'db')), 'data', 'password') ?? '';
  const secretColor = Buffer.from(password, 'base64')
    .toString()
    .replace(`${world.value(0)}-`, '');
  return [...own.map((item) => stringAt(item, 'data', 'color') ?? ''), secretColor];
}

function converged(world: World, color: string): Promise<true> {
  return eventually(`everything is ${color}`, async () => {
    const found = await colors(world);
    return found.length === OBJECTS && found.every((each) => each === color) ? true : undefined;
  });
}

async function undone(world: World, color: string): Promise<void> {
  const path = configMapPath(world.namespace, 'cm-1');
  await editByHand(world, path, { data: { color: 'by-hand' } });
  await eventually('the edit is undone', async () =>
    stringAt(await world.get(path), 'data', 'color') === color ? true : undefined,
  );
}

/** Every n-th request of those that match. */
function everyNth(n: number, fault: Fault, matches: (asked: ProxiedRequest) => boolean) {
  let count = 0;
  return (asked: ProxiedRequest): Fault | undefined => {
    if (!matches(asked)) return undefined;
    count += 1;
    return count % n === 0 ? fault : undefined;
  };
}

const isWrite = ({ method }: ProxiedRequest): boolean => method !== 'GET';

const FAULTS: readonly (readonly [string, (proxy: FaultProxy) => void])[] = [
  ['cut before they arrive', (proxy) => proxy.setFault(everyNth(3, { kind: 'cut', afterForward: false }, isWrite))],
  ['cut before the answer', (proxy) => proxy.setFault(everyNth(3, { kind: 'cut', afterForward: true }, isWrite))],
  ['answered 500', (proxy) => proxy.setFault(everyNth(3, { kind: 'status', status: 500 }, isWrite))],
  [
    'answered 429',
    (proxy) => proxy.setFault(everyNth(4, { kind: 'status', status: 429, retryAfterSeconds: 1 }, isWrite)),
  ],
  ['late', (proxy) => proxy.setFault(everyNth(2, { kind: 'delay', ms: 400 }, () => true))],
  ['answered 503, reads too', (proxy) => proxy.setFault(everyNth(12, { kind: 'status', status: 503 }, () => true))],
];

describeReal('a connection to the API server that is not to be trusted', TOOLS, () => {
  test.for(FAULTS)('everything converges although requests are %s', async ([, disturb]) => {
    await using world = await createWorld();
    await using proxy = await proxyFor(world);
    disturb(proxy);
    await world.repository.commit(await files(world, 'blue'), 'first');
    await using agent = await startBehind(proxy, world);
    await converged(world, 'blue');
    await world.repository.commit(await files(world, 'green'), 'second');
    await converged(world, 'green');
    await undone(world, 'green');
    expect(proxy.passed.some(({ fault }) => fault !== 'none')).toBe(true);
    proxy.setFault(() => undefined);
    await world.repository.commit({ 'deploy/cm-2.json': null }, 'one less');
    await eventually('exactly what left Git is pruned', async () =>
      (await colors(world)).length === OBJECTS - 1 ? true : undefined,
    );
    expect(await world.get(configMapPath(world.namespace, 'cm-2'))).toBeUndefined();
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('a request that is told to wait is not sent again before its time', async () => {
    await using world = await createWorld();
    await using proxy = await proxyFor(world);
    const commit = await world.repository.commit(await files(world, 'blue'), 'first');
    await using agent = await startBehind(proxy, world);
    await passed(agent, commit);
    const path = configMapPath(world.namespace, 'cm-1');
    let refused = 0;
    proxy.setFault((asked) => {
      if (!isWrite(asked) || !asked.path.startsWith(path) || refused > 0) return undefined;
      refused += 1;
      return { kind: 'status', status: 429, retryAfterSeconds: 3 };
    });
    await editByHand(world, path, { data: { color: 'red' } });
    await eventually('undone', async () =>
      stringAt(await world.get(path), 'data', 'color') === 'blue' ? true : undefined,
    );
    const writes = proxy.passed.filter((asked) => isWrite(asked) && asked.path.startsWith(path)).slice(-2);
    expect(writes.map(({ fault }) => fault)).toEqual(['status', 'none']);
    expect((writes[1]?.atMs ?? 0) - (writes[0]?.atMs ?? 0)).toBeGreaterThanOrEqual(2_950);
  });

  test('watches that are dropped or expired go on, and what happened meanwhile is undone', async () => {
    await using world = await createWorld();
    await using proxy = await proxyFor(world);
    const commit = await world.repository.commit(await files(world, 'blue'), 'first');
    await using agent = await startBehind(proxy, world);
    await passed(agent, commit);
    for (const drop of [() => proxy.dropWatches(), () => proxy.expireWatches(), () => proxy.dropWatches()]) {
      drop();
      await undone(world, 'blue');
      await remove(world, configMapPath(world.namespace, 'cm-3'));
      await remove(world, secretPath(world.namespace, 'db'));
      await converged(world, 'blue');
    }
    // While nothing can be watched: edited and deleted behind the agent's back.
    proxy.setFault(({ isWatch }) => (isWatch ? { kind: 'status', status: 500 } : undefined));
    proxy.dropWatches();
    await editByHand(world, configMapPath(world.namespace, 'cm-4'), { data: { color: 'red' } });
    await editByHand(world, secretPath(world.namespace, 'db'), { stringData: { password: 'changed' } });
    await remove(world, configMapPath(world.namespace, 'cm-5'));
    await sleep(1_000);
    proxy.setFault(() => undefined);
    await converged(world, 'blue');
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('a server that takes requests and never answers does not hold the agent for ever', async () => {
    await using world = await createWorld();
    await using proxy = await proxyFor(world);
    const commit = await world.repository.commit(await files(world, 'blue'), 'first');
    await using agent = await startBehind(proxy, world);
    await passed(agent, commit);
    const path = configMapPath(world.namespace, 'cm-1');
    let hung = 0;
    proxy.setFault((asked) => {
      if (!isWrite(asked) || !asked.path.startsWith(path) || hung > 0) return undefined;
      hung += 1;
      return { kind: 'hang' };
    });
    await editByHand(world, path, { data: { color: 'red' } });
    await undoneOther(world);
    await eventually('undone after the timeout', async () =>
      stringAt(await world.get(path), 'data', 'color') === 'blue' ? true : undefined,
    );
    expect(hung).toBe(1);
    expect(await agent.stop()).toBe(0);
  });

  test('a proxy that is down is waited for, without pruning and without a restart', async () => {
    await using world = await createWorld();
    await using proxy = await proxyFor(world);
    proxy.setDown(true);
    await world.repository.commit(await files(world, 'blue'), 'first');
    await using agent = await startBehind(proxy, world);
    await agent.line('it waits', ({ code }) => code === 'SOTTO-KUBE-001');
    proxy.setDown(false);
    await converged(world, 'blue');
    proxy.setDown(true);
    await world.repository.commit({ ...(await files(world, 'green')), 'deploy/cm-2.json': null }, 'meanwhile');
    await editByHand(world, configMapPath(world.namespace, 'cm-4'), { data: { color: 'red' } });
    await sleep(3_000);
    proxy.setDown(false);
    await eventually('everything is green, cm-2 is gone', async () => {
      const found = await colors(world);
      return found.length === OBJECTS - 1 && found.every((color) => color === 'green') ? true : undefined;
    });
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describeReal('an API server that is stopped and started', TOOLS, () => {
  test('the agent goes on by itself: what was committed and what was edited meanwhile', async () => {
    const programs = { 'kube-apiserver': toolPath('kube-apiserver'), etcd: toolPath('etcd') };
    await using plane = await startControlPlane({ programs });
    await using world = await createWorld({ plane });
    const commit = await world.repository.commit(await files(world, 'blue'), 'first');
    await using apiserver = await apiserverSwitch(plane);
    await using agent = await world.start();
    await passed(agent, commit);
    const path = configMapPath(world.namespace, 'cm-4');
    for (const color of ['green', 'yellow']) {
      await apiserver.stop();
      await world.repository.commit(await files(world, color), color);
      await sleep(2_500);
      await apiserver.start();
      await remove(world, path);
      await converged(world, color);
      await undone(world, color);
    }
    expect(await world.get(path)).toBeDefined();
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
    expect(agent.log.filter(({ msg }) => msg === 'started')).toHaveLength(1);
    expect(await agent.stop()).toBe(0);
  });
});

/** Another object is corrected while one request hangs. */
async function undoneOther(world: World): Promise<void> {
  const path = configMapPath(world.namespace, 'cm-9');
  await editByHand(world, path, { data: { color: 'red' } });
  await eventually('another object is undone meanwhile', async () =>
    stringAt(await world.get(path), 'data', 'color') === 'blue' ? true : undefined,
  );
}
