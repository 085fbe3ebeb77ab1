import type { Json } from '../core/json.ts';
import { parseJson } from '../core/json.ts';
import { isStringSpan, valueSpan } from './json-bytes.ts';

// Whole numbers JSON.parse would round have at least 16 digits. Such a run inside a string only costs the slower parse.
const MANY_DIGITS = /\d{16}/;

/** JSON as the API server sends it, with exact integers, as fast as JSON.parse where it can be. Throws SyntaxError. */
export function parseAnswer(bytes: Buffer): Json {
  const text = bytes.toString('utf8');
  return MANY_DIGITS.test(text) ? parseJson(text) : (JSON.parse(text) as Json);
}

const LAST_APPLIED = Buffer.from('"kubectl.kubernetes.io/last-applied-configuration":');

/**
 * Metadata of a Secret made by a client-side `kubectl apply` carries the whole Secret, values included, in an
 * annotation. Its text is overwritten where it lies, before anything is parsed. A quoted copy inside another string has a
 * backslash before each quote and does not match.
 */
export function blankLastApplied(bytes: Buffer): void {
  let at = bytes.indexOf(LAST_APPLIED);
  while (at !== -1) {
    const value = valueSpan(bytes, at + LAST_APPLIED.length);
    if (isStringSpan(bytes, value)) bytes.fill(0x78, value.start + 1, value.end - 1);
    at = bytes.indexOf(LAST_APPLIED, value.end);
  }
}
