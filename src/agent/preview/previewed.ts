import type { SottoError } from '../../core/errors.ts';
import type { FieldChange } from '../../plan/tree-diff.ts';

/** A key of a Secret and what a pass would do to it; a value is never part of it. */
export interface KeyChange {
  readonly key: string;
  /** `unknown`: no key at hand opens the file, or nobody is recorded as owner of what is live. */
  readonly change: 'added' | 'removed' | 'changed' | 'same' | 'unknown';
}

export interface Differences {
  /** Of a Secret only what is public: labels, annotations, `immutable`. */
  readonly fields: readonly FieldChange[];
  /** Keys of a Secret. */
  readonly keys: readonly KeyChange[];
}

/** The object and where it stands in Git. */
export interface Stands {
  readonly object: string;
  readonly file: string;
  readonly line: number;
}

/** Set where no key at hand opens the values, with what was missing. */
interface Unopened {
  readonly unopened?: SottoError | undefined;
}

export type Previewed =
  | ({ readonly kind: 'create' } & Stands & Unopened)
  | ({ readonly kind: 'change' } & Stands & Differences & Unopened)
  /** A field cannot be changed in place: it is deleted and made anew. */
  | ({ readonly kind: 'recreate' } & Stands & Differences)
  /** Its document in Git is another one than what was applied, and nothing of the object differs. */
  | ({ readonly kind: 'rewritten'; readonly encrypted: boolean } & Stands)
  /** Nothing differs as far as can be seen, and values cannot be. */
  | ({ readonly kind: 'unknown'; readonly unopened: SottoError } & Stands & Differences)
  | { readonly kind: 'prune'; readonly object: string; readonly sync: string }
  /** It left Git and stays. `error`: because something has to be done first. */
  | {
      readonly kind: 'kept';
      readonly object: string;
      readonly sync: string;
      readonly why: string;
      readonly error?: SottoError | undefined;
    }
  /** Nothing of this sync would be done until a person agrees: what else is listed of it waits as well. */
  | {
      readonly kind: 'held';
      readonly sync: string;
      readonly creates: number;
      readonly prunes: number;
      readonly error: SottoError;
    }
  | ({ readonly kind: 'refused'; readonly error: SottoError } & Differences);

/** For whom a file is encrypted now, against the commit that is applied. */
export interface RecipientChange {
  readonly file: string;
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

export interface Preview {
  /** Told by whoever has the commit that is applied. */
  readonly recipients?: readonly RecipientChange[];
  readonly changes: readonly Previewed[];
  readonly unchanged: number;
  /** What is applied all the same and should not stay so. */
  readonly warnings: readonly SottoError[];
  /** Syncs of which nothing is done before they are resumed. */
  readonly suspended: readonly string[];
  /** False when only some syncs were looked at: what left Git is not in it then. */
  readonly prunesShown: boolean;
  /** False when no key was at hand at all, so that values could not be compared. */
  readonly hasKeys: boolean;
}

export const NO_DIFFERENCES: Differences = { fields: [], keys: [] };

export function isDifferent({ fields, keys }: Differences): boolean {
  return fields.length > 0 || keys.some(({ change }) => change !== 'same');
}
