import { markOf } from './key-secret.ts';
import { type FingerprintKey, isKeyedDigest, keyedDigest } from './fingerprint.ts';
import { MADE_ANNOTATION } from './marks.ts';
import type { ParsedKeySecret } from './parse-keys.ts';

const DOMAIN = 'made-key';

/** Goes with a key that the agent makes for a rotation: that it did, nobody can say who has not the fingerprint key. */
export function madeHereMark(key: FingerprintKey, old: string, made: string): string {
  return keyedDigest(key, DOMAIN, old, made).toString('base64url');
}

/** Whether the agent itself has made this key in the place of that one. */
export function isMadeHere(
  { mark }: Pick<ParsedKeySecret, 'mark'>,
  key: FingerprintKey,
  old: string,
  made: string,
): boolean {
  const written = markOf(mark.annotations, MADE_ANNOTATION) ?? '';
  return isKeyedDigest(Buffer.from(written, 'base64url'), key, DOMAIN, old, made);
}
