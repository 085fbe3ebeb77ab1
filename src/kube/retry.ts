import { setTimeout as sleep } from 'node:timers/promises';
import type { FailureKind, KubeFailure } from './failure.ts';
import type { Outcome } from './outcome.ts';

export interface RetryOptions {
  /** Attempts in total. Default 4. */
  readonly attempts?: number | undefined;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly signal?: AbortSignal | undefined;
  /** Told before each wait. */
  readonly onWait?: ((failure: KubeFailure, waitMs: number) => void) | undefined;
}

/** Whether and how often a request is repeated, decided by whoever knows what hangs on it. */
export type Repeat = <Value>(attempt: () => Promise<Outcome<Value>>) => Promise<Outcome<Value>>;

export const unrepeated: Repeat = (attempt) => attempt();

const WORTH_REPEATING: ReadonlySet<FailureKind> = new Set<FailureKind>([
  'unreachable',
  'timeout',
  'unauthorized',
  'throttled',
  'server',
]);

const FIRST_WAIT_MS = 500;
const MAX_WAIT_MS = 30_000;

/**
 * Repeats a request that may be repeated: an apply, a read. Each attempt is made anew, so a secret body is filled again.
 * Waits as long as the server asked, and a little more so that many clients do not come back at once.
 */
export async function withRetry<Value>(
  attempt: () => Promise<Outcome<Value>>,
  options: RetryOptions,
): Promise<Outcome<Value>> {
  const attempts = options.attempts ?? 4;
  for (let count = 1; ; count += 1) {
    const outcome = await attempt();
    if (outcome.ok || count >= attempts || !WORTH_REPEATING.has(outcome.failure.kind)) return outcome;
    const waitMs = waitBefore(count, outcome.failure, options.random());
    options.onWait?.(outcome.failure, waitMs);
    // A signal ends the wait and the last failure stands.
    await sleep(waitMs, undefined, { signal: options.signal }).catch(() => undefined);
    if (options.signal?.aborted === true) return outcome;
  }
}

/** Milliseconds to wait after the `count`-th failure. */
export function waitBefore(count: number, failure: KubeFailure, random: number): number {
  const baseMs = failure.retryAfterMs ?? Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** (count - 1));
  return Math.min(MAX_WAIT_MS * 2, Math.round(baseMs + (0.1 + 0.4 * random) * Math.max(baseMs, FIRST_WAIT_MS)));
}
