import { describe, expect, it } from 'vitest';
import { nextLateMs } from '../../src/agent/readiness.ts';
import { viewSync } from '../../src/agent/status-view.ts';
import type { PassReport, SyncRuntime } from '../../src/agent/sync-runtime.ts';
import { SottoError } from '../../src/core/errors.ts';
import type { Code } from '../../src/core/codes.ts';
import type { Json } from '../../src/core/json.ts';
import { JOBS, keyOf, nobody, passed, row, runtime, snapshot, syncSettings, testAgent } from './fixture.ts';
import { live as liveObject, ours } from '../drift/objects.ts';

const TIMEOUT_MS = 300_000;

function job(name: string, status: Json = {}, version = '100'): Json {
  return { ...liveObject('Job', { metadata: { name }, status }, [ours({})], version), apiVersion: 'batch/v1' };
}

const RUNNING = { startTime: '2026-01-02T03:04:05Z' };
const FAILED = { ...RUNNING, conditions: [{ type: 'Failed', status: 'True' }] };

function problem(code: Code, object: string): SottoError {
  return new SottoError({ code, what: 'it is so', why: 'somebody did it', next: 'mend it', object });
}

/** A sync `a` that passed over commit 1, with one Job for each status given. */
function world(jobs: Readonly<Record<string, Json>>, report: Partial<PassReport> = {}) {
  const sync = runtime('a');
  const agent = testAgent(nobody(), [sync]);
  for (const [name, status] of Object.entries(jobs)) {
    agent.inventory.set(row('Job', name));
    agent.live.baseline(keyOf('Job', name), job(name, status), 'full');
  }
  sync.snapshot = snapshot('1');
  passed(sync, '1');
  Object.assign(sync, {
    report: { ...sync.report, appliedRevision: snapshot('1').revision, desired: Object.keys(jobs).length, ...report },
  });
  return { sync, agent, view: (of: SyncRuntime = sync) => viewSync(agent.context, of) };
}

describe('the state of a sync', () => {
  it('is Ready when everything is there and ready', () => {
    const { view } = world({ a: RUNNING, b: RUNNING });
    expect(view()).toMatchObject({ state: 'Ready', attention: [], counts: { desired: 2, current: 2, inProgress: 0 } });
  });

  it('is Progressing while an object is waited for, and Degraded when it is late', () => {
    const { view, agent } = world({ a: RUNNING, b: {} });
    expect(view()).toMatchObject({ state: 'Progressing', attention: [], counts: { current: 1, inProgress: 1 } });
    expect(nextLateMs(agent.context)).toBe(TIMEOUT_MS);
    agent.clock.forward(TIMEOUT_MS);
    expect(view()).toMatchObject({
      state: 'Degraded',
      reason: 'ReadinessTimeout',
      attention: [{ code: 'SOTTO-PLAN-011', object: 'batch/Job/b', file: 'a/b.yaml' }],
    });
    expect(nextLateMs(agent.context)).toBeUndefined();
  });

  it('stays Degraded with a pass that changed nothing, and waits anew after an apply that did', () => {
    const { view, agent, sync } = world({ b: {} });
    agent.clock.forward(TIMEOUT_MS);
    Object.assign(sync, { report: { ...sync.report } });
    agent.live.baseline(keyOf('Job', 'b'), job('b', {}), 'full');
    expect(view().state).toBe('Degraded');
    agent.live.baseline(keyOf('Job', 'b'), job('b', {}, '101'), 'full');
    expect(view().state).toBe('Progressing');
    expect(nextLateMs(agent.context)).toBe(2 * TIMEOUT_MS);
  });

  it('tells of a failed object at once, and of an object that is gone when it is late', () => {
    const { view, agent } = world({ a: FAILED, b: RUNNING });
    expect(view()).toMatchObject({
      state: 'Degraded',
      reason: 'ObjectsFailed',
      attention: [{ object: 'batch/Job/a' }],
    });
    agent.live.observe(JOBS, 'team', job('a', RUNNING, '101'), false);
    agent.live.observeDeleted(keyOf('Job', 'b'), undefined);
    expect(view()).toMatchObject({ state: 'Progressing', attention: [] });
    agent.clock.forward(TIMEOUT_MS);
    expect(view().attention).toMatchObject([{ object: 'batch/Job/b', code: 'SOTTO-PLAN-011' }]);
  });

  it('stays Degraded when a failed Job is gone, and Ready when one that completed is', () => {
    const { view, agent } = world({ a: RUNNING, b: RUNNING });
    agent.inventory.set(row('Job', 'a', { done: true, failed: true }));
    agent.inventory.set(row('Job', 'b', { done: true }));
    agent.live.observeDeleted(keyOf('Job', 'a'), undefined);
    agent.live.observeDeleted(keyOf('Job', 'b'), undefined);
    expect(view()).toMatchObject({
      state: 'Degraded',
      reason: 'ObjectsFailed',
      counts: { current: 1, failed: 1, inProgress: 0 },
      attention: [{ object: 'batch/Job/a', message: expect.stringContaining('is gone since') }],
    });
  });

  it('does not depend on readiness with wait: false', () => {
    const { view, agent, sync } = world({ a: FAILED, b: {} });
    sync.settings = { ...syncSettings('a'), wait: false };
    agent.clock.forward(TIMEOUT_MS);
    expect(view()).toMatchObject({ state: 'Ready', attention: [] });
    expect(nextLateMs(agent.context)).toBeUndefined();
  });
});

