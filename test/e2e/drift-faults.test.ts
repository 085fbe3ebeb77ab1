import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunningAgent } from '../harness/agent.ts';
import { type FaultProxy, startFaultProxy } from '../harness/fault-proxy.ts';
import { leakCheck } from '../harness/leak-check.ts';
import { type Outside, type Reaction, reactionTo, told } from '../harness/outside.ts';
import { describeReal } from '../harness/real.ts';
import { type Bench, IS_CM, IS_D, IS_X, type Row, startBench } from './rows.ts';

// Rows of the table in spec/drift.md 4 about the connection itself. `K` are the streams of the agent.

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;

const IDLE = { act: () => Promise.resolve(undefined), writes: 0, reads: 0 } as const;
const ROWS: readonly Row[] = [
  { row: 'a ConfigMap', kind: 'configmaps', holds: IS_CM, ...IDLE },
  { row: 'a Deployment', kind: 'deployments', holds: IS_D, ...IDLE },
  { row: 'a Secret', kind: 'secrets', holds: IS_X, ...IDLE },
];

/** What a stream follows: the collection and what of it. */
function collectionOf(path: string): string {
  const { pathname, searchParams } = new URL(path, 'https://api');
  return [pathname, searchParams.get('labelSelector'), searchParams.get('fieldSelector')].join(' ');
}

describeReal('drift over a connection that fails', TOOLS, () => {
  let proxy: FaultProxy;
  let bench: Bench;
  let agent: RunningAgent;
  let paths: readonly string[] = [];
  const pathAt = (index: number): string => paths[index] ?? '';

  /** Lets something happen, waits until all three are as in Git again, and counts. */
  const reaction = async (act: (by: Outside) => Promise<unknown>): Promise<Reaction & { readonly text: string }> => {
    const counted = await reactionTo(bench.world, bench.history, {
      paths,
      act: async (by) => void (await act(by)),
      holds: async () => {
        const live = await Promise.all(ROWS.map((row) => bench.world.get(bench.pathOf(row))));
        return ROWS.every((row, index) => row.holds(live[index], bench.value));
      },
      quietMs: 2_000,
    });
    return { ...counted, text: told(counted) };
  };
  const streams = (): number =>
    new Set(proxy.passed.flatMap(({ isWatch, path }) => (isWatch ? [collectionOf(path)] : []))).size;

  beforeAll(async () => {
    bench = await startBench(ROWS, {
      start: async (world) => {
        const { access } = world.own.plane;
        proxy = await startFaultProxy({ access, kubeconfigPath: world.own.account.kubeconfigPath });
        return world.start([], { kubeconfig: proxy.kubeconfigPath });
      },
    });
    agent = bench.agent;
    paths = ROWS.map((row) => bench.pathOf(row));
  });
  afterAll(async () => {
    await bench[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });

  test('row 88: streams that end are taken up where they were, and nothing is written', async () => {
    const watched = proxy.passed.filter(({ isWatch }) => isWatch).length;
    const { writes, reads, text } = await reaction(() => {
      proxy.dropWatches();
      return sleep(3_000);
    });
    expect(writes, text).toBe(0);
    expect(reads, text).toBeLessThanOrEqual(streams());
    const again = proxy.passed.filter(({ isWatch }) => isWatch).slice(watched);
    expect(again.length).toBeGreaterThanOrEqual(streams());
    expect(again.filter(({ path }) => path.includes('sendInitialEvents=true')).map(({ path }) => path)).toEqual([]);
  });

  test('row 89: what was deleted while a stream had expired is missing in the new list, and made again', async () => {
    const { writes, reads, text } = await reaction(async (by) => {
      proxy.setFault(({ isWatch }) => (isWatch ? { kind: 'status', status: 410 } : undefined));
      proxy.expireWatches();
      expect(await by.remove(pathAt(0))).toBe(200);
      await sleep(500);
      proxy.setFault(() => undefined);
    });
    expect(writes, text).toBe(1);
    expect(reads, text).toBeLessThanOrEqual(2 * streams());
  });

  test('row 90: three objects changed while the API server was away take one write each', async () => {
    const { writes, reads, text } = await reaction(async (by) => {
      proxy.setDown(true);
      proxy.dropWatches();
      await sleep(500);
      expect(await by.patch(pathAt(0), { data: { k1: 'x' } }, 'kubectl-patch')).toBe(200);
      expect(await by.scale(pathAt(1), 7, 'kubectl')).toBe(200);
      expect(await by.patch(pathAt(2), { stringData: { p: 'evil' } }, 'kubectl-patch')).toBe(200);
      await sleep(2_500);
      proxy.setDown(false);
    });
    expect(writes, text).toBe(3);
    expect(reads, text).toBeLessThanOrEqual(2 * streams());
  });

  test('row 91: a correction that is told to wait is sent once more, after that time', async () => {
    const mark = proxy.passed.length;
    let refused = 0;
    proxy.setFault(({ method, path }) => {
      if (method !== 'PATCH' || !path.startsWith(pathAt(0)) || refused > 0) return undefined;
      refused += 1;
      return { kind: 'status', status: 429, retryAfterSeconds: 1 };
    });
    const { writes, reads, text } = await reaction((by) => by.patch(pathAt(0), { data: { k1: 'x' } }, 'kubectl-patch'));
    proxy.setFault(() => undefined);
    // The refused one never came to the API server.
    expect([writes, reads], text).toEqual([1, 0]);
    const sent = proxy.passed.slice(mark).filter(({ path }) => path.startsWith(pathAt(0)));
    expect(sent.map(({ fault }) => fault)).toEqual(['status', 'none']);
    const [first, second] = sent.map(({ atMs }) => atMs);
    expect((second ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(950);
  });

  test('nothing of this shows a value', async () => {
    await leakCheck(bench.world, agent, bench.canaries);
  });
});
