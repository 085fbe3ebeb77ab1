import { type Repeat, withRetry } from '../kube/retry.ts';
import type { AgentSetup } from './setup.ts';

/** For requests without which nothing begins: one hiccup of the API server must not end a start. */
export function repeating({ random, log }: Pick<AgentSetup, 'random' | 'log'>, signal: AbortSignal): Repeat {
  return (attempt) =>
    withRetry(attempt, {
      random,
      signal,
      onWait: ({ kind, status }, retryInMs) => {
        log.warn('the API server did not answer as it should and is asked again', { reason: kind, status, retryInMs });
      },
    });
}
