import type { Refusal } from '../core/refusal.ts';
import type { Plan } from '../plan/plan.ts';
import type { DesiredSet } from '../render/desired.ts';
import type { PassOutcome } from '../report/metrics.ts';
import type { Snapshot } from '../source/snapshot.ts';
import type { Carried } from './carry-out.ts';
import type { AgentContext } from './context.ts';
import type { SyncRuntime } from './sync-runtime.ts';

/** All that one pass found and did. */
export interface PassEnd {
  readonly snapshot: Snapshot;
  readonly desired: DesiredSet;
  readonly decided: Plan;
  readonly outcome: Carried;
  readonly refusals: readonly Refusal[];
  readonly startedMs: number;
}

/** What the pass leaves behind: the report of the sync, log lines, metrics. Nothing is decided here. */
export function reportPass(agent: AgentContext, sync: SyncRuntime, end: PassEnd): void {
  const { snapshot, desired, decided, outcome, refusals, startedMs } = end;
  const isComplete = decided.held === undefined && !outcome.retry;
  if (isComplete) agent.inventory.setRevision(sync.settings.name, snapshot.revision);
  // Every object of Git was applied again, so the rows are what sotto applied and nothing else.
  if (isComplete && refusals.length === 0) agent.inventory.lost = false;
  sync.stale = false;
  sync.report = {
    attemptedRevision: snapshot.revision,
    appliedRevision: isComplete ? snapshot.revision : sync.report?.appliedRevision,
    refusals,
    waiting: decided.waiting,
    held: decided.held,
    desired: desired.objects.length,
    pruned: outcome.pruned,
    startedMs,
    retry: outcome.retry,
  };
  measure(agent, sync, end);
  agent.changed();
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
    tookMs: Math.round(tookMs),
  });
  for (const { error } of refusals) agent.log.warn('refused', { sync: sync.settings.name, code: error.code, error });
  if (decided.held !== undefined) {
    const { error, planId } = decided.held;
    agent.log.warn('plan held', { sync: sync.settings.name, code: error.code, error, planId });
  }
}

function outcomeOf({ decided, outcome }: PassEnd): PassOutcome {
  if (decided.held !== undefined) return 'held';
  if (outcome.retry) return 'failed';
  return outcome.applied + outcome.pruned > 0 ? 'applied' : 'unchanged';
}
