import type { SottoError } from './errors.ts';
import type { ObjectId } from './ids.ts';

/**
 * Something of Git that is not applied, with the reason. It keeps its last good live state and is never pruned:
 * the id protects one object; without an id the whole file could not be read and every object of it is protected.
 */
export interface Refusal {
  readonly error: SottoError;
  readonly file: string;
  readonly id?: ObjectId | undefined;
}
