import type { Ciphertext } from '../core/closed.ts';

/** One entry of `encryptedData`. The text is ciphertext and may be shown. */
export interface SealedItem extends Ciphertext {
  /** Name of the entry in the Secret's `data`. It is not bound to the ciphertext. */
  readonly key: string;
  readonly line: number;
}
