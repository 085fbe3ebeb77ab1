/**
 * Does the same with every item, a few at a time, and gives the results in order. All that was begun has ended before an error
 * leaves, so that nothing is written into memory that was wiped meanwhile.
 */
export async function inLanes<T, R>(items: readonly T[], lanes: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let first = 0; first < items.length; first += lanes) {
    for (const lane of await Promise.allSettled(items.slice(first, first + lanes).map(work))) {
      if (lane.status === 'rejected') throw lane.reason;
      results.push(lane.value);
    }
  }
  return results;
}
