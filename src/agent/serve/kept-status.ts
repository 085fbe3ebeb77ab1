import type { Clock } from '../../core/clock.ts';

/** Nobody reads faster; whoever asks faster must not keep the agent from its work. */
const KEPT_MS = 500;

/** Makes the document anew at most once in a while: it is made from every row, and anybody on the machine may ask. */
export function keptStatus(make: () => unknown, clock: Pick<Clock, 'elapsedMs'>): () => unknown {
  let kept: { readonly status: unknown; readonly atMs: number } | undefined;
  return () => {
    const nowMs = clock.elapsedMs();
    if (kept !== undefined && nowMs - kept.atMs < KEPT_MS) return kept.status;
    const status = make();
    // That there is none yet costs nothing, and may end at any moment.
    kept = status === undefined ? undefined : { status, atMs: nowMs };
    return status;
  };
}
