import type { ObjectKey } from '../core/ids.ts';
import type { AgentContext } from './context.ts';
import type { Blocked, SyncRuntime } from './sync-runtime.ts';

/** Past this the wait is `interval` whatever the settings are. */
const MAX_TRIES = 20;

/** What the same request would meet again is not sent again with every pass. */
export function block(
  { blocked }: SyncRuntime,
  key: ObjectKey,
  failure: Pick<Blocked, 'action' | 'digest' | 'error'>,
  nowMs: number,
): void {
  const before = blocked.get(key);
  const isSame = before?.action === failure.action && before.digest === failure.digest;
  const tries = isSame ? Math.min(before.tries + 1, MAX_TRIES) : 0;
  blocked.set(key, { ...failure, tries, sinceMs: nowMs });
}

/**
 * When it is tried again: after `retryInterval`, because a right may have been given, then after twice, four times that,
 * and at last with `interval`. A month of it costs as many requests as a month of looking at `interval`.
 */
export function blockedUntilMs({ sinceMs, tries }: Blocked, { settings }: SyncRuntime): number {
  return sinceMs + Math.min(settings.intervalMs, settings.retryIntervalMs * 2 ** tries);
}

/** When the first of them is tried again; undefined when nothing is blocked. */
export function nextTryMs(sync: SyncRuntime): number | undefined {
  const due = [...sync.blocked.values()].map((blocked) => blockedUntilMs(blocked, sync));
  return due.length === 0 ? undefined : Math.min(...due);
}

/** The namespace is there again: what was refused because it went is tried at once. */
export function wakeSuspended(agent: Pick<AgentContext, 'ending' | 'syncs' | 'wake'>): void {
  if (!agent.ending.lives()) return;
  for (const [name, { blocked }] of agent.syncs) {
    for (const [key, { error }] of blocked) if (error.code === 'SOTTO-KUBE-013') blocked.delete(key);
    agent.wake(name);
  }
}
