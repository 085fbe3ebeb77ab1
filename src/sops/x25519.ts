import type { Recipient, Stanza } from 'age-encryption';
import {
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
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

const X25519_BYTES = 32;
const LABEL = 'age-encryption.org/v1/X25519';

/**
 * An X25519 identity. The scalar is held by OpenSSL only; there is no string of it and no way to read it back.
 * It is an `Identity` of age-encryption as well, so that library opens files with it.
 */
export class X25519Identity implements AgeIdentity {
  readonly kind = 'age';
  /** `age1…`, not secret: the recipient that belongs to it. */
  readonly recipient: string;
  readonly #privateKey: KeyObject;
  readonly #publicBytes: Uint8Array;

  /** `scalar` is 32 bytes; the caller wipes it. */
  constructor(scalar: Uint8Array) {
    const der = ownedBytes(X25519_PKCS8.length + X25519_BYTES);
    try {
      der.set(X25519_PKCS8);
      copySecret(scalar, der, X25519_PKCS8.length);
      this.#privateKey = createPrivateKey({ key: Buffer.from(der.buffer), format: 'der', type: 'pkcs8' });
    } finally {
      der.fill(0);
    }
    const spki = createPublicKey(this.#privateKey).export({ format: 'der', type: 'spki' });
    this.#publicBytes = new Uint8Array(spki.subarray(X25519_SPKI.length));
    this.recipient = encodeBech32('age', this.#publicBytes);
  }

  /**
   * The 16-byte file key, which the caller wipes, or null when no stanza is for this identity.
   * Throws SottoError for an X25519 stanza that no age program writes.
   */
  unwrapFileKey(stanzas: readonly Stanza[]): Uint8Array<ArrayBuffer> | null {
    for (const stanza of stanzas) {
      if (stanza.args[0] !== 'X25519') continue;
      const fileKey = this.#unwrap(stanza);
      if (fileKey !== null) return fileKey;
    }
    return null;
  }

  #unwrap(stanza: Stanza): Uint8Array<ArrayBuffer> | null {
    const share = Buffer.from(stanza.args[1] ?? '', 'base64');
    if (stanza.args.length !== 2 || share.length !== X25519_BYTES || stanza.body.length !== 32)
      throw badStanza('X25519');
    const agreement = { key: this.#privateKey, peer: share, share, point: this.#publicBytes };
    const wrapKey = wrapKeyOf(agreement);
    if (wrapKey === null) throw badStanza('X25519');
    try {
      return openOnce(wrapKey, Buffer.alloc(12), stanza.body);
    } finally {
      wrapKey.fill(0);
    }
  }
}

/** Encrypts for the 32 bytes of a recipient. A point of low order, with which nothing can be agreed, is a RangeError. */
export function x25519Recipient(point: Uint8Array): Recipient {
  return {
    wrapFileKey: (fileKey) => {
      const { privateKey, publicKey } = generateKeyPairSync('x25519');
      const share = publicKey.export({ format: 'der', type: 'spki' }).subarray(X25519_SPKI.length);
      const wrapKey = wrapKeyOf({ key: privateKey, peer: point, share, point });
      if (wrapKey === null) throw new RangeError('a point of low order');
      try {
        return [{ args: ['X25519', unpaddedBase64(share)], body: sealOnce(wrapKey, Buffer.alloc(12), fileKey) }];
      } finally {
        wrapKey.fill(0);
      }
    },
  };
}

interface Agreement {
  readonly key: KeyObject;
  readonly peer: Uint8Array;
  readonly share: Uint8Array;
  readonly point: Uint8Array;
}

function wrapKeyOf({ key, peer, share, point }: Agreement): Uint8Array | null {
  const publicKey = createPublicKey({ key: Buffer.concat([X25519_SPKI, peer]), format: 'der', type: 'spki' });
  let secret: Buffer | undefined;
  try {
    secret = diffieHellman({ privateKey: key, publicKey });
    return new Uint8Array(hkdfSync('sha256', secret, Buffer.concat([share, point]), LABEL, 32));
  } catch {
    // A share of low order: OpenSSL refuses the all-zero secret.
    return null;
  } finally {
    secret?.fill(0);
  }
}
