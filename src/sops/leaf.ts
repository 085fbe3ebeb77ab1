import type { Ciphertext } from '../core/closed.ts';
import type { Enc, EncType } from './enc.ts';

/** An encrypted scalar as it stands in the file. */
export interface EncryptedValue {
  /** `ENC[…]`. */
  readonly text: string;
  readonly enc: Enc;
  /** The map keys on the way to it: what it is bound to. */
  readonly path: readonly string[];
  /** 1-based. */
  readonly line: number;
}

/** An encrypted scalar in the tree of a document: where a manifest has a value, a SOPS file has one of these. */
export class SopsLeaf implements Ciphertext, EncryptedValue {
  readonly text: string;
  readonly enc: Enc;
  readonly path: readonly string[];
  readonly line: number;
  /** Where kubectl sees it, list indices as decimal strings. */
  readonly place: readonly string[];
  /** What the file says of its type. Nothing vouches for it (spec/sops.md, section 3). */
  readonly type: EncType;

  constructor(value: EncryptedValue, place: readonly string[]) {
    this.text = value.text;
    this.enc = value.enc;
    this.path = value.path;
    this.line = value.line;
    this.place = place;
    this.type = value.enc.type;
  }
}
