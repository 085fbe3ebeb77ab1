import { ownedBytes } from '../core/sensitive.ts';
import { decodeBase64 } from '../kube/base64-bytes.ts';
import { isStringSpan, objectMembers, type Span, stringAtSpan, valueSpan } from '../kube/json-bytes.ts';

/** Answers of services hold data keys, and so they stay bytes. Undefined for what is not there, or no JSON. */
export function base64At(bytes: Uint8Array, ...path: readonly string[]): Uint8Array<ArrayBuffer> | undefined {
  const span = spanAt(bytes, path);
  return span === undefined ? undefined : decodeBase64(bytes, span.start + 1, span.end - 1);
}

/** For texts that are public: ciphertext. */
export function textAt(bytes: Uint8Array, ...path: readonly string[]): string | undefined {
  const span = spanAt(bytes, path);
  return span === undefined ? undefined : stringAtSpan(bytes, span);
}

/** As Azure writes it: without padding, and with the alphabet of URLs. */
export function base64UrlAt(bytes: Uint8Array, ...path: readonly string[]): Uint8Array<ArrayBuffer> | undefined {
  const digits = plainBytesAt(bytes, ...path);
  if (digits === undefined || digits.includes(PLUS) || digits.includes(SLASH) || digits.includes(PAD)) return undefined;
  const padded = ownedBytes(4 * Math.ceil(digits.length / 4)).fill(PAD);
  for (const [at, digit] of digits.entries())
    padded[at] = digit === MINUS ? PLUS : digit === UNDERSCORE ? SLASH : digit;
  const decoded = decodeBase64(padded, 0, padded.length);
  padded.fill(0);
  return decoded;
}

const [PLUS, SLASH, PAD, MINUS, UNDERSCORE] = [0x2b, 0x2f, 0x3d, 0x2d, 0x5f];

/** A number of seconds, which some write as a text. */
export function secondsAt(bytes: Uint8Array, name: string): number | undefined {
  try {
    const member = [...objectMembers(bytes, 0)].find(({ key }) => stringAtSpan(bytes, key) === name);
    const text = member && Buffer.from(bytes.subarray(member.value.start, member.value.end)).toString('latin1');
    const [, digits] = /^"?(\d{1,9})"?$/.exec(text ?? '') ?? [];
    return digits === undefined ? undefined : Number(digits);
  } catch {
    return undefined;
  }
}

function spanAt(bytes: Uint8Array, path: readonly string[]): Span | undefined {
  try {
    let span = valueSpan(bytes, 0);
    for (const name of path) {
      const member = [...objectMembers(bytes, span.start)].find(({ key }) => stringAtSpan(bytes, key) === name);
      if (member === undefined) return undefined;
      span = member.value;
    }
    return isStringSpan(bytes, span) ? span : undefined;
  } catch {
    return undefined;
  }
}

/** For texts that are secret and plain ASCII; undefined for one that JSON writes with a backslash. */
export function plainBytesAt(bytes: Uint8Array, ...path: readonly string[]): Uint8Array | undefined {
  const span = spanAt(bytes, path);
  const inner = span && bytes.subarray(span.start + 1, span.end - 1);
  return inner?.includes(0x5c) === true ? undefined : inner;
}

const ALPHABET = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/', 'latin1');
const URL_ALPHABET = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_', 'latin1');

/** `{"<name>":"<base64 of the bytes>"<rest>}` without a string on the way. The caller wipes it. */
export function jsonWithBase64(name: string, bytes: Uint8Array, rest = ''): Uint8Array<ArrayBuffer> {
  return jsonWith(name, 4 * Math.ceil(bytes.length / 3), rest, (body, start) => encode(bytes, body, start, ALPHABET));
}

/** The same as Azure reads it. */
export function jsonWithBase64Url(name: string, bytes: Uint8Array, rest = ''): Uint8Array<ArrayBuffer> {
  const length = Math.ceil((4 * bytes.length) / 3);
  return jsonWith(name, length, rest, (body, start) => encode(bytes, body, start, URL_ALPHABET));
}

function jsonWith(
  name: string,
  length: number,
  rest: string,
  fill: (body: Uint8Array, start: number) => void,
): Uint8Array<ArrayBuffer> {
  const head = Buffer.from(`{${JSON.stringify(name)}:"`, 'utf8');
  const tail = Buffer.from(`"${rest}}`, 'utf8');
  const body = ownedBytes(head.length + length + tail.length);
  body.set(head);
  fill(body, head.length);
  body.set(tail, head.length + length);
  return body;
}

/** The last group may go beyond its place: what comes behind is written later. */
function encode(bytes: Uint8Array, into: Uint8Array, start: number, alphabet: Uint8Array): void {
  let at = start;
  for (let from = 0; from < bytes.length; from += 3) {
    const group = ((bytes[from] ?? 0) << 16) | ((bytes[from + 1] ?? 0) << 8) | (bytes[from + 2] ?? 0);
    const given = bytes.length - from;
    for (let digit = 0; digit < 4; digit += 1) {
      into[at] = digit > given ? PAD : (alphabet[(group >> (18 - 6 * digit)) & 63] ?? 0);
      at += 1;
    }
  }
}
