import { createHmac, createSecretKey, type KeyObject, randomFillSync, timingSafeEqual } from 'node:crypto';
import { SottoError } from '../core/errors.ts';
import { copySecret, forgetCopied, ownedBytes, Sensitive } from '../core/sensitive.ts';

/** What a keyed digest is for. Equal parts have unrelated digests in two domains. */
export type DigestDomain =
  | 'inventory'
  | 'status'
  | 'plan'
  | 'token'
  | 'restart'
  | 'last'
  | 'last-key'
  | 'exposure'
  | 'exposure-key'
  | 'receipt-key'
  | 'made-key'
  | 'id';

/** Entry of the fingerprint Secret that holds the key. */
export const FINGERPRINT_ENTRY = 'key';
/** Entry that holds the key before it, while something is not yet made with the new one. */
export const FORMER_ENTRY = 'previous';
export const FINGERPRINT_BYTES = 32;

/** The key of all digests that leave the agent's memory. Its bytes are inside OpenSSL only. */
export interface FingerprintKey {
  readonly keyObject: KeyObject;
}

/** Copies the key into OpenSSL; the caller wipes the bytes. Throws SOTTO-KEYS-020 unless they are 32. */
export function fingerprintKey(bytes: Sensitive): FingerprintKey {
  if (bytes.length === FINGERPRINT_BYTES) return { keyObject: createSecretKey(bytes.reveal()) };
  throw new SottoError({
    code: 'SOTTO-KEYS-020',
    what: 'the fingerprint key cannot be used',
    why: `it has ${bytes.length} bytes instead of ${FINGERPRINT_BYTES}`,
    next: 'restore the Secret from its backup; without one, delete the inventory too and let every object be adopted again',
    key: FINGERPRINT_ENTRY,
  });
}

/** A new key that is for one thing alone. Its bytes are inside OpenSSL only. */
export function newDigestKey(): FingerprintKey {
  using bytes = newFingerprintBytes();
  return fingerprintKey(bytes);
}

/** Where a key is stored, sealed: its bytes into a buffer that the caller wipes. */
export function copyKey({ keyObject }: FingerprintKey, into: Uint8Array, at: number): void {
  const bytes = keyObject.export();
  copySecret(bytes, into, at);
  bytes.fill(0);
}

/** Another key, made from this one. Its bytes are inside OpenSSL only. */
export function derivedKey(key: FingerprintKey, domain: DigestDomain, ...parts: readonly string[]): KeyObject {
  const bytes = keyedDigest(key, domain, ...parts);
  try {
    return createSecretKey(bytes);
  } finally {
    bytes.fill(0);
  }
}

/** Tells keys apart without saying anything of them: 16 hexadecimal digits. */
export function fingerprintId(key: FingerprintKey): string {
  return keyedDigest(key, 'id').toString('hex', 0, 8);
}

export function isSameFingerprint(a: FingerprintKey, b: FingerprintKey): boolean {
  return a.keyObject.equals(b.keyObject);
}

/** Bytes for a new fingerprint Secret. The caller wipes them. */
export function newFingerprintBytes(): Sensitive {
  return Sensitive.adopt(randomFillSync(ownedBytes(FINGERPRINT_BYTES)));
}

/**
 * HMAC-SHA-256 over domain and parts, each with its length in front. Parts are public (names, ciphertext, structure):
 * a streaming hash keeps the last block of its input in memory for a while (spec/memory.md, R6).
 */
export function keyedDigest(
  key: FingerprintKey,
  domain: DigestDomain,
  ...parts: readonly (string | Uint8Array)[]
): Buffer {
  const mac = createHmac('sha256', key.keyObject);
  for (const part of [`sotto/v1/${domain}`, ...parts]) {
    const bytes = typeof part === 'string' ? Buffer.from(part, 'utf8') : part;
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(bytes.length));
    mac.update(length).update(bytes);
  }
  return mac.digest();
}

/** More than one block of SHA-512, so that what a hash object keeps of its input is this and never a value. */
const TAIL = Buffer.alloc(256);

/**
 * HMAC-SHA-512 over domain, public parts and one value. The value goes in before the tail, as bytes: it becomes no
 * string and stays in no hash object (spec/memory.md, R6).
 */
export function keyedValueDigest(
  key: FingerprintKey,
  domain: DigestDomain,
  parts: readonly string[],
  value: Sensitive,
): Buffer {
  const mac = createHmac('sha512', key.keyObject);
  const addLength = (length: number): void => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(BigInt(length));
    mac.update(bytes);
  };
  for (const part of [`sotto/v1/${domain}`, ...parts]) {
    const bytes = Buffer.from(part, 'utf8');
    addLength(bytes.length);
    mac.update(bytes);
  }
  addLength(value.length);
  mac.update(value.reveal());
  forgetCopied();
  return mac.update(TAIL).digest();
}

/** Compares in constant time. A digest of another length is another digest. */
export function isKeyedDigest(
  digest: Uint8Array,
  key: FingerprintKey,
  domain: DigestDomain,
  ...parts: readonly (string | Uint8Array)[]
): boolean {
  const expected = keyedDigest(key, domain, ...parts);
  return digest.length === expected.length && timingSafeEqual(digest, expected);
}
