import type { Recipient, Stanza } from 'age-encryption';
import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  decapsulate,
  diffieHellman,
  encapsulate,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { copySecret, ownedBytes } from '../core/sensitive.ts';
import {
  type AgeIdentity,
  badStanza,
  openOnce,
  sealOnce,
  unpaddedBase64,
  X25519_PKCS8,
  X25519_SPKI,
} from './age-stanza.ts';
import { encodeBech32 } from './bech32.ts';

/**
 * age's post-quantum hybrid: HPKE (RFC 9180, base mode) with ML-KEM-768 and X25519 together as KEM, HKDF-SHA-256 and
 * ChaCha20-Poly1305. Both secrets lie in OpenSSL.
 */
const ML_KEM_PKCS8 = Buffer.from('3054020100300b060960864801650304040204428040', 'hex');
const ML_KEM_SPKI = Buffer.from('308204b2300b0609608648016503040402038204a100', 'hex');
const ML_KEM_PUBLIC_BYTES = 1184;
const ML_KEM_SEED_BYTES = 64;
const ML_KEM_CIPHERTEXT_BYTES = 1088;
const X25519_BYTES = 32;
const COMBINER_LABEL = Buffer.from('\\.//^\\', 'latin1');
const LABEL = Buffer.from('age-encryption.org/mlkem768x25519', 'latin1');
/** `HPKE`, then the ids of KEM, KDF and AEAD. */
const SUITE = Buffer.from('48504b45647a00010003', 'hex');
const EMPTY = Buffer.alloc(0);

export class HybridIdentity implements AgeIdentity {
  readonly kind = 'age';
  /** `age1pq1…` */
  readonly recipient: string;
  readonly #mlKem: KeyObject;
  readonly #x25519: KeyObject;
  readonly #x25519Public: Uint8Array;

