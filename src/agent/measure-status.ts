import type { Metrics } from '../report/metrics.ts';
import type { StatusDocument } from '../report/status.ts';

/** What of a status document is counted. */
export function measureStatus(metrics: Metrics, { syncs, keys, rehearsal }: StatusDocument): void {
  for (const { name, state, counts, attentionTotal } of syncs) {
    metrics.state(name, state);
    metrics.objects(name, counts, attentionTotal);
  }
  metrics.keys(keys);
  if (rehearsal !== undefined) metrics.rehearsed(new Date(rehearsal.at));
}
