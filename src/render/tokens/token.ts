import type { Sensitive } from '../../core/sensitive.ts';
import { type FingerprintKey, keyedValueDigest } from '../../keys/fingerprint.ts';

/** What stands for a secret in the files of a foreign renderer. */
export type Token = string & { readonly brand: 'Token' };

/**
 * Mixed case, the first letter small: a renderer that changes the case of it leaves something that is no token any
 * more, and is seen. Letters first: no reader takes it for a number, and none has to quote it.
 */
export const TOKEN_MARK = 'soTTo';
/** Divides by 3 and 4: base64 of a token has no padding, and a token is itself base64 text. */
export const TOKEN_LENGTH = 48;
/** The mark with what follows it; of a token, all of it. */
export const TOKEN_SHAPE = /soTTo[A-Za-z0-9]{43}/g;

/** Where a secret comes from. Equal tokens mean equal values at one place. */
export type TokenPlace =
  /** A leaf of a document: bound to object and key path, so that a file may move. */
  | { readonly role: 'leaf'; readonly object: string; readonly path: readonly string[] }
  | { readonly role: 'file'; readonly file: string }
  | { readonly role: 'env-line'; readonly file: string; readonly key: string };

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

export function makeToken(key: FingerprintKey, place: TokenPlace, value: Sensitive): Token {
  const digest = keyedValueDigest(key, 'token', placeParts(place), value);
  let rest = digest.readBigUInt64BE(0);
  for (let at = 8; at < digest.length; at += 8) rest = (rest << 64n) | digest.readBigUInt64BE(at);
  let letters = '';
  for (let at = TOKEN_MARK.length; at < TOKEN_LENGTH; at += 1) {
    letters += ALPHABET.charAt(Number(rest % 62n));
    rest /= 62n;
  }
  return `${TOKEN_MARK}${letters}` as Token;
}

function placeParts(place: TokenPlace): string[] {
  switch (place.role) {
    case 'leaf':
      return ['leaf', place.object, ...place.path];
    case 'file':
      return ['file', place.file];
    case 'env-line':
      return ['env-line', place.file, place.key];
    default:
      return place satisfies never;
  }
}
