import { SottoError } from '../core/errors.ts';
import { isBase64 } from './base64.ts';

/**
 * The wire form of one item: two bytes with the length of the wrapped key (big endian), the wrapped key, and the
 * AES-256-GCM ciphertext with its tag. All of it is ciphertext.
 */
export interface SealedBlob {
  /** The session key, RSA-OAEP-SHA-256; as long as the modulus. */
  readonly wrappedKey: Uint8Array<ArrayBuffer>;
  /** Ciphertext, then 16 bytes of tag. */
  readonly body: Uint8Array<ArrayBuffer>;
}

const LENGTH_BYTES = 2;
export const TAG_BYTES = 16;
/** Safe to be all zero: every session key encrypts exactly one value. */
export const NONCE: Uint8Array<ArrayBuffer> = new Uint8Array(12);
export const SESSION_KEY_BYTES = 32;

/** Throws SOTTO-SEAL-004 and -005 without a place: the caller knows it. */
export function decodeBlob(text: string): SealedBlob {
  if (!isBase64(text)) {
    throw new SottoError({
      code: 'SOTTO-SEAL-004',
      what: 'a sealed item is not base64',
      why: 'it must be the one line of text that kubeseal or sotto wrote',
      next: 'take the text from an earlier commit, or seal the value again with sotto seal --raw',
    });
  }
  const bytes = new Uint8Array(Buffer.from(text, 'base64'));
  const keyEnd = LENGTH_BYTES + (bytes[0] ?? 0) * 256 + (bytes[1] ?? 0);
  if (keyEnd === LENGTH_BYTES || bytes.length < keyEnd + TAG_BYTES) {
    throw new SottoError({
      code: 'SOTTO-SEAL-005',
      what: 'a sealed item is too short',
      why: 'it ends before the wrapped key and the tag do, so it is cut off or not sealed at all',
      next: 'take the text from an earlier commit, or seal the value again with sotto seal --raw',
    });
  }
  return { wrappedKey: bytes.slice(LENGTH_BYTES, keyEnd), body: bytes.slice(keyEnd) };
}

/** One line of base64, as `encryptedData` holds it. */
export function encodeBlob(wrappedKey: Uint8Array, ciphertext: Uint8Array, tag: Uint8Array): string {
  const length = Uint8Array.of(wrappedKey.length >> 8, wrappedKey.length & 0xff);
  return Buffer.concat([length, wrappedKey, ciphertext, tag]).toString('base64');
}