  /** `seed` is 32 bytes; the caller wipes it. */
  constructor(seed: Uint8Array) {
    const expanded = createHash('shake256', { outputLength: ML_KEM_SEED_BYTES + X25519_BYTES })
      .update(seed)
      .digest();
    try {
      this.#mlKem = privateKey(ML_KEM_PKCS8, expanded.subarray(0, ML_KEM_SEED_BYTES));
      this.#x25519 = privateKey(X25519_PKCS8, expanded.subarray(ML_KEM_SEED_BYTES));
    } finally {
      expanded.fill(0);
    }
    this.#x25519Public = publicBytes(this.#x25519, X25519_SPKI.length);
    const both = Buffer.concat([publicBytes(this.#mlKem, ML_KEM_SPKI.length), this.#x25519Public]);
    this.recipient = encodeBech32('age1pq', both);
  }

  unwrapFileKey(stanzas: readonly Stanza[]): Uint8Array<ArrayBuffer> | null {
    for (const stanza of stanzas) {
      if (stanza.args[0] !== 'mlkem768x25519') continue;
      const share = Buffer.from(stanza.args[1] ?? '', 'base64');
      const fits = stanza.args.length === 2 && share.length === ML_KEM_CIPHERTEXT_BYTES + X25519_BYTES;
      const secret = fits && stanza.body.length === 32 ? this.#sharedSecret(share) : null;
      if (secret === null) throw badStanza('mlkem768x25519');
      const context = hpkeContext(secret);
      try {
        const fileKey = openOnce(context.key, context.nonce, stanza.body);
        if (fileKey !== null) return fileKey;
      } finally {
        secret.fill(0);
        context.key.fill(0);
      }
    }
    return null;
  }

  #sharedSecret(share: Buffer): Buffer | null {
    const x25519Share = share.subarray(ML_KEM_CIPHERTEXT_BYTES);
    const secrets: Buffer[] = [];
    try {
      secrets.push(decapsulate(this.#mlKem, share.subarray(0, ML_KEM_CIPHERTEXT_BYTES)));
      secrets.push(diffieHellman({ privateKey: this.#x25519, publicKey: publicKey(X25519_SPKI, x25519Share) }));
      return combined(secrets, x25519Share, this.#x25519Public);
    } catch {
      // A share of low order: OpenSSL refuses the all-zero secret.
      return null;
    } finally {
      for (const secret of secrets) secret.fill(0);
    }
  }
}

/** Encrypts for the bytes of a recipient: an ML-KEM-768 key and an X25519 one. Throws for numbers that are no keys. */
export function hybridRecipient(bytes: Uint8Array): Recipient {
  const point = bytes.subarray(ML_KEM_PUBLIC_BYTES);
  const [mlKem, x25519] = [
    publicKey(ML_KEM_SPKI, bytes.subarray(0, ML_KEM_PUBLIC_BYTES)),
    publicKey(X25519_SPKI, point),
  ];
  return {
    wrapFileKey: (fileKey) => {
      const own = generateKeyPairSync('x25519');
      const share = publicBytes(own.publicKey, X25519_SPKI.length);
      const { ciphertext, sharedKey } = encapsulate(mlKem);
      const secrets: Buffer[] = [sharedKey];
      try {
        secrets.push(diffieHellman({ privateKey: own.privateKey, publicKey: x25519 }));
        const secret = combined(secrets, share, point);
        const { key, nonce } = hpkeContext(secret);
        secrets.push(secret, key);
        const args = ['mlkem768x25519', unpaddedBase64(Buffer.concat([ciphertext, share]))];
        return [{ args, body: sealOnce(key, nonce, fileKey) }];
      } finally {
        for (const secret of secrets) secret.fill(0);
      }
    },
  };
}

function combined(secrets: readonly Buffer[], share: Uint8Array, point: Uint8Array): Buffer {
  const input = Buffer.concat([...secrets, share, point, COMBINER_LABEL]);
  try {
    return createHash('sha3-256').update(input).digest();
  } finally {
    input.fill(0);
  }
}

function publicKey(prefix: Buffer, bytes: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([prefix, bytes]), format: 'der', type: 'spki' });
}

function privateKey(prefix: Buffer, secret: Uint8Array): KeyObject {
  const der = ownedBytes(prefix.length + secret.length);
  try {
    der.set(prefix);
    copySecret(secret, der, prefix.length);
    return createPrivateKey({ key: Buffer.from(der.buffer), format: 'der', type: 'pkcs8' });
  } finally {
    der.fill(0);
  }
}

function publicBytes(key: KeyObject, prefixBytes: number): Uint8Array {
  const spki = (key.type === 'public' ? key : createPublicKey(key)).export({ format: 'der', type: 'spki' });
  return new Uint8Array(spki.subarray(prefixBytes));
}

function hpkeContext(sharedSecret: Uint8Array): { key: Buffer; nonce: Buffer } {
  const context = Buffer.concat([
    Buffer.of(0),
    labeledExtract(EMPTY, 'psk_id_hash', EMPTY),
    labeledExtract(EMPTY, 'info_hash', LABEL),
  ]);
  const secret = labeledExtract(sharedSecret, 'secret', EMPTY);
  try {
    return { key: labeledExpand(secret, 'key', context, 32), nonce: labeledExpand(secret, 'base_nonce', context, 12) };
  } finally {
    secret.fill(0);
  }
}

function labeledExtract(salt: Uint8Array, label: string, input: Uint8Array): Buffer {
  return createHmac('sha256', salt).update('HPKE-v1').update(SUITE).update(label).update(input).digest();
}

/** At most 32 bytes: one block. */
function labeledExpand(key: Uint8Array, label: string, context: Uint8Array, bytes: number): Buffer {
  return createHmac('sha256', key)
    .update(Buffer.of(0, bytes))
    .update('HPKE-v1')
    .update(SUITE)
    .update(label)
    .update(context)
    .update(Buffer.of(1))
    .digest()
    .subarray(0, bytes);
}
