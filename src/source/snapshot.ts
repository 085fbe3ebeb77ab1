import type { SottoError } from '../core/errors.ts';
import type { Revision } from '../core/ids.ts';
import type { BlobId, CommitId } from '../git/output.ts';

/** One manifest of the repository. */
export interface SnapshotFile {
  /** From the root of the repository, with slashes. */
  readonly path: string;
  readonly blob: BlobId;
  readonly bytes: Uint8Array;
}

/** Something below the path that would have been read if it were a plain file with a plain name and not too large. */
export interface SkippedEntry {
  readonly path: string;
  readonly why: string;
  /** Where there is more to say than that it is no plain file: it is larger than a file may be. */
  readonly error?: SottoError | undefined;
}

/** What one commit says at one path. Files are sorted by path. */
export interface Snapshot {
  readonly revision: Revision;
  readonly commit: CommitId;
  /** From the root of the repository; the root is the empty string. */
  readonly path: string;
  readonly files: readonly SnapshotFile[];
  readonly skipped: readonly SkippedEntry[];
  /** The folder exists and holds no manifest. */
  readonly isEmpty: boolean;
  /** The kustomization of the path: it says what is applied, and no file was read yet. */
  readonly kustomization?: string | undefined;
  /** Set when the path as a whole cannot be applied. No file was read then: nothing is desired, nothing is pruned. */
  readonly refusal?: SottoError | undefined;
  /** Set when the head could not be shown to come after the commit pulled before. */
  readonly rewound?: { readonly from: string } | undefined;
}

/** What stands at one path of a commit. */
export type Standing =
  | {
      readonly kind: 'file';
      readonly file: { readonly kind: 'file'; readonly bytes: Uint8Array; readonly blob: BlobId };
    }
  | { readonly kind: 'folder' | 'absent' }
  /** Itself, or a folder on the way to it, is a link or a submodule. */
  | { readonly kind: 'irregular'; readonly path: string }
  | { readonly kind: 'refused'; readonly error: SottoError };

/** What a pull builds on: a snapshot, or only the commit when that is all that is remembered. */
export interface PulledBefore {
  readonly commit: string;
  readonly files: readonly SnapshotFile[];
}
