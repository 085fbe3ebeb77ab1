import type { AgentContext } from './context.ts';
import type { PassEnd } from './report-pass.ts';
import type { SyncRuntime } from './sync-runtime.ts';

/** After a pass: whether anything of the sync is still made with the former key. */
export function noteCarried(
  { fingerprint, exposures }: AgentContext,
  sync: SyncRuntime,
  end: PassEnd,
  left: number,
): void {
  if (fingerprint.former === undefined) return;
  const { decided, outcome, refusals } = end;
  const isWhole =
    decided.held === undefined &&
    decided.paused === 0 &&
    !outcome.retry &&
    outcome.waits.length === 0 &&
    refusals.length === 0 &&
    left === 0 &&
    !exposures.isBehind &&
    sync.keptOf !== undefined;
  if (isWhole) fingerprint.carried.add(sync.settings.name);
  else fingerprint.carried.delete(sync.settings.name);
}

/** Syncs that may have something that was made with the former key. */
export function notCarried({ fingerprint, syncs }: Pick<AgentContext, 'fingerprint' | 'syncs'>): SyncRuntime[] {
  if (fingerprint.former === undefined) return [];
  return [...syncs.values()].filter(({ settings }) => !fingerprint.carried.has(settings.name));
}
