import type { Plan } from '../plan/plan.ts';
import type { Snapshot } from '../source/snapshot.ts';
import type { AgentContext } from './context.ts';
import { turnOfSync } from './status-view.ts';
import type { SyncRuntime } from './sync-runtime.ts';
import type { SyncWait } from './sync-turn.ts';

/**
 * Why nothing of a plan is done yet. A commit that was applied before and has nothing to do waits for nobody: a sync
 * does not cease to be ready because another one rolls out.
 */
export function syncWaitOf(
  agent: AgentContext,
  sync: SyncRuntime,
  { revision }: Pick<Snapshot, 'revision'>,
  decided: Pick<Plan, 'steps' | 'held'>,
): SyncWait | undefined {
  if (decided.held !== undefined) return undefined;
  // The stored one: a restart of the agent is no reason to wait either.
  const applied = sync.report?.appliedRevision ?? agent.inventory.inventory.revisions[sync.settings.name];
  if (decided.steps.length === 0 && applied === revision) return undefined;
  const turn = turnOfSync(agent, sync, revision);
  return turn.kind === 'ready' ? undefined : turn;
}

/** Asked at each change of any object, so it is asked of what the last pass left behind. */
export function isAnyWaiting({ syncs }: Pick<AgentContext, 'syncs'>): boolean {
  return [...syncs.values()].some(({ report }) => report?.syncWait !== undefined);
}

/** Syncs whose turn has come are passed. */
export function wakeDependents(agent: AgentContext): void {
  for (const [name, sync] of agent.syncs) {
    const { report } = sync;
    if (report?.syncWait === undefined || report.attemptedRevision === undefined) continue;
    if (turnOfSync(agent, sync, report.attemptedRevision).kind === 'ready') agent.wake(name);
  }
}
