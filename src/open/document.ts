import type { CipherSource, ClosedObject } from '../core/closed.ts';
import type { SourceDigest } from '../core/ids.ts';
import type { Refusal } from '../core/refusal.ts';

/** One object as it stands in Git, closed: its secret leaves are references. */
export interface ClosedDocument {
  readonly file: string;
  /** 1-based line at which the document starts. */
  readonly line: number;
  readonly tree: ClosedObject;
  readonly encryption: 'none' | CipherSource['format'];
  /** Of the ciphertext where the document is encrypted. Equal digest: nothing to open, nothing to apply. */
  readonly digest: SourceDigest;
  /** The line of a key path, for errors; undefined where it is not known. */
  readonly lineAt: (path: readonly string[]) => number | undefined;
}

/** What `open` makes of the files of a snapshot. */
export interface Opened {
  readonly documents: readonly ClosedDocument[];
  readonly refusals: readonly Refusal[];
}
