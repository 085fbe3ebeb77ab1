import { describe, expect, it } from 'vitest';
import { nextLeaving } from '../../src/agent/leaving.ts';
import { inTurn, patienceMs } from '../../src/agent/sync-order.ts';
import { type Dependency, syncTurn } from '../../src/agent/sync-turn.ts';
import { passed, runtime, snapshot, syncSettings, nobody, testAgent } from './fixture.ts';
import { syncWaitOf, wakeDependents } from '../../src/agent/dependents.ts';
import { viewSync } from '../../src/agent/status-view.ts';

const ONE = 'main@sha1:1';
const TWO = 'main@sha1:2';

/** Sync `infra`, ready with the second commit. */
function infra(more: Partial<Dependency> = {}): { name: string; found: Dependency } {
  const ready = { name: 'infra', state: 'Ready', reason: 'Applied', message: '3 objects as in Git' } as const;
  const revisions = { wantedRevision: TWO, appliedRevision: TWO, attemptedRevision: TWO };
  return { name: 'infra', found: { ...ready, repository: 'r main', ...revisions, ...more } };
}

const turn = (...needed: Parameters<typeof syncTurn>[1]) => syncTurn({ repository: 'r main', revision: TWO }, needed);

describe('the turn of a sync', () => {
  it('has come when all that come first are ready with what they want, or when none does', () => {
    expect(turn()).toEqual({ kind: 'ready' });
    expect(turn(infra(), infra({ name: 'crds' }))).toEqual({ kind: 'ready' });
  });

  it.each([
    ['is not started', { name: 'infra', found: undefined }, 'waits', 'was not started yet'],
    ['rolls out', infra({ state: 'Progressing', message: 'applying' }), 'waits', 'is Progressing: applying'],
    ['wants more than it has applied', infra({ appliedRevision: ONE }), 'waits', 'not applied its commit'],
    [
      'has not seen this commit',
      infra({ wantedRevision: ONE, appliedRevision: ONE, attemptedRevision: ONE }),
      'waits',
      `not seen ${TWO}`,
    ],
    ['has failed', infra({ state: 'Degraded', message: '1 object failed' }), 'failed', 'is Degraded: 1 object failed'],
    ['holds a plan', infra({ state: 'Held', message: '1 plan held whole' }), 'failed', 'is Held'],
    ['is suspended', infra({ state: 'Suspended', message: 'suspended' }), 'failed', 'is Suspended'],
  ] as const)('has not come while one that comes first %s', (_name, needed, kind, why) => {
    expect(turn(infra(), needed)).toEqual({ kind, on: 'infra', why: expect.stringContaining(why) });
  });

  it('does not ask for this commit of a sync of another repository or branch', () => {
    const other = { wantedRevision: ONE, appliedRevision: ONE, attemptedRevision: ONE, repository: 'r prod' };
    expect(turn(infra(other))).toEqual({ kind: 'ready' });
  });

  it('tells of what somebody has to mend before what needs time', () => {
    const rolls = infra({ state: 'Progressing', message: 'applying' });
    expect(turn(rolls, infra({ state: 'Stalled', name: 'crds' }))).toMatchObject({ kind: 'failed' });
  });
});

describe('syncs that depend on each other', () => {
  const settings = [
    syncSettings('app', { dependsOn: ['infra', 'db'] }),
    syncSettings('db', { dependsOn: ['infra'], timeoutMs: 1_000 }),
    syncSettings('infra', { timeoutMs: 10_000 }),
    syncSettings('alone', { timeoutMs: 5 }),
  ];

  it('are visited in turn, otherwise as the settings have them', () => {
    const order = inTurn(settings.map((each) => ({ settings: each })));
    expect(order.map((each) => each.settings.name)).toEqual(['infra', 'db', 'app', 'alone']);
  });

  it('have the time of those that come first besides their own', () => {
    const times = ['infra', 'db', 'app', 'alone'].map((name) => patienceMs(name, settings));
    expect(times).toEqual([10_000, 11_000, 311_000, 5]);
  });

  it('leave the settings in the reverse order, and what others need stays while they are there', () => {
    const rules = { app: { ask: [], dependsOn: ['db'] }, db: { ask: [], dependsOn: ['infra'] }, infra: { ask: [] } };
    const left = ['infra', 'db', 'app'];
    expect(nextLeaving(left, rules, new Set())).toBe('app');
    expect(nextLeaving(left, rules, new Set(['app']))).toBeUndefined();
    expect(nextLeaving(['infra', 'db'], rules, new Set(['app']))).toBe('db');
    expect(nextLeaving(['infra'], rules, new Set(['app', 'db']))).toBe('infra');
  });

  it('leave also when what is remembered of them goes in a circle', () => {
    const rules = { a: { ask: [], dependsOn: ['b'] }, b: { ask: [], dependsOn: ['a'] } };
    expect(nextLeaving(['a', 'b'], rules, new Set())).toBe('a');
    expect(nextLeaving(['b'], rules, new Set(['a']))).toBe('b');
  });
});

/** Sync `app` waits for `infra`, which has seen one commit and applied none. */
function waiting() {
  const app = runtime('app', { settings: syncSettings('app', { dependsOn: ['infra'] }), snapshot: snapshot('1') });
  const first = runtime('infra', { snapshot: snapshot('1') });
  const agent = testAgent(nobody(), [app, first]);
  const woken: string[] = [];
  const context = { ...agent.context, wake: (name: string) => void woken.push(name) };
  return { app, first, agent: { ...agent, context }, woken };
}

const NOTHING_TO_DO = { steps: [], held: undefined };

describe('a commit of a sync that depends on another one', () => {
  it('waits, says for whom, and goes on by itself', () => {
    const { app, first, agent, woken } = waiting();
    passed(first, '1');
    const syncWait = syncWaitOf(agent.context, app, snapshot('1'), NOTHING_TO_DO);
    expect(syncWait).toMatchObject({ kind: 'waits', on: 'infra' });
    passed(app, '1');
    Object.assign(app, { report: { ...app.report, syncWait } });
    expect(viewSync(agent.context, app)).toMatchObject({
      state: 'Progressing',
      reason: 'DependencyNotReady',
      attention: [{ code: 'SOTTO-PLAN-120' }],
    });
    wakeDependents(agent.context);
    expect(woken).toEqual([]);
    Object.assign(first, { report: { ...first.report, appliedRevision: snapshot('1').revision } });
    wakeDependents(agent.context);
    expect(woken).toEqual(['app']);
  });

  it('is Degraded while somebody has to mend the other one', () => {
    const { app, first, agent } = waiting();
    first.settings = { ...first.settings, suspend: true };
    passed(first, '1');
    const syncWait = syncWaitOf(agent.context, app, snapshot('1'), NOTHING_TO_DO);
    passed(app, '1');
    Object.assign(app, { report: { ...app.report, syncWait } });
    expect(viewSync(agent.context, app)).toMatchObject({
      state: 'Degraded',
      reason: 'DependencyFailed',
      attention: [{ code: 'SOTTO-PLAN-121', next: expect.stringContaining('sync infra') }],
    });
  });

  it('waits for nobody once it is applied and nothing is to be done, after a restart of the agent too', () => {
    const { app, agent } = waiting();
    agent.inventory.setRevision('app', snapshot('1').revision);
    expect(syncWaitOf(agent.context, app, snapshot('1'), NOTHING_TO_DO)).toBeUndefined();
    expect(syncWaitOf(agent.context, app, snapshot('2'), NOTHING_TO_DO)).toMatchObject({ kind: 'waits' });
  });
});
