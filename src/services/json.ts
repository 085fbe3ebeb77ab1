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

/** `{"<name>":"<base64 of the bytes>"<rest>}` without a string on the way. The caller wipes it. */
export function jsonWithBase64(name: string, bytes: Uint8Array, rest = ''): Uint8Array<ArrayBuffer> {
  const head = Buffer.from(`{${JSON.stringify(name)}:"`, 'utf8');
  const tail = Buffer.from(`"${rest}}`, 'utf8');
  const length = 4 * Math.ceil(bytes.length / 3);
  const body = new Uint8Array(new ArrayBuffer(head.length + length + tail.length));
  body.set(head);
  let at = head.length;
  for (let from = 0; from < bytes.length; from += 3) {
    const group = ((bytes[from] ?? 0) << 16) | ((bytes[from + 1] ?? 0) << 8) | (bytes[from + 2] ?? 0);
    const given = bytes.length - from;
    for (let digit = 0; digit < 4; digit += 1) {
      const value = ALPHABET[(group >> (18 - 6 * digit)) & 63] ?? 0;
      body[at] = digit > given ? 0x3d : value;
      at += 1;
    }
  }
  body.set(tail, at);
  return body;
}
