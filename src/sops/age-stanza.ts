import type { Identity, Stanza } from 'age-encryption';
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { SottoError } from '../core/errors.ts';
import { copySecret, ownedBytes } from '../core/sensitive.ts';

/** What opens age files. The secret part is inside OpenSSL or in owned memory, never a string. */
export interface AgeIdentity extends Identity {
  readonly kind: 'age';
  /** The recipient that belongs to it: not secret. */
  readonly recipient: string;
  /**
   * The 16-byte file key, which the caller wipes, or null when no stanza is for this identity.
   * Throws SottoError for a stanza of its kind that no age program writes.
   */
  unwrapFileKey(stanzas: readonly Stanza[]): Uint8Array<ArrayBuffer> | null;
}

/** DER around the 32 bytes of a key of X25519. */
export const X25519_PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex');
export const X25519_SPKI = Buffer.from('302a300506032b656e032100', 'hex');

const TAG_BYTES = 16;
/**
 * A decipher leaves each piece in a block that it frees unwiped (spec/memory.md, R2). Of one that is as small as this the
 * allocator itself overwrites everything.
 */
const PIECE_BYTES = 8;

/** ChaCha20-Poly1305 with the tag at the end; null when it does not fit. The caller wipes the result. */
export function openOnce(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array): Uint8Array<ArrayBuffer> | null {
  const decipher = createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 });
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  const own = ownedBytes(sealed.length - TAG_BYTES);
  for (let at = 0; at < own.length; at += PIECE_BYTES) {
    const piece = decipher.update(sealed.subarray(at, Math.min(at + PIECE_BYTES, own.length)));
    copySecret(piece, own, at);
    piece.fill(0);
  }
  try {
    decipher.final();
    return own;
  } catch {
    own.fill(0);
    return null;
  }
}

/** The other way. */
export function sealOnce(key: Uint8Array, nonce: Uint8Array, plain: Uint8Array): Uint8Array<ArrayBuffer> {
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 });
  const body = cipher.update(plain);
  return Uint8Array.from(Buffer.concat([body, cipher.final(), cipher.getAuthTag()]));
}

export function unpaddedBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '');
}

export function badStanza(kind: string): SottoError {
  return new SottoError({
    code: 'SOTTO-AGE-005',
    what: 'a wrapped data key is damaged',
    why: `its ${kind} stanza is not of the form that age writes`,
    next: 'restore the sops block from Git history',
  });
}
