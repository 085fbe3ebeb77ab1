import { copySecret, ownedBytes } from '../core/sensitive.ts';

const ALPHABET = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/', 'latin1');

/**
 * Padded base64 over several lines, without a string on the way: it may be a key. The caller wipes the result;
 * undefined for anything else.
 */
export function decodeBase64(text: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  const decoded = ownedBytes(Math.floor((text.length * 3) / 4) + 3);
  let [bits, held, length, padding, chars] = [0, 0, 0, 0, 0];
  for (const char of text) {
    if (char === 0x0a || char === 0x0d || char === 0x20 || char === 0x09) continue;
    chars += 1;
    if (char === 0x3d) {
      padding += 1;
      continue;
    }
    const value = ALPHABET.indexOf(char);
    if (value === -1 || padding > 0) return wiped(decoded);
    held = ((held << 6) | value) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    decoded[length] = (held >> bits) & 0xff;
    length += 1;
  }
  if (chars % 4 !== 0 || padding > 2) return wiped(decoded);
  const own = ownedBytes(length);
  copySecret(decoded.subarray(0, length), own);
  decoded.fill(0);
  return own;
}

function wiped(bytes: Uint8Array): undefined {
  bytes.fill(0);
  return undefined;
}
