import { objectKey } from '../core/ids.ts';
import type { Refusal } from '../core/refusal.ts';
import type { Plan } from '../plan/plan.ts';
import type { DesiredSet } from '../render/desired.ts';
import { attentionEvent } from '../report/event-notes.ts';
import type { PassOutcome } from '../report/metrics.ts';
import type { Snapshot } from '../source/snapshot.ts';
import type { Carried } from './carry-out.ts';
import type { AgentContext } from './context.ts';
import { leavingRuleOf } from './leaving.ts';
import { rememberSource } from './renamed.ts';
import type { SyncRuntime } from './sync-runtime.ts';
import type { SyncWait } from './sync-turn.ts';
import { awaitsOf } from './waits.ts';

/** All that one pass found and did. */
export interface PassEnd {
  readonly snapshot: Snapshot;
  readonly desired: DesiredSet;
  readonly decided: Plan;
  readonly outcome: Carried;
  readonly refusals: readonly Refusal[];
  readonly startedMs: number;
  /** Nothing was done, because of the syncs that come first. */
  readonly syncWait?: SyncWait | undefined;
}

/** What the pass leaves behind: the report of the sync, log lines, metrics. Nothing is decided here. */
export function reportPass(agent: AgentContext, sync: SyncRuntime, end: PassEnd): void {
  const { snapshot, desired, decided, outcome, refusals, syncWait } = end;
  const before = sync.report?.refusals ?? [];
  const isComplete =
    decided.held === undefined && !outcome.retry && outcome.waits.length === 0 && syncWait === undefined;
  if (isComplete) agent.inventory.setRevision(sync.settings.name, snapshot.revision);
  dropApproval(agent, sync, end);
  agent.inventory.setLeaving(sync.settings.name, leavingRuleOf(sync.settings));
  rememberSource(agent, sync);
  // Every object of Git was applied again, so the rows are what sotto applied and nothing else.
  if (isComplete && refusals.length === 0) agent.inventory.lost = false;
  sync.standIn = undefined;
  sync.report = {
    attemptedRevision: snapshot.revision,
    appliedRevision: isComplete ? snapshot.revision : sync.report?.appliedRevision,
    refusals,
    waiting: [...decided.waiting, ...outcome.waiting],
    waits: outcome.waits,
    rollouts: outcome.rollouts,
    warnings: desired.warnings,
    held: decided.held,
    asked: decided.asked,
    desired: desired.objects.length,
    pruned: outcome.pruned,
    paused: decided.paused,
    retry: outcome.retry,
    waitsFor: decided.waitsFor,
    syncWait,
  };
  measure(agent, sync, end);
  tellObjects(agent, refusals, before);
  wakeSiblings(agent, sync);
  // What they wait for may have become ready while the pass was ending.
  if (agent.awaited.begin(sync.settings.name, awaitsOf(sync.report))) agent.wake(sync.settings.name);
  agent.checkKinds();
  agent.changed();
}

/** A yes ends with its plan: when that is done, or when Git has moved on. */
function dropApproval(agent: AgentContext, sync: SyncRuntime, { snapshot, decided, outcome, syncWait }: PassEnd): void {
  const { name } = sync.settings;
  const approval = agent.inventory.inventory.approvals[name];
  if (approval === undefined) return;
  const waiting = outcome.waiting.length + outcome.waits.length;
  const isDone = decided.held === undefined && !outcome.retry && waiting === 0 && syncWait === undefined;
  if (isDone || approval.revision !== snapshot.revision) agent.inventory.setApproval(name, undefined);
}

/** Syncs of the same repository that hold prunes back until this one has seen the commit they have. */
function wakeSiblings(agent: AgentContext, { settings, report }: SyncRuntime): void {
  for (const [name, other] of agent.syncs) {
    const isDue = other.report?.waitsFor === settings.name;
    if (isDue && other.report?.attemptedRevision === report?.attemptedRevision) agent.wake(name);
  }
}

/** A burst of refusals is one fault: the status document has them all. */
const MAX_EVENTS = 20;

/** An Event on each object that is newly refused and exists: its owner need not read the agent's status. */
function tellObjects(agent: AgentContext, refusals: readonly Refusal[], before: readonly Refusal[]): void {
  const told = new Set(before.map(({ error }) => error.text()));
  const fresh = refusals.filter(({ error }) => !told.has(error.text()));
  let left = MAX_EVENTS;
  for (const { error, id } of fresh) {
    const row = id === undefined ? undefined : agent.inventory.row(objectKey(id));
    const uid = row === undefined ? undefined : agent.live.uid(row.key);
    if (id === undefined || row === undefined || uid === undefined) continue;
    const { code, message, file, line, key, next } = error.toJSON();
    const regarding = { ...id, apiVersion: row.apiVersion, uid };
    agent.tell(attentionEvent(regarding, 'Refused', { code, message, file, line, key, next }));
    left -= 1;
    if (left === 0) return;
  }
}

function measure(agent: AgentContext, sync: SyncRuntime, end: PassEnd): void {
  const { decided, outcome, refusals, snapshot } = end;
  const tookMs = agent.clock.elapsedMs() - end.startedMs;
  const { applied, pruned } = outcome;
  agent.metrics.passEnded({ sync: sync.settings.name, outcome: outcomeOf(end), tookMs, applied, pruned });
  agent.log.info('pass ended', {
    sync: sync.settings.name,
    revision: snapshot.revision,
    applied,
    pruned,
    unchanged: decided.unchanged,
    refused: refusals.length,
    waits: outcome.waits.length,
    waitsFor: end.syncWait?.on,
    tookMs: Math.round(tookMs),
  });
  for (const { error } of refusals) agent.log.warn('refused', { sync: sync.settings.name, code: error.code, error });
  if (decided.held !== undefined) {
    const { error, planId } = decided.held;
    agent.log.warn('plan held', { sync: sync.settings.name, code: error.code, error, planId });
  }
}

function outcomeOf({ decided, outcome, syncWait }: PassEnd): PassOutcome {
  if (decided.held !== undefined || syncWait !== undefined) return 'held';
  if (outcome.retry) return 'failed';
  return outcome.applied + outcome.pruned > 0 ? 'applied' : 'unchanged';
}
