import { createPrivateKey, type KeyObject } from 'node:crypto';
import { copySecret, ownedBytes } from '../core/sensitive.ts';
import type { AgeIdentity } from './age-stanza.ts';
import { SshEd25519Identity, SshRsaIdentity } from './ssh.ts';
import { decodeBase64 } from './owned-base64.ts';
import { SshReader } from './ssh-wire.ts';

/** Why an SSH key is not usable. */
export type SshKeyProblem = 'damaged' | 'encrypted' | 'other-kind';

const BEGIN = '-----BEGIN OPENSSH PRIVATE KEY-----';
const END = '-----END OPENSSH PRIVATE KEY-----';
const MAGIC = 'openssh-key-v1\0';
const MAX_BYTES = 64 * 1024;
/** Of an RSA key of 16384 bits, the longest that ssh-keygen makes. */
const MAX_NUMBER_BYTES = 2049;

/**
 * The identity of an unencrypted private key in OpenSSH's own form or, for RSA, in PEM. The caller wipes the bytes;
 * nothing of them becomes a string.
 */
export function parseSshKey(file: Uint8Array): AgeIdentity | SshKeyProblem {
  if (file.length > MAX_BYTES) return 'damaged';
  const text = Buffer.from(file.buffer, file.byteOffset, file.length);
  if (!text.includes(BEGIN)) return parsePem(text);
  const bytes = openSshBytes(file);
  if (bytes === undefined) return 'damaged';
  try {
    return parseOpenSsh(bytes);
  } finally {
    bytes.fill(0);
  }
}

/** What stands between the lines of OpenSSH's form; undefined for another form. The caller wipes it. */
export function openSshBytes(file: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  if (file.length > MAX_BYTES) return undefined;
  const text = Buffer.from(file.buffer, file.byteOffset, file.length);
  const begin = text.indexOf(BEGIN);
  const end = begin === -1 ? -1 : text.indexOf(END, begin);
  return end === -1 ? undefined : decodeBase64(text.subarray(begin + BEGIN.length, end));
}

function parsePem(text: Buffer): AgeIdentity | SshKeyProblem {
  if (text.includes('Proc-Type: 4,ENCRYPTED')) return 'encrypted';
  try {
    const key = createPrivateKey({ key: text, format: 'pem' });
    return key.asymmetricKeyType === 'rsa' ? new SshRsaIdentity(key) : 'other-kind';
  } catch {
    return 'damaged';
  }
}

/** A file of ssh-keygen; views of the bytes. */
export interface OpenSshFile {
  readonly cipher: string;
  readonly kdf: string;
  readonly kdfOptions: Buffer;
  readonly publicBlob: Buffer;
  /** The private part, encrypted unless the cipher is `none`. */
  readonly secret: Buffer;
}

export function parseOpenSshFile(bytes: Uint8Array): OpenSshFile | undefined {
  const reader = new SshReader(bytes);
  if (reader.raw(MAGIC.length)?.toString('latin1') !== MAGIC) return undefined;
  const [cipher, kdf, kdfOptions, count] = [reader.text(), reader.text(), reader.bytes(), reader.uint32()];
  const [publicBlob, secret] = [reader.bytes(), reader.bytes()];
  if (cipher === undefined || kdf === undefined || kdfOptions === undefined || count !== 1) return undefined;
  return publicBlob === undefined || secret === undefined ? undefined : { cipher, kdf, kdfOptions, publicBlob, secret };
}

function parseOpenSsh(bytes: Uint8Array): AgeIdentity | SshKeyProblem {
  const file = parseOpenSshFile(bytes);
  if (file === undefined) return 'damaged';
  if (file.cipher !== 'none' || file.kdf !== 'none') return 'encrypted';
  return parseSshSecret(new SshReader(file.secret));
}

export function parseSshSecret(reader: SshReader): AgeIdentity | SshKeyProblem {
  const [check, again, type] = [reader.uint32(), reader.uint32(), reader.text()];
  if (check === undefined || check !== again) return 'damaged';
  if (type === 'ssh-ed25519') {
    const [publicKey, both] = [reader.bytes(), reader.bytes()];
    if (publicKey?.length !== 32 || both?.length !== 64 || !both.subarray(32).equals(publicKey)) return 'damaged';
    return new SshEd25519Identity(both.subarray(0, 32), publicKey);
  }
  if (type !== 'ssh-rsa') return type === undefined ? 'damaged' : 'other-kind';
  const parts = Array.from({ length: 6 }, () => reader.bytes());
  const [n, e, d, inverse, p, q] = parts;
  if (!n || !e || !d || !inverse || !p || !q) return 'damaged';
  if ([n, e, d, inverse, p, q].some(({ length }) => length === 0 || length > MAX_NUMBER_BYTES)) return 'damaged';
  const key = rsaKey({ n, e, d, inverse, p, q });
  return key === undefined ? 'damaged' : new SshRsaIdentity(key);
}

interface RsaParts {
  readonly n: Buffer;
  readonly e: Buffer;
  readonly d: Buffer;
  readonly inverse: Buffer;
  readonly p: Buffer;
  readonly q: Buffer;
}

/** As PKCS#1, in memory that is wiped: JSON Web Keys would be strings. */
function rsaKey({ n, e, d, inverse, p, q }: RsaParts): KeyObject | undefined {
  const exponents = [p, q].map((prime) => remainder(d, prime));
  const numbers = [Buffer.of(0), n, e, d, p, q, ...exponents, inverse].map(derInteger);
  const der = derOf(0x30, numbers);
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs1' });
  } catch {
    return undefined;
  } finally {
    for (const bytes of [der, ...numbers, ...exponents]) bytes.fill(0);
  }
}

/** `value` modulo `prime - 1`, byte by byte: BigInt would leave copies. A prime is odd, so subtracting 1 clears a bit. */
function remainder(value: Buffer, prime: Buffer): Buffer {
  const modulus = Buffer.from(prime);
  modulus[modulus.length - 1] = (modulus.at(-1) ?? 0) & 0xfe;
  const rest = Buffer.alloc(modulus.length + 1);
  for (let bit = 0; bit < value.length * 8; bit += 1) {
    let carry = ((value[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1;
    for (let at = rest.length - 1; at >= 0; at -= 1) {
      const doubled = ((rest[at] ?? 0) << 1) | carry;
      rest[at] = doubled & 0xff;
      carry = doubled >> 8;
    }
    if (isAtLeast(rest, modulus)) subtract(rest, modulus);
  }
  modulus.fill(0);
  return rest;
}

/** `rest` is one byte longer. */
function isAtLeast(rest: Buffer, modulus: Buffer): boolean {
  return (rest[0] ?? 0) > 0 || rest.compare(modulus, 0, modulus.length, 1) >= 0;
}

function subtract(rest: Buffer, modulus: Buffer): void {
  let borrow = 0;
  for (let at = modulus.length - 1; at >= 0; at -= 1) {
    const difference = (rest[at + 1] ?? 0) - (modulus[at] ?? 0) - borrow;
    rest[at + 1] = difference & 0xff;
    borrow = difference < 0 ? 1 : 0;
  }
  rest[0] = (rest[0] ?? 0) - borrow;
}

function derInteger(bytes: Buffer): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
  const digits = bytes.subarray(start);
  return derOf(0x02, (digits[0] ?? 0) > 0x7f ? [Buffer.of(0), digits] : [digits]);
}

function derOf(tag: number, parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head =
    length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  const own = ownedBytes(head.length + length);
  own.set(head);
  let at = head.length;
  for (const part of parts) {
    copySecret(part, own, at);
    at += part.length;
  }
  return Buffer.from(own.buffer);
}
