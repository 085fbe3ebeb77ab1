/**
 * The request bodies of one sender lane: one buffer, reused, grown when needed and wiped after each use
 * (spec/memory.md R3). `allocUnsafeSlow`: never a slice of the shared pool.
 */
export class BodyBuffer {
  #buffer = Buffer.allocUnsafeSlow(64 * 1024);
  #used = 0;

  /** A view of exactly `length` bytes, to be filled by the caller and wiped by `wipe`. */
  take(length: number): Buffer {
    this.wipe();
    if (length > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(length);
    this.#used = length;
    return this.#buffer.subarray(0, length);
  }

  wipe(): void {
    this.#buffer.fill(0, 0, this.#used);
    this.#used = 0;
  }
}

const ALPHABET = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/', 'latin1');
const PAD = 0x3d;

export function base64Length(byteLength: number): number {
  return Math.ceil(byteLength / 3) * 4;
}

/** Writes bytes as base64 at `offset` and returns the offset behind it. Byte by byte: a value never becomes a string. */
export function writeBase64(bytes: Uint8Array, target: Uint8Array, offset: number): number {
  let at = offset;
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const group = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    target[at] = ALPHABET[(group >> 18) & 63] ?? 0;
    target[at + 1] = ALPHABET[(group >> 12) & 63] ?? 0;
    target[at + 2] = left > 1 ? (ALPHABET[(group >> 6) & 63] ?? 0) : PAD;
    target[at + 3] = left > 2 ? (ALPHABET[group & 63] ?? 0) : PAD;
    at += 4;
  }
  return at;
}

/** True when the bytes are base64 text as Go reads it (line breaks allowed); `data` of a Secret takes nothing else. */
export function isBase64Text(bytes: Uint8Array): boolean {
  let digits = 0;
  let pads = 0;
  for (const byte of bytes) {
    if (byte === 0x0a || byte === 0x0d) continue;
    if (byte === PAD) pads += 1;
    else if (pads > 0 || !ALPHABET.includes(byte)) return false;
    else digits += 1;
  }
  return pads <= 2 && (digits + pads) % 4 === 0;
}
