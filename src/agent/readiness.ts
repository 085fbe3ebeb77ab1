import { objectIdOf } from '../core/ids.ts';
import type { InventoryRow } from '../plan/inventory.ts';
import type { AgentContext } from './context.ts';
import type { SyncRuntime } from './sync-runtime.ts';

/** When the next object that is still waited for becomes late, on the monotonic clock; undefined when none does. */
export function nextLateMs(agent: AgentContext): number | undefined {
  const nowMs = agent.clock.elapsedMs();
  const due = [...agent.inventory.inventory.rows.values()].flatMap((row) => {
    const sync = agent.syncs.get(row.sync);
    const isWaited =
      sync?.settings.wait === true || sync?.report?.waits.some(({ on }) => on.includes(row.key)) === true;
    const lateMs = sync !== undefined && isWaited ? lateAtMs(agent, sync, row) : undefined;
    return lateMs !== undefined && lateMs > nowMs ? [lateMs] : [];
  });
  return due.length === 0 ? undefined : due.reduce((a, b) => Math.min(a, b));
}

export function isLate(agent: AgentContext, sync: SyncRuntime, row: InventoryRow): boolean {
  const lateMs = lateAtMs(agent, sync, row);
  return lateMs !== undefined && agent.clock.elapsedMs() >= lateMs;
}

/** `timeout` counts from the apply that began the wait, or from when the object ceased to be ready. */
function lateAtMs(agent: AgentContext, sync: SyncRuntime, row: InventoryRow): number | undefined {
  if (healthOf(agent, row) !== 'InProgress') return undefined;
  const sinceMs = agent.live.waitsSinceMs(row.key);
  return sinceMs === undefined ? undefined : sinceMs + sync.settings.timeoutMs;
}

/** As the watches say it; a row whose object ended and is gone stays what it ended as. */
export function healthOf(agent: AgentContext, row: InventoryRow): 'Current' | 'InProgress' | 'Failed' {
  // A Pod that failed is Current while it is there, too.
  if (isEndedAndGone(agent, row)) return row.failed && objectIdOf(row.key).kind === 'Job' ? 'Failed' : 'Current';
  if (agent.live.uid(row.key) === undefined) return 'InProgress';
  // Seen as metadata only (Secrets): there is nothing to become ready.
  const status = agent.live.health(row.key)?.status ?? 'Current';
  return status === 'Current' || status === 'Failed' ? status : 'InProgress';
}

export function isEndedAndGone({ live }: AgentContext, row: InventoryRow): boolean {
  return row.done && live.view(row.key) === 'absent';
}
