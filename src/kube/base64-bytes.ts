import { ownedBytes } from '../core/sensitive.ts';

const PAD = 0x3d;
/** Digit of each byte; 64: none. */
const DIGITS = new Uint8Array(256).fill(64);
'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  .split('')
  .forEach((character, digit) => (DIGITS[character.charCodeAt(0)] = digit));

/**
 * Decodes standard base64 with padding, byte by byte into own memory: neither text nor value becomes a string. Undefined
 * when it is anything else.
 */
export function decodeBase64(bytes: Uint8Array, start: number, end: number): Uint8Array<ArrayBuffer> | undefined {
  if ((end - start) % 4 !== 0) return undefined;
  const pads = countPads(bytes, start, end);
  const decoded = ownedBytes(((end - start) / 4) * 3 - pads);
  let at = 0;
  for (let position = start; position < end; position += 4) {
    const isLast = position + 4 === end;
    const group = groupAt(bytes, position, isLast ? pads : 0);
    if (group === undefined) {
      decoded.fill(0);
      return undefined;
    }
    // Beyond the end of a typed array nothing is written: the last group may be shorter.
    decoded[at] = group >> 16;
    decoded[at + 1] = (group >> 8) & 255;
    decoded[at + 2] = group & 255;
    at += 3;
  }
  return decoded;
}

function countPads(bytes: Uint8Array, start: number, end: number): number {
  if (end === start || bytes[end - 1] !== PAD) return 0;
  return bytes[end - 2] === PAD ? 2 : 1;
}

function groupAt(bytes: Uint8Array, position: number, pads: number): number | undefined {
  let group = 0;
  for (let offset = 0; offset < 4; offset += 1) {
    const digit = offset >= 4 - pads ? 0 : DIGITS[bytes[position + offset] ?? 0];
    if (digit === undefined || digit === 64) return undefined;
    group = (group << 6) | digit;
  }
  return group;
}
