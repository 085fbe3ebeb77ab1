import type { ClosedObject } from '../core/closed.ts';
import type { SottoError } from '../core/errors.ts';
import type { ObjectId, ObjectKey, SourceDigest } from '../core/ids.ts';
import type { Refusal } from '../core/refusal.ts';

/** One object as Git wants it: normalised, namespaced, still closed. */
export interface DesiredObject {
  readonly id: ObjectId;
  readonly key: ObjectKey;
  readonly apiVersion: string;
  readonly tree: ClosedObject;
  readonly digest: SourceDigest;
  readonly file: string;
  readonly line: number;
  /** Its values come encrypted from Git. */
  readonly encrypted: boolean;
}

/** An object of the repository that is deliberately not ours to apply. */
export interface Skipped {
  readonly id: ObjectId;
  readonly file: string;
  readonly why: string;
}

export interface DesiredSet {
  readonly objects: readonly DesiredObject[];
  readonly refusals: readonly Refusal[];
  readonly skipped: readonly Skipped[];
  /** What is applied all the same and should not stay so. */
  readonly warnings: readonly SottoError[];
}
