import type { SottoError } from '../core/errors.ts';
import type { SourceDigest } from '../core/ids.ts';
import type { Refusal } from '../core/refusal.ts';
import type { ClosedDocument } from '../open/document.ts';

/** What a commit says at the path of a sync, still closed. */
export type Said =
  | {
      readonly ok: true;
      readonly documents: readonly ClosedDocument[];
      readonly refusals: readonly Refusal[];
      readonly warnings: readonly SottoError[];
    }
  /** Nothing of the path can be told: nothing is applied and nothing pruned. At least one. */
  | { readonly ok: false; readonly errors: readonly SottoError[] };

/** The last build of a sync, as long as nothing changes that it was made from. */
export interface LastBuild {
  readonly digest: SourceDigest;
  readonly said: Said & { readonly ok: true };
}
