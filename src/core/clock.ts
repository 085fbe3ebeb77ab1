/** Time as a value that can be handed in: wall time for people, monotonic time for durations. */
export interface Clock {
  /** Wall clock. */
  now(): Date;
  /** Monotonic milliseconds: never compared with wall time or another machine's. */
  elapsedMs(): number;
}

export const systemClock: Clock = {
  now: () => new Date(),
  elapsedMs: () => performance.now(),
};

/** RFC 3339 UTC in whole seconds, the form Kubernetes and the status document use. */
export function rfc3339(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}
