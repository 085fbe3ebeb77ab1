import type { Stanza } from 'age-encryption';
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { SottoError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { ownedBytes } from '../core/sensitive.ts';
import { type AgeIdentity, openOnce } from './age-stanza.ts';
import { isBase64 } from './enc.ts';

/**
 * Reader of the age files in which sops wraps a data key: armoured, with one chunk of payload. Done on node:crypto
 * and not by age-encryption: a third of the time, and the keys on the way lie in memory that is wiped. Format:
 * C2SP age-encryption.org/v1.
 */
export interface AgeFile {
  readonly stanzas: readonly Stanza[];
  /** The header up to and with `---`, which its MAC covers. */
  readonly header: Buffer;
  readonly mac: Buffer;
  readonly nonce: Buffer;
  readonly payload: Buffer;
}

export const AGE_BEGIN = '-----BEGIN AGE ENCRYPTED FILE-----';
export const AGE_END = '-----END AGE ENCRYPTED FILE-----';
export const FILE_KEY_BYTES = 16;
export const NONCE_BYTES = 16;
/** Of plaintext; a tag comes with each. */
export const CHUNK_BYTES = 64 * 1024;
const TAG_BYTES = 16;
/** Counter 0, and 1 for "last chunk". */
const ONLY_CHUNK_NONCE = Buffer.from('000000000000000000000001', 'hex');

/** Undefined for text that is not an armoured age file of one chunk. */
export function parseAgeFile(armoured: string): AgeFile | undefined {
  const bytes = dearmour(armoured);
  return bytes === undefined ? undefined : parseAgeBytes(bytes);
}

/** The same without armour. */
export function parseAgeBytes(bytes: Buffer): AgeFile | undefined {
  const footer = bytes.indexOf('\n--- ');
  const headerEnd = bytes.indexOf('\n', footer + 1);
  if (footer === -1 || headerEnd === -1 || hasMoreStanzas(bytes, LIMITS.maxDataKeyStanzas)) return undefined;
  const stanzas = parseStanzas(bytes.toString('latin1', 0, footer).split('\n'));
  const mac = unpadded(bytes.toString('latin1', footer + 5, headerEnd));
  const body = bytes.subarray(headerEnd + 1);
  const payload = body.subarray(NONCE_BYTES);
  if (stanzas === undefined || mac?.length !== 32) return undefined;
  if (payload.length < TAG_BYTES || payload.length > CHUNK_BYTES + TAG_BYTES) return undefined;
  return { stanzas, header: bytes.subarray(0, footer + 4), mac, nonce: body.subarray(0, NONCE_BYTES), payload };
}

/** Counted before anything is made of them. `bytes` is a file without armour. */
export function hasMoreStanzas(bytes: Buffer, most: number): boolean {
  const footer = bytes.indexOf('\n--- ');
  const header = footer === -1 ? bytes : bytes.subarray(0, footer);
  let at = -1;
  for (let count = 0; count <= most; count += 1) {
    at = header.indexOf('\n-> ', at + 1);
    if (at === -1) return false;
  }
  return true;
}

function dearmour(text: string): Buffer | undefined {
  const lines = text.trim().split(/\r?\n/);
  if (lines[0] !== AGE_BEGIN || lines.at(-1) !== AGE_END || lines.length < 3) return undefined;
  const body = lines.slice(1, -1);
  const full = body.slice(0, -1).every((line) => line.length === 64);
  const base64 = body.join('');
  if (!full || (body.at(-1)?.length ?? 0) > 64 || !isBase64(base64)) return undefined;
  return Buffer.from(base64, 'base64');
}

function parseStanzas(lines: readonly string[]): Stanza[] | undefined {
  if (lines[0] !== 'age-encryption.org/v1') return undefined;
  const stanzas: Stanza[] = [];
  let at = 1;
  while (at < lines.length) {
    const [arrow, ...args] = (lines[at] ?? '').split(' ');
    if (arrow !== '->' || args.length === 0 || args.some((arg) => !/^[!-~]+$/.test(arg))) return undefined;
    const parts: Buffer[] = [];
    let lineLength: number;
    do {
      at += 1;
      const line = lines[at];
      const part = line === undefined ? undefined : unpadded(line);
      if (line === undefined || part === undefined || line.length > 64) return undefined;
      parts.push(part);
      lineLength = line.length;
    } while (lineLength === 64);
    at += 1;
    stanzas.push({ args, body: Buffer.concat(parts) });
  }
  return stanzas;
}

/** Unpadded standard base64 in its one spelling. */
function unpadded(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64').replace(/=+$/, '') === text ? bytes : undefined;
}

export type Unwrapped =
  | { readonly outcome: 'opened'; readonly payload: Uint8Array<ArrayBuffer> }
  | { readonly outcome: 'not-for-us' }
  | { readonly outcome: 'damaged' };

/** Opens the file with the first identity that fits. The caller wipes the payload. */
export function openAgeFile(file: AgeFile, identities: readonly AgeIdentity[]): Unwrapped {
  for (const identity of identities) {
    const fileKey = unwrapFileKey(file, identity);
    if (fileKey === null) continue;
    if (fileKey === 'damaged') return { outcome: 'damaged' };
    try {
      const payload = headerFits(file, fileKey) ? openPayload(file, fileKey) : null;
      return payload === null ? { outcome: 'damaged' } : { outcome: 'opened', payload };
    } finally {
      fileKey.fill(0);
    }
  }
  return { outcome: 'not-for-us' };
}

function unwrapFileKey(file: AgeFile, identity: AgeIdentity): Uint8Array<ArrayBuffer> | null | 'damaged' {
  try {
    return identity.unwrapFileKey(file.stanzas);
  } catch (thrown) {
    if (thrown instanceof SottoError) return 'damaged';
    throw thrown;
  }
}

function headerFits(file: AgeFile, fileKey: Uint8Array): boolean {
  return timingSafeEqual(headerMac(file.header, fileKey), file.mac);
}

export function headerMac(header: Uint8Array, fileKey: Uint8Array): Buffer {
  const key = deriveKey(fileKey, ownedBytes(0), 'header');
  try {
    return createHmac('sha256', key).update(header).digest();
  } finally {
    key.fill(0);
  }
}

function openPayload(file: AgeFile, fileKey: Uint8Array): Uint8Array<ArrayBuffer> | null {
  const key = deriveKey(fileKey, file.nonce, 'payload');
  try {
    return openOnce(key, ONLY_CHUNK_NONCE, file.payload);
  } finally {
    key.fill(0);
  }
}

/** The caller wipes it. */
export function deriveKey(fileKey: Uint8Array, salt: Uint8Array, label: 'header' | 'payload'): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', fileKey, salt, label, 32));
}
