import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { askAfterMs, changedKinds, Kinds, waitedFor } from '../../src/agent/kinds.ts';
import { catalogOf, type ResourceCatalog } from '../../src/kube/discovery.ts';
import { CONFIG_MAPS, SECRETS } from '../../src/kube/resource.ts';
import { JOBS, row, runtime, syncSettings } from './fixture.ts';

const FEW = catalogOf([CONFIG_MAPS, SECRETS], []);
const MORE = catalogOf([CONFIG_MAPS, SECRETS, JOBS], []);

function kinds(answers: readonly (ResourceCatalog | Error)[]) {
  const state = {
    waiting: ['a'] as string[],
    asked: 0,
    changes: [] as string[][],
    errors: 0,
    answer: undefined as Promise<ResourceCatalog> | undefined,
  };
  const made = new Kinds(FEW, {
    discover: () => {
      const answer = answers[Math.min(state.asked, answers.length - 1)] ?? FEW;
      state.asked += 1;
      if (state.answer !== undefined) return state.answer;
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
    waiting: () => state.waiting,
    onAsked: (before, now) => state.changes.push([...changedKinds(before, now)]),
    onError: () => (state.errors += 1),
    random: () => 0,
  });
  return { state, made };
}

describe('asking again for kinds', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('happens while something waits, later and later, and ends with the wait', async () => {
    const { state, made } = kinds([FEW]);
    made.check();
    await vi.advanceTimersByTimeAsync(62_000);
    expect(state.asked).toBe(5);
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(state.asked).toBeLessThanOrEqual(5 + 3 + 12);
    const before = state.asked;
    state.waiting = [];
    made.check();
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(state.asked).toBe(before);
    made.close();
  });

  it('never happens while nothing waits', async () => {
    const { state, made } = kinds([FEW]);
    state.waiting = [];
    made.check();
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(state.asked).toBe(0);
  });

  it('begins soon again when something else is waited for, and not when the same is told twice', async () => {
    const { state, made } = kinds([FEW]);
    made.check();
    await vi.advanceTimersByTimeAsync(600_000);
    const before = state.asked;
    made.check();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(state.asked).toBe(before);
    state.waiting = ['a', 'b'];
    made.check();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(state.asked).toBe(before + 1);
    made.close();
  });

  it('tells what came, goes on after an answer that failed, and is over when closed', async () => {
    const { state, made } = kinds([new Error('away'), MORE, MORE]);
    made.check();
    await vi.advanceTimersByTimeAsync(6_000);
    expect([state.errors, state.changes]).toEqual([1, [['batch/v1 Job']]]);
    expect(made.catalog.find('batch/v1', 'Job')).toBe(JOBS);
    made.close();
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(state.asked).toBe(2);
  });

  it('has one timer, also when something else is waited for while the answer is on its way', async () => {
    const { state, made } = kinds([FEW]);
    made.check();
    await vi.advanceTimersByTimeAsync(1_999);
    const { promise, resolve } = Promise.withResolvers<ResourceCatalog>();
    state.answer = promise;
    await vi.advanceTimersByTimeAsync(1);
    state.waiting = ['a', 'b'];
    made.check();
    resolve(FEW);
    await vi.advanceTimersByTimeAsync(0);
    expect(vi.getTimerCount()).toBe(1);
    made.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('tells whoever waits what somebody else has asked for meanwhile', async () => {
    const { state, made } = kinds([MORE]);
    made.check();
    await made.refresh();
    await vi.advanceTimersByTimeAsync(6_000);
    expect(state.changes.flat()).toEqual(['batch/v1 Job']);
    made.close();
  });

  it('waits at most five minutes and a fifth', () => {
    expect(askAfterMs(0, 0)).toBe(2_000);
    expect(askAfterMs(1_000, 1)).toBe(360_000);
  });
});

describe('what is waited for', () => {
  it('is a kind of documents, of objects that were applied, and of a stream that ended', () => {
    const [a, b] = [runtime('a', { unknownKinds: ['example.com/v1 Widget'] }), runtime('b')];
    const rows = [row('ConfigMap', 'x'), row('Job', 'j', { sync: 'b' }), row('Job', 'old', { sync: 'left' })];
    expect(waitedFor([a, b], rows, FEW, [JOBS])).toEqual(['a example.com/v1 Widget', 'batch/v1 Job', 'batch/v1 Job']);
    expect(waitedFor([b], rows.slice(1, 2), MORE, [JOBS])).toEqual(['batch/v1 Job']);
    expect(waitedFor([b], rows.slice(0, 1), FEW, [JOBS])).toEqual([]);
    expect(waitedFor([b], rows, MORE, [])).toEqual([]);
  });

  it('is nothing for a sync that is suspended', () => {
    const settings = { ...syncSettings('a'), suspend: true };
    const a = runtime('a', { settings, unknownKinds: ['example.com/v1 Widget'] });
    expect(waitedFor([a], [row('Job', 'j')], FEW, [])).toEqual([]);
  });
});
