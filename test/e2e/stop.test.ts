import { existsSync, readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { placesIn } from '../../src/cli/inventory-rows.ts';
import { arrayAt, stringAt } from '../../src/core/json.ts';
import { displayObject } from '../../src/core/ids.ts';
import { MEMBER_LABEL } from '../../src/core/labels.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { untilReady } from '../harness/attention.ts';
import { type FaultProxy, type ProxiedRequest, startFaultProxy } from '../harness/fault-proxy.ts';
import { type Canaries, leakCheck, plantCanaries } from '../harness/leak-check.ts';
import { listenerOf, pageOf } from '../harness/listener.ts';
import { configMapPath, editByHand } from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { configMap, createWorld, eventually, secret, type World } from '../harness/world.ts';

// `kill` of the harness fails a test whose agent does not end within the grace period of a Pod.

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;
const OBJECTS = 300;
const SEED = Number(process.env['SOTTO_TEST_SEED'] ?? '20');

/** Numbers that are the same in every run, so that a moment that fails can be met again. */
function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

async function proxied(world: World): Promise<FaultProxy> {
  const { access } = world.own.plane;
  return startFaultProxy({ access, kubeconfigPath: world.own.account.kubeconfigPath });
}

function start(world: World, proxy: FaultProxy, args: readonly string[] = []): Promise<RunningAgent> {
  return world.start(args, { kubeconfig: proxy.kubeconfigPath });
}

function hasPassed(proxy: FaultProxy, what: string, count: number, isMeant: (asked: ProxiedRequest) => boolean) {
  return eventually(what, () => Promise.resolve(proxy.passed.filter(isMeant).length >= count ? true : undefined));
}

const isApply = ({ method, path }: ProxiedRequest): boolean => method === 'PATCH' && /\/(cm|s)-\d/.test(path);

const isCorrection = ({ method, path }: ProxiedRequest): boolean =>
  method === 'PATCH' && path.includes('/configmaps/a?');

/** Objects with our label that no inventory knows: nobody would ever prune them. */
async function orphans(world: World): Promise<readonly string[]> {
  const stored = await world.get(configMapPath(world.namespace, 'sotto-inventory'));
  const entry = Buffer.from(stringAt(stored, 'binaryData', 'inventory') ?? '', 'base64');
  const rows = new Set(placesIn(entry)?.places.map(({ id }) => displayObject(id)));
  const found: string[] = [];
  for (const [plural, kind] of [['configmaps', 'ConfigMap'] as const, ['secrets', 'Secret'] as const]) {
    for (const item of arrayAt(await world.get(`/api/v1/namespaces/${world.namespace}/${plural}`), 'items')) {
      const name = `${kind}/${stringAt(item, 'metadata', 'name') ?? ''}`;
      if (stringAt(item, 'metadata', 'labels', MEMBER_LABEL) !== undefined && !rows.has(name)) found.push(name);
    }
  }
  return found;
}

async function manyFiles(world: World, color: string, canaries: Canaries): Promise<Record<string, string>> {
  const maps = Array.from({ length: OBJECTS - 20 }, (_, index) => JSON.stringify(configMap(`cm-${index}`, { color })));
  const secrets = Array.from({ length: 20 }, (_, index) =>
    JSON.stringify(secret(`s-${index}`, { password: canaries.values[0] ?? '', color })),
  );
  return {
    'deploy/maps.yaml': maps.join('\n---\n'),
    'deploy/secrets.yaml': await world.sops(secrets.join('\n---\n'), 'secrets.yaml'),
  };
}

function converged(world: World, color: string): Promise<true> {
  return eventually(`${OBJECTS} objects are ${color}`, async () => {
    const maps = arrayAt(await world.get(`/api/v1/namespaces/${world.namespace}/configmaps`), 'items');
    const secrets = arrayAt(await world.get(`/api/v1/namespaces/${world.namespace}/secrets`), 'items');
    const encoded = Buffer.from(color).toString('base64');
    const wanted = [...maps, ...secrets].filter((item) =>
      [color, encoded].includes(stringAt(item, 'data', 'color') ?? ''),
    );
    return wanted.length === OBJECTS ? true : undefined;
  });
}

describeReal('SIGTERM', TOOLS, () => {
  test('while the API server hangs at any request of the start: the agent exits 0', async () => {
    await using world = await createWorld();
    await world.repository.commit({ 'deploy/a.json': JSON.stringify(configMap('a', {})) }, 'first');
    await using proxy = await proxied(world);
    const random = seeded(SEED);
    // The first three, and some later ones: settings, kinds, fingerprint, inventory, holder, watches, key Secrets.
    for (const after of [0, 1, 2, ...Array.from({ length: 4 }, () => 3 + random(9))]) {
      const before = proxy.passed.length;
      proxy.setFault(() => (proxy.passed.length - before >= after ? { kind: 'hang' } : undefined));
      const agent = await start(world, proxy, ['--take-over']);
      await hasPassed(proxy, `request ${after} hangs`, before + after + 1, () => true);
      expect(await agent.kill('SIGTERM'), `hung at request ${after}\n${agent.output()}`).toBe(0);
      expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
    }
    proxy.setFault(() => undefined);
    await using agent = await start(world, proxy, ['--take-over']);
    await eventually('the next one works', () => world.get(configMapPath(world.namespace, 'a')));
    expect(await orphans(world)).toEqual([]);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('in the middle of any request of the start: the agent exits 0', async () => {
    await using world = await createWorld();
    await world.repository.commit({ 'deploy/a.json': JSON.stringify(configMap('a', {})) }, 'first');
    await using proxy = await proxied(world);
    for (const after of [1, 3, 5, 7, 9]) {
      let asked = 0;
      proxy.setFault(() => ((asked += 1) === after ? { kind: 'delay', ms: 300 } : undefined));
      const agent = await start(world, proxy);
      await eventually(`request ${after}`, () => Promise.resolve(asked >= after ? true : undefined));
      expect(await agent.kill('SIGTERM'), `stopped at request ${after}\n${agent.output()}`).toBe(0);
    }
  });

  test('while the Git server hangs: the agent exits 0 and lets the namespace go', async () => {
    await using world = await createWorld();
    await world.repository.commit({ 'deploy/a.json': JSON.stringify(configMap('a', {})) }, 'first');
    world.git.setFault({ kind: 'hang' });
    const agent = await world.start();
    await eventually('Git is asked', () => Promise.resolve(world.git.requests.length > 0 ? true : undefined));
    expect(await agent.kill('SIGTERM'), agent.output()).toBe(0);
    world.git.setFault(null);
    // Without --take-over: the one before has let go.
    await using next = await world.start();
    await eventually('the next one works', () => world.get(configMapPath(world.namespace, 'a')));
    expect(next.output()).not.toContain('SOTTO-PLAN-010');
  });

  test(`at seeded moments of an apply of ${OBJECTS} objects: nothing is half, and the next one goes on`, async () => {
    using canaries = plantCanaries([2]);
    await using world = await createWorld();
    await using proxy = await proxied(world);
    const random = seeded(SEED + 1);
    const green = await manyFiles(world, 'green', canaries);
    await world.repository.commit(await manyFiles(world, 'blue', canaries), 'first');
    for (const color of ['blue', 'green']) {
      if (color === 'green') await world.repository.commit(green, 'second');
      for (let round = 0; round < 2; round += 1) {
        const at = 1 + random(OBJECTS / 3);
        const before = proxy.passed.filter(isApply).length;
        const agent = await start(world, proxy);
        await hasPassed(proxy, `${at} objects are sent`, before + at, isApply);
        expect(await agent.kill('SIGTERM'), `stopped after ${at} objects\n${agent.output()}`).toBe(0);
        expect(await orphans(world), `stopped after ${at} objects`).toEqual([]);
        expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
      }
    }
    await using agent = await start(world, proxy);
    await converged(world, 'green');
    expect(agent.output()).not.toContain('SOTTO-PLAN-010');
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
    await untilReady(
      world,
      await world.repository.commit({ 'deploy/z.json': JSON.stringify(configMap('z', {})) }, 'third'),
    );
    expect(await orphans(world)).toEqual([]);
    await leakCheck(world, agent, canaries);
  });

  test('while every write hangs in the middle of an apply: the agent exits 0, and what was applied is known', async () => {
    using canaries = plantCanaries([2]);
    await using world = await createWorld();
    await using proxy = await proxied(world);
    await world.repository.commit(await manyFiles(world, 'blue', canaries), 'first');
    const at = 1 + seeded(SEED + 2)(OBJECTS - 20);
    // The API server carries it out, and the answer never comes.
    const isLate = (): boolean => proxy.passed.filter(isApply).length >= at;
    proxy.setFault(({ method }) => (method !== 'GET' && isLate() ? { kind: 'delay', ms: 120_000 } : undefined));
    const agent = await start(world, proxy);
    await hasPassed(proxy, `${at} objects are sent`, at + 1, isApply);
    expect(await agent.kill('SIGTERM'), `hung after ${at} objects\n${agent.output()}`).toBe(0);
    expect(await orphans(world)).toEqual([]);
    proxy.setFault(() => undefined);
    await using next = await start(world, proxy, ['--take-over']);
    await converged(world, 'blue');
    expect(next.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('while a correction hangs and clients are slow: the agent exits 0, and the next one undoes the edit', async () => {
    await using world = await createWorld();
    await using proxy = await proxied(world);
    const commit = await world.repository.commit(
      { 'deploy/a.json': JSON.stringify(configMap('a', { color: 'blue' })) },
      'x',
    );
    const agent = await start(world, proxy);
    await untilReady(world, commit);
    const slow = [await listenerOf(agent), await pageOf(agent)].map(({ url }) => {
      const socket = connect(Number(new URL(url).port), '127.0.0.1', () =>
        socket.write('GET /status.json HTTP/1.1\r\n'),
      );
      return socket.on('error', () => undefined);
    });
    const before = proxy.passed.filter(isCorrection).length;
    proxy.setFault((asked) => (isCorrection(asked) ? { kind: 'hang' } : undefined));
    await editByHand(world, configMapPath(world.namespace, 'a'), { data: { color: 'red' } });
    await hasPassed(proxy, 'the correction is sent', before + 1, isCorrection);
    expect(await agent.kill('SIGTERM'), agent.output()).toBe(0);
    for (const socket of slow) socket.destroy();
    proxy.setFault(() => undefined);
    // Everything else answered, so the namespace was let go.
    await using next = await start(world, proxy);
    await eventually('it is blue again', async () =>
      stringAt(await world.get(configMapPath(world.namespace, 'a')), 'data', 'color') === 'blue' ? true : undefined,
    );
    expect(next.output()).not.toContain('SOTTO-PLAN-010');
    expect(await orphans(world)).toEqual([]);
  });

  test('a second one ends it at once with 130, and leaves no work folder', async () => {
    await using world = await createWorld();
    await world.repository.commit({ 'deploy/a.json': JSON.stringify(configMap('a', {})) }, 'first');
    await using proxy = await proxied(world);
    const agent = await world.start([], {
      kubeconfig: proxy.kubeconfigPath,
      env: { SOTTO_WORK_DIR: world.folder },
    });
    await eventually('it has applied', () => world.get(configMapPath(world.namespace, 'a')));
    const workFolders = (): readonly string[] => readdirSync(world.folder).filter((name) => name.startsWith('sotto-'));
    expect(workFolders()).toHaveLength(1);
    proxy.setFault(() => ({ kind: 'hang' }));
    const hung = proxy.passed.length;
    process.kill(agent.pid, 'SIGTERM');
    await hasPassed(proxy, 'the inventory hangs', hung + 1, () => true);
    expect(await agent.kill('SIGINT')).toBe(130);
    expect(workFolders()).toEqual([]);
    expect(existsSync(`/proc/${agent.pid}`)).toBe(false);
  });
});
