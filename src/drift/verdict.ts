import type { Addition } from './additions.ts';
import type { ManagedEntry, ManagerRef } from './entries.ts';
import { managerRefs } from './entries.ts';
import type { FieldPath } from './fields.ts';
import type { Loss, Yielded } from './losses.ts';
import type { LiveRecord } from './record.ts';

/** Why an event that shows no difference may still hide one. A forced apply is the check and the repair. */
export type Doubt =
  /** The server does not list us among the managers, and did not in its last answer to us. */
  | 'no-own-entry'
  | 'unreadable-entry'
  | 'own-time-moved'
  /** Metadata only, of a kind whose generation does not count changes (Secret). */
  | 'no-generation'
  | 'generation-moved';

export interface Drifted {
  readonly kind: 'drifted';
  /** Ours at the baseline, somebody else's or nobody's now. */
  readonly lost: readonly Loss[];
  /** In our entry but not at the baseline: somebody applied under our name. */
  readonly gained: readonly FieldPath[];
  /** Still ours, with another value or order. Empty when paths were lost: those say enough. */
  readonly changed: readonly FieldPath[];
  readonly additions: readonly Addition[];
  readonly entryAbsent: boolean;
  /** All values are right, ownership alone was taken: no apply is due, a fold is. */
  readonly ghost: boolean;
  /** Metadata only: values may have changed besides. */
  readonly valuesInDoubt: boolean;
  /** To be left out of the apply body, besides the record's own. */
  readonly yielded: readonly FieldPath[];
  /** The judged state as a record: what the answer is compared with (futility), and the baseline if it is adopted. */
  readonly seen: LiveRecord;
}

export type Verdict =
  /** Own echo or stale. */
  | { readonly kind: 'drop' }
  /** An apply is in flight: keep the newest event, judge it after the answer. */
  | { readonly kind: 'hold' }
  /** Nothing to do: store the record. */
  | { readonly kind: 'in-sync'; readonly record: LiveRecord }
  /** Paths were left to their takers: store the record, tell the user once. */
  | {
      readonly kind: 'yield';
      readonly yielded: readonly Yielded[];
      readonly filled: readonly FieldPath[];
      readonly record: LiveRecord;
    }
  /** Ask once whether an HPA or ScaledObject targets the object, then judge again. */
  | { readonly kind: 'ask-autoscaler' }
  | { readonly kind: 'suspect'; readonly why: Doubt; readonly yielded: readonly FieldPath[] }
  | Drifted
  /** Being deleted: no writes until DELETED. */
  | { readonly kind: 'terminating' }
  /** Another agent's label is on it: report, write nothing. Both texts are printable. */
  | { readonly kind: 'conflict'; readonly owner: string; readonly manager: string }
  /** Another object of the same name, or our label went: apply without force and read the answer. */
  | { readonly kind: 'lost-object'; readonly why: 'replaced' | 'label-lost' | 'label-changed' };

/** What `ignore` leaves as it is; that an object is gone, replaced or lost to our stream is another matter. */
export function isChange({ kind }: Verdict): boolean {
  return kind === 'drifted' || kind === 'suspect' || kind === 'ask-autoscaler';
}

/** Who took or added something, each once; empty when nobody is on record. */
export function driftManagers(drift: Drifted): ManagerRef[] {
  const takers = drift.lost.map(({ taker }) => taker).filter((taker) => taker !== undefined);
  const entries: ManagedEntry[] = [...takers, ...drift.additions.map(({ entry }) => entry)];
  return managerRefs(entries);
}
