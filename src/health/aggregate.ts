import type { HealthStatus } from './result.ts';

/**
 * Status of several objects that should all be Current (kstatus' aggregator): nothing to wait for is Current, one
 * Failed is Failed, else one Unknown is Unknown, else all must be there.
 */
export function aggregate(statuses: Iterable<HealthStatus>): HealthStatus {
  const seen = new Set(statuses);
  if (seen.has('Failed')) return 'Failed';
  if (seen.has('Unknown')) return 'Unknown';
  const others = [...seen].filter((status) => status !== 'Current');
  return others.length === 0 ? 'Current' : 'InProgress';
}
