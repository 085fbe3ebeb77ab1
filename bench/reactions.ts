import type { AuditEntry } from '../src/demo/audit-log.ts';
import { type Spread, spreadOf } from './statistics.ts';

/**
 * From the end of an edit to the arrival of the PATCH that answers it, both by the clock of the API server: watching,
 * judging, building the body and sending it, without the time that the server takes for it.
 */
export function reactionTimes(entries: readonly AuditEntry[], editor: string, writer: string): Spread {
  const patches = entries.filter(({ verb, resource }) => verb === 'patch' && resource === 'configmaps');
  const isEdit = ({ uri }: AuditEntry): boolean => uri.includes(`fieldManager=${editor}`);
  const answers = patches.filter((entry) => entry.user === writer && !isEdit(entry));
  const times: number[] = [];
  for (const edit of patches.filter(isEdit)) {
    const answer = answers.find(
      ({ name, namespace, receivedAt }) =>
        name === edit.name && namespace === edit.namespace && micros(receivedAt) >= micros(edit.receivedAt),
    );
    if (answer !== undefined) times.push((micros(answer.receivedAt) - micros(edit.endedAt)) / 1000);
  }
  return spreadOf(times);
}

/** The log has microseconds, a Date only milliseconds. */
function micros(timestamp: string): number {
  const [, fraction = ''] = /\.(\d+)Z$/.exec(timestamp) ?? [];
  const seconds = Math.floor(Date.parse(timestamp) / 1000);
  return seconds * 1_000_000 + Number(fraction.padEnd(6, '0').slice(0, 6));
}
