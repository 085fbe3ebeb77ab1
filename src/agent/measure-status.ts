import type { Metrics } from '../report/metrics.ts';
import type { StatusDocument } from '../report/status.ts';

/** What of a status document is counted. */
export function measureStatus(metrics: Metrics, { syncs, keys, rehearsal, exposures = [] }: StatusDocument): void {
  for (const { name, state, counts, attentionTotal } of syncs) {
    metrics.state(name, state);
    metrics.objects(name, counts, attentionTotal);
  }
  metrics.keys(keys);
  metrics.exposed(exposures.reduce((sum, { open }) => sum + open, 0));
  if (rehearsal !== undefined) metrics.rehearsed(new Date(rehearsal.at));
}
