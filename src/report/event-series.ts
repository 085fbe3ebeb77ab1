import type { EventFacts, EventObject, EventReporter } from './events.ts';
import { buildEvent, eventIdentity, microTime } from './events.ts';

/**
 * De-duplication of Events: the same thing again within ten minutes becomes a count on the Event that is there, and
 * the count is sent only when it has doubled (at most every minute) or half an hour has passed, because the API server
 * drops an Event an hour after its last write.
 */
const SERIES_GAP_MS = 10 * 60_000;
const MIN_PATCH_GAP_MS = 60_000;
const MAX_PATCH_GAP_MS = 30 * 60_000;
/** Series remembered; beyond, the one that was silent longest is forgotten and would start anew. */
const MAX_SERIES = 1_000;

export interface SeriesPatch {
  readonly series: { readonly count: number; readonly lastObservedTime: string };
}

/** What to send. `patch` goes as a merge patch; on 404 create `event`, on 409 of a create send a patch. */
export type EventWrite =
  | { readonly action: 'none' }
  | { readonly action: 'create'; readonly event: EventObject }
  | { readonly action: 'patch'; readonly event: EventObject; readonly patch: SeriesPatch };

interface Series {
  readonly event: EventObject;
  readonly count: number;
  readonly seenAtMs: number;
  readonly sentCount: number;
  readonly sentAtMs: number;
}

/** The series known, the longest silent first. A value: `recordEvent` returns the next one. */
export type EventBook = ReadonlyMap<string, Series>;

export const emptyEventBook: EventBook = new Map();

export interface EventRecorded {
  readonly book: EventBook;
  readonly write: EventWrite;
}

/** One occurrence at `at`; the book that follows and what to send for it. */
export function recordEvent(book: EventBook, facts: EventFacts, reporter: EventReporter, at: Date): EventRecorded {
  const id = eventIdentity(facts);
  const nowMs = at.getTime();
  const known = book.get(id);
  if (known === undefined || nowMs - known.seenAtMs > SERIES_GAP_MS) {
    // A start in the same ten minutes has the same name: a restarted agent meets its own Event.
    const event = buildEvent(facts, reporter, at, String(Math.floor(nowMs / SERIES_GAP_MS)));
    const series = { event, count: 1, seenAtMs: nowMs, sentCount: 1, sentAtMs: nowMs };
    return { book: withSeries(book, id, series, nowMs), write: { action: 'create', event } };
  }
  const seen = { ...known, count: known.count + 1, seenAtMs: nowMs };
  const sentMsAgo = nowMs - known.sentAtMs;
  const doubled = seen.count >= 2 * known.sentCount && sentMsAgo >= MIN_PATCH_GAP_MS;
  if (!doubled && sentMsAgo < MAX_PATCH_GAP_MS)
    return { book: withSeries(book, id, seen, nowMs), write: { action: 'none' } };
  const sent = { ...seen, sentCount: seen.count, sentAtMs: nowMs };
  const patch = { series: { count: seen.count, lastObservedTime: microTime(at) } };
  return { book: withSeries(book, id, sent, nowMs), write: { action: 'patch', event: known.event, patch } };
}

/** The patch for an Event whose create met 409: this process did not know that it is there. */
export function patchOfExisting(at: Date): SeriesPatch {
  return { series: { count: 2, lastObservedTime: microTime(at) } };
}

function withSeries(book: EventBook, id: string, series: Series, nowMs: number): EventBook {
  const next = new Map(book);
  next.delete(id);
  for (const [otherId, other] of next) {
    if (next.size < MAX_SERIES && nowMs - other.seenAtMs <= SERIES_GAP_MS) break;
    next.delete(otherId);
  }
  return next.set(id, series);
}
