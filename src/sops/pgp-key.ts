import { hash } from 'node:crypto';
import { Sensitive } from '../core/sensitive.ts';
import { dearmour, numberAt, ownCopy, type Packet, packetsOf, TAG } from './pgp-packets.ts';

/** One OpenPGP key with its subkeys, read as far as its name goes: the library reads the rest when a file needs it. */
export interface PgpKeyBlock {
  /** Of the primary key, in capital hexadecimal digits. */
  readonly fingerprint: string;
  /** Of the primary key and all subkeys. */
  readonly fingerprints: readonly string[];
  /** A secret part is encrypted with a passphrase. */
  readonly isLocked: boolean;
  /** Has secret parts that are there: the primary one may be kept elsewhere. */
  readonly isSecret: boolean;
  /** The key in binary. */
  readonly bytes: Sensitive;
}

/** Why a text is no OpenPGP key. */
export type PgpKeyProblem = 'damaged' | 'no-key' | 'too-large' | 'other-version';

const MAX_FILE_BYTES = 1024 * 1024;
const MAX_PACKETS = 2_000;
const KEY_TAGS: readonly number[] = [TAG.secretKey, TAG.publicKey, TAG.secretSubkey, TAG.publicSubkey];
const PRIMARY_TAGS: readonly number[] = [TAG.secretKey, TAG.publicKey];
const SECRET_TAGS: readonly number[] = [TAG.secretKey, TAG.secretSubkey];

/** The keys of an armoured file, in order. The caller wipes the file, and the keys when it is done with them. */
export function parsePgpKeys(file: Uint8Array): PgpKeyBlock[] | PgpKeyProblem {
  if (file.length > MAX_FILE_BYTES) return 'too-large';
  const blocks = dearmour(file);
  if (blocks === undefined) return 'damaged';
  const keys: PgpKeyBlock[] = [];
  try {
    for (const { kind, bytes } of blocks) {
      if (kind === 'MESSAGE') continue;
      const found = keysOf(bytes);
      if (typeof found === 'string') {
        for (const key of keys) key.bytes.wipe();
        return found;
      }
      keys.push(...found);
    }
  } finally {
    for (const { bytes } of blocks) bytes.fill(0);
  }
  return keys.length === 0 ? 'no-key' : keys;
}

function keysOf(bytes: Uint8Array): PgpKeyBlock[] | PgpKeyProblem {
  const packets = packetsOf(bytes, MAX_PACKETS);
  if (packets === undefined || !PRIMARY_TAGS.includes(packets[0]?.tag ?? 0)) return 'damaged';
  const starts = packets.flatMap(({ tag }, index) => (PRIMARY_TAGS.includes(tag) ? [index] : []));
  const keys: PgpKeyBlock[] = [];
  for (const [index, start] of starts.entries()) {
    const own = packets.slice(start, starts[index + 1]);
    const parts = own.filter(({ tag }) => KEY_TAGS.includes(tag)).map(partOf);
    const [primary] = parts;
    if (typeof primary !== 'object') return primary ?? 'damaged';
    // A subkey of a kind from the future is passed over, as the library does.
    const known = parts.filter((part) => typeof part === 'object');
    keys.push({
      fingerprint: primary.fingerprint,
      fingerprints: known.map(({ fingerprint }) => fingerprint),
      isLocked: known.some(({ secret }) => secret === 'locked'),
      isSecret: known.some(({ secret }) => secret === 'open' || secret === 'locked'),
      bytes: Sensitive.adopt(ownCopy(bytes.subarray(own[0]?.start ?? 0, own.at(-1)?.end ?? 0))),
    });
  }
  return keys;
}

interface KeyPart {
  readonly fingerprint: string;
  readonly secret: 'none' | 'open' | 'locked' | 'elsewhere';
}

const VERSION_4 = 4;
/** GnuPG's own form of a secret part that is not in the file. */
const GNU_S2K = 101;

function partOf({ tag, body }: Packet): KeyPart | PgpKeyProblem {
  if (body[0] !== VERSION_4) return 'other-version';
  const end = endOfPublicPart(body);
  if (end === undefined || end > body.length) return 'damaged';
  const fingerprint = fingerprintOf(body.subarray(0, end));
  if (!SECRET_TAGS.includes(tag)) return { fingerprint, secret: 'none' };
  const usage = body[end];
  if (usage === undefined) return 'damaged';
  if (usage === 0) return { fingerprint, secret: 'open' };
  const specifier = usage === 253 ? end + 3 : end + 2;
  return { fingerprint, secret: usage >= 253 && body[specifier] === GNU_S2K ? 'elsewhere' : 'locked' };
}

function fingerprintOf(publicPart: Uint8Array): string {
  const head = Buffer.of(0x99, publicPart.length >> 8, publicPart.length & 0xff);
  return hash('sha1', Buffer.concat([head, publicPart]), 'hex').toUpperCase();
}

/** Numbers of the public part by algorithm; a curve is named before them. */
const NUMBERS: Readonly<Record<number, number>> = { 1: 2, 2: 2, 3: 2, 16: 3, 17: 4 };
const CURVES: readonly number[] = [18, 19, 22];
const ECDH = 18;
const FIXED_BYTES: Readonly<Record<number, number>> = { 25: 32, 26: 56, 27: 32, 28: 57 };
const PARAMETERS_AT = 6;

function endOfPublicPart(body: Uint8Array): number | undefined {
  const algorithm = body[5] ?? 0;
  const fixed = FIXED_BYTES[algorithm];
  if (fixed !== undefined) return PARAMETERS_AT + fixed;
  if (CURVES.includes(algorithm)) {
    const point = PARAMETERS_AT + 1 + (body[PARAMETERS_AT] ?? 0);
    const end = endOfNumber(body, point);
    return algorithm === ECDH ? end + 1 + (body[end] ?? 0) : end;
  }
  let at = PARAMETERS_AT;
  for (let left = NUMBERS[algorithm] ?? 0; left > 0; left -= 1) at = endOfNumber(body, at);
  return at === PARAMETERS_AT ? undefined : at;
}

function endOfNumber(body: Uint8Array, at: number): number {
  return at + 2 + Math.ceil(numberAt(body, at, 2) / 8);
}

/** The long key id: the end of a fingerprint of version 4. */
export function keyIdOf(fingerprint: string): string {
  return fingerprint.slice(-16);
}
