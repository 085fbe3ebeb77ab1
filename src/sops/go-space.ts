import { codePointAt } from './utf8.ts';

/** White space as Go has it; JavaScript takes the byte order mark for it too, and not U+0085. */
const SPACES = new Set([9, 10, 11, 12, 13, 32, 0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000]);

export function isGoSpace(code: number): boolean {
  return SPACES.has(code) || (code >= 0x2000 && code <= 0x200a);
}

/** Offset of the first character that is no space, `text.length` where there is none. */
export function afterSpaces(text: string, from = 0): number {
  let at = from;
  while (at < text.length && isGoSpace(text.charCodeAt(at))) at += 1;
  return at;
}

export function trimGoStart(text: string): string {
  return text.slice(afterSpaces(text));
}

export function trimGoEnd(text: string): string {
  let end = text.length;
  while (end > 0 && isGoSpace(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

export function trimGo(text: string): string {
  return trimGoEnd(trimGoStart(text));
}

/** The same for text in bytes, which may be a secret. A view, not a copy. */
export function trimGoBytes(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (start < bytes.length) {
    const point = codePointAt(bytes, start);
    if (point === undefined || !isGoSpace(point.code)) break;
    start += point.length;
  }
  let end = bytes.length;
  while (end > start) {
    const last = lastCharacter(bytes, end);
    const point = codePointAt(bytes, last);
    if (point === undefined || last + point.length !== end || !isGoSpace(point.code)) break;
    end = last;
  }
  return bytes.subarray(start, end);
}

function lastCharacter(bytes: Uint8Array, end: number): number {
  let at = end - 1;
  while (at > 0 && end - at < 4 && ((bytes[at] ?? 0) & 0xc0) === 0x80) at -= 1;
  return at;
}
