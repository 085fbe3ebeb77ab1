import type { SourceDigest } from '../core/ids.ts';
import type { CorrectionStep } from './correction.ts';
import type { LiveRecord } from './record.ts';
import { withAccepted } from './record.ts';
import type { Drifted } from './verdict.ts';

/** One pair of desired document and live state that a correction does not bring together. */
export type FutilityKey = string & { readonly brand: 'FutilityKey' };

/** What one step of a correction did to the object's resourceVersion. */
export interface StepOutcome {
  readonly kind: CorrectionStep['kind'];
  readonly rvBefore: string;
  readonly rvAfter: string;
}

/**
 * Whether the server saw no difference between what is there and what we sent (spec/drift.md 3.6). The answer is
 * adopted then, whatever the judgement was: the server is the judge, and asking again would be a loop. Judged over all
 * steps that were answered: a fold alone changes no value, and an apply after a patch that did the work may be a no-op.
 */
export function isFutile(drift: Drifted, outcomes: readonly StepOutcome[], answer: LiveRecord): boolean {
  const sent = outcomes.filter(({ kind }) => kind !== 'fold');
  if (sent.length === 0 || answer.uid !== drift.seen.uid) return false;
  if (sent.every(({ rvBefore, rvAfter }) => rvBefore === rvAfter)) return true;
  // Servers that bump the version of a no-op. Metadata does not show values, and additions are not in the digest.
  if (answer.mode === 'meta' || drift.additions.length > 0) return false;
  return answer.setDigest === drift.seen.setDigest && answer.valueMac === drift.seen.valueMac;
}

/**
 * The baseline after a futile correction. What `judgeAnswer` still finds in the answer is accepted: defaults that come
 * back (P11). Never a key written as stringData: its path stays with its writer after the key has gone from data, and
 * accepting it would let the key return unseen.
 */
export function adoptFutile(answer: LiveRecord, left: Drifted | undefined): LiveRecord {
  const paths = (left?.additions ?? []).map(({ path }) => path);
  return withAccepted(
    answer,
    paths.filter((path) => path[0] !== 'f:stringData'),
  );
}

/** Kept after a futile correction: a later drift with the same key is adopted without a request. */
export function futilityKey(source: SourceDigest, seen: LiveRecord): FutilityKey {
  return `${source}/${seen.setDigest ?? ''}/${seen.valueMac}` as FutilityKey;
}
