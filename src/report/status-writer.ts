import { hash } from 'node:crypto';
import type { CorrectionStatus, StatusDocument } from './status.ts';

/**
 * When the status ConfigMap is written: on transitions only, a burst as one write, at most every 10 s, but at once
 * when somebody waits for the answer to a request. Pure: times are monotonic milliseconds handed in.
 */
export const STATUS_INTERVAL_MS = 10_000;
export const STATUS_DEBOUNCE_MS = 500;
const RETRY_FIRST_MS = 2_000;
const RETRY_MAX_MS = 60_000;

/**
 * Digest of what counts as a transition. Durations do not; the same correction of the same object counts once in ten
 * minutes, so that two controllers that fight about a field do not keep the status being written.
 */
export function transitionDigest(document: StatusDocument): string {
  const corrections = [...new Set(document.corrections.map(correctionIdentity))].toSorted();
  return hash('sha256', JSON.stringify({ ...document, corrections }));
}

function correctionIdentity(item: CorrectionStatus): string {
  // `2026-11-23T12:3`: ten minutes.
  const window = item.at.slice(0, 15);
  return JSON.stringify([window, item.object, item.paths, item.manager, item.operation, item.outcome]);
}

export interface StatusWriterState {
  /** Digest of what the API server has; absent before the first write of this process. */
  readonly writtenDigest?: string | undefined;
  readonly writtenAtMs?: number | undefined;
  /** Digest of the document as it is now. */
  readonly wantedDigest?: string | undefined;
  /** When the first change came that is not written yet. */
  readonly changedAtMs?: number | undefined;
  /** Somebody waits for what is not written yet. */
  readonly urgent: boolean;
  readonly failures: number;
  /** No attempt before this time. */
  readonly blockedUntilMs: number;
}

export const initialStatusWriter: StatusWriterState = {
  urgent: false,
  failures: 0,
  blockedUntilMs: Number.NEGATIVE_INFINITY,
};

/** The document may have changed. `urgent`: it holds the answer to a request. */
export function statusChanged(
  state: StatusWriterState,
  change: { readonly digest: string; readonly urgent: boolean; readonly nowMs: number },
): StatusWriterState {
  const wantedDigest = change.digest;
  if (wantedDigest === state.writtenDigest) return { ...state, wantedDigest, changedAtMs: undefined, urgent: false };
  // The first change of a burst starts the clock: a stream of changes cannot put the write off for ever.
  const changedAtMs = state.changedAtMs ?? change.nowMs;
  return { ...state, wantedDigest, changedAtMs, urgent: state.urgent || change.urgent };
}

/** The time of the next write, in the past when it is due; undefined when there is nothing to write. */
export function statusDueAtMs(state: StatusWriterState): number | undefined {
  if (state.wantedDigest === undefined || state.wantedDigest === state.writtenDigest) return undefined;
  const changedAtMs = state.changedAtMs ?? Number.NEGATIVE_INFINITY;
  if (state.urgent) return Math.max(changedAtMs, state.blockedUntilMs);
  const writtenAtMs = state.writtenAtMs ?? Number.NEGATIVE_INFINITY;
  return Math.max(changedAtMs + STATUS_DEBOUNCE_MS, writtenAtMs + STATUS_INTERVAL_MS, state.blockedUntilMs);
}

/** The write of `digest` succeeded. What changed while it was under way, back to the old included, goes on waiting. */
export function statusWritten(
  state: StatusWriterState,
  write: { readonly digest: string; readonly nowMs: number },
): StatusWriterState {
  const written = { ...initialStatusWriter, writtenDigest: write.digest, writtenAtMs: write.nowMs };
  if (state.wantedDigest === write.digest) return { ...written, wantedDigest: write.digest };
  return { ...written, wantedDigest: state.wantedDigest, changedAtMs: write.nowMs, urgent: state.urgent };
}

/** The write failed: again after 2, 4, 8 … 60 s, urgent or not. */
export function statusWriteFailed(state: StatusWriterState, nowMs: number): StatusWriterState {
  const delayMs = Math.min(RETRY_FIRST_MS * 2 ** state.failures, RETRY_MAX_MS);
  return { ...state, failures: state.failures + 1, blockedUntilMs: nowMs + delayMs };
}