describe('what status says of an object', () => {
  it('is one line: its refusal, not that it is not ready besides', () => {
    const refusal = { error: problem('SOTTO-KUBE-003', 'batch/Job/b'), file: 'a/b.yaml' };
    const { view, agent, sync } = world({ a: RUNNING }, { refusals: [refusal] });
    agent.inventory.set(row('Job', 'b', { uid: '' }));
    sync.blocked.set(keyOf('Job', 'b'), { action: 'apply', digest: 'd1', error: refusal.error, sinceMs: 0, tries: 0 });
    agent.clock.forward(2 * TIMEOUT_MS);
    expect(view()).toMatchObject({ state: 'Degraded', reason: 'ObjectsRefused' });
    expect(view().attention.map(({ code, object }) => [code, object])).toEqual([['SOTTO-KUBE-003', 'batch/Job/b']]);
  });

  it('names what a correction could not do and who is fought with, though no pass refused it', () => {
    const { view, sync } = world({ a: RUNNING, b: RUNNING });
    const error = problem('SOTTO-KUBE-003', 'batch/Job/a');
    sync.blocked.set(keyOf('Job', 'a'), { action: 'apply', digest: 'd1', error, sinceMs: 0, tries: 0 });
    sync.fights.set(keyOf('Job', 'b'), problem('SOTTO-PLAN-012', 'batch/Job/b'));
    expect(view().attention.map(({ code }) => code)).toEqual(['SOTTO-KUBE-003', 'SOTTO-PLAN-012']);
    sync.fights.clear();
    sync.blocked.clear();
    expect(view().attention).toEqual([]);
  });

  it('counts what left Git and waits as held, with the place it had', () => {
    const waiting = [{ row: row('Job', 'b'), error: problem('SOTTO-PLAN-008', 'batch/Job/b') }];
    const { view } = world({ a: RUNNING, b: RUNNING }, { waiting });
    expect(view()).toMatchObject({
      state: 'Held',
      counts: { current: 1, held: 1 },
      attention: [{ code: 'SOTTO-PLAN-008', file: 'a/b.yaml', line: 1 }],
    });
  });

  it('is nothing of the objects of another sync', () => {
    const { view, agent } = world({ a: RUNNING });
    agent.inventory.set(row('Job', 'other', { sync: 'other' }));
    expect(view()).toMatchObject({ state: 'Ready', counts: { current: 1, inProgress: 0 } });
  });
});

describe('the source of a sync', () => {
  it('that is away is trouble with its code, and nothing else changes', () => {
    const { view, sync } = world({ a: RUNNING });
    sync.trouble = { error: problem('SOTTO-GIT-001', ''), needsPerson: false };
    expect(view()).toMatchObject({
      state: 'Degraded',
      source: { error: { code: 'SOTTO-GIT-001' }, revision: 'main@sha1:1' },
    });
    sync.trouble = { ...sync.trouble, needsPerson: true };
    expect(view().state).toBe('Stalled');
  });

  it('that was rewritten is followed, and said', () => {
    const { view, sync } = world({ a: RUNNING });
    sync.snapshot = { ...snapshot('1'), rewound: { from: 'f'.repeat(40) } };
    expect(view()).toMatchObject({ state: 'Ready', attention: [{ code: 'SOTTO-GIT-018' }] });
  });
});
