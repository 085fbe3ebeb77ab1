import { setTimeout as sleep } from 'node:timers/promises';

export interface Seen<T> {
  readonly value: T;
  /** `performance.now()` when the answer that showed it was there. */
  readonly atMs: number;
}

export interface Patience {
  readonly signal: AbortSignal;
  readonly timeoutMs?: number;
  /** Between two looks; short, because what is measured can be over in a few milliseconds. */
  readonly pauseMs?: number;
}

const TIMEOUT_MS = 30_000;
const PAUSE_MS = 2;

/** Looks again and again until there is an answer; undefined when the time is over. Throws when the signal comes. */
export async function until<T>(look: () => Promise<T | undefined>, patience: Patience): Promise<Seen<T> | undefined> {
  const { signal, timeoutMs = TIMEOUT_MS, pauseMs = PAUSE_MS } = patience;
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    signal.throwIfAborted();
    const value = await look();
    if (value !== undefined) return { value, atMs: performance.now() };
    if (performance.now() > deadlineMs) return undefined;
    await sleep(pauseMs, undefined, { signal });
  }
}
