import { ownedBytes } from '../core/sensitive.ts';

/** BIP 173, as age uses it: without its length limit, and byte-wise, because an identity may never be a string. */

const CHARSET = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
const CHECKSUM_CHARS = 6;
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3] as const;
const SEPARATOR = 49;

/** Five-bit value of each character code, 255 for a character that is none; upper and lower case alike. */
const VALUE_OF = valueTable();

function valueTable(): Uint8Array {
  const table = new Uint8Array(256).fill(255);
  for (let value = 0; value < CHARSET.length; value += 1) {
    table[CHARSET.charCodeAt(value)] = value;
    table[CHARSET.toUpperCase().charCodeAt(value)] = value;
  }
  return table;
}

/**
 * The bytes behind `<prefix>1…`, in memory of their own that the caller wipes; undefined when the prefix, the case,
 * the checksum or the length is wrong. `prefix` is in the case the text must have throughout.
 */
export function decodeBech32(text: Uint8Array, prefix: string, length: number): Uint8Array<ArrayBuffer> | undefined {
  const dataChars = Math.ceil((length * 8) / 5);
  const start = prefix.length + 1;
  if (text.length !== start + dataChars + CHECKSUM_CHARS || text[prefix.length] !== SEPARATOR) return undefined;
  for (let at = 0; at < prefix.length; at += 1) if (text[at] !== prefix.charCodeAt(at)) return undefined;
  const values = ownedBytes(dataChars + CHECKSUM_CHARS);
  const bytes = ownedBytes(length);
  try {
    const otherCase = prefix === prefix.toUpperCase() ? 97 : 65;
    for (let at = 0; at < values.length; at += 1) {
      const code = text[start + at] ?? 0;
      const value = VALUE_OF[code] ?? 255;
      if (value === 255 || (code >= otherCase && code < otherCase + 26)) return undefined;
      values[at] = value;
    }
    if (checksum(prefix.toLowerCase(), values) !== 1) return undefined;
    return packBits(values.subarray(0, dataChars), bytes) ? bytes : undefined;
  } finally {
    values.fill(0);
  }
}

/** Text of bytes that are not secret: a recipient. */
export function encodeBech32(prefix: string, bytes: Uint8Array): string {
  return Buffer.from(encodeBech32Bytes(prefix, bytes)).toString('latin1');
}

/** The same in memory of its own that the caller wipes. A prefix in upper case makes all of it so. */
export function encodeBech32Bytes(prefix: string, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const charset = prefix === prefix.toUpperCase() ? CHARSET.toUpperCase() : CHARSET;
  const values = ownedBytes(Math.ceil((bytes.length * 8) / 5) + CHECKSUM_CHARS);
  const text = ownedBytes(prefix.length + 1 + values.length);
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const isSet = ((bytes[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1;
    const at = Math.floor(bit / 5);
    values[at] = (values[at] ?? 0) | (isSet << (4 - (bit % 5)));
  }
  const sum = checksum(prefix.toLowerCase(), values) ^ 1;
  for (let at = 0; at < CHECKSUM_CHARS; at += 1)
    values[values.length - CHECKSUM_CHARS + at] = (sum >> (5 * (5 - at))) & 31;
  new TextEncoder().encodeInto(`${prefix}1`, text);
  for (const [at, value] of values.entries()) text[prefix.length + 1 + at] = charset.charCodeAt(value);
  values.fill(0);
  return text;
}

/** Five-bit values as bytes. False when the bits left over are not zero. */
function packBits(values: Uint8Array, into: Uint8Array): boolean {
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const value of values) {
    held = ((held << 5) | value) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    into[at] = (held >> bits) & 0xff;
    at += 1;
  }
  return (held & ((1 << bits) - 1)) === 0;
}

function checksum(prefix: string, values: Uint8Array): number {
  let sum = 1;
  for (let at = 0; at < prefix.length; at += 1) sum = step(sum, prefix.charCodeAt(at) >> 5);
  sum = step(sum, 0);
  for (let at = 0; at < prefix.length; at += 1) sum = step(sum, prefix.charCodeAt(at) & 31);
  for (const value of values) sum = step(sum, value);
  return sum;
}

function step(sum: number, value: number): number {
  const top = sum >>> 25;
  let next = ((sum & 0x1ffffff) << 5) ^ value;
  for (let bit = 0; bit < GENERATOR.length; bit += 1) if ((top >> bit) & 1) next ^= GENERATOR[bit] ?? 0;
  return next;
}
