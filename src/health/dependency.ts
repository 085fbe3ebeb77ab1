import type { Health } from './result.ts';

/** What an object means to those that depend on it. `waits`: that can change; `failed`: not by itself. */
export type Readiness = 'ready' | 'waits' | 'failed';

/** Current as kstatus has it, but a Job must be Complete and a Pod Ready or Succeeded (docs/order.md). */
export function readinessFor({ status, reason }: Health): Readiness {
  if (status === 'Failed') return 'failed';
  if (status !== 'Current') return 'waits';
  if (reason === POD_FAILED) return 'failed';
  return reason === JOB_RUNNING || reason === JOB_SUSPENDED ? 'waits' : 'ready';
}

/** Reasons of objects that are Current and not what others wait for. */
export const JOB_RUNNING = 'JobRunning';
export const JOB_SUSPENDED = 'JobSuspended';
export const POD_FAILED = 'PodFailed';
