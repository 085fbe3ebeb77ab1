import type { Recipient, Stanza } from 'age-encryption';
import {
  constants,
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
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
import { SshReader, sshField, sshTag } from './ssh-wire.ts';

/** age's stanzas for SSH keys (spec/sops.md 13.1). */
const ED25519_LABEL = 'age-encryption.org/v1/ssh-ed25519';
const RSA_LABEL = Buffer.from('age-encryption.org/v1/ssh-rsa', 'latin1');
const NO_NONCE = Buffer.alloc(12);
const FILE_KEY_BYTES = 16;
const MIN_RSA_BITS = 2048;

export class SshEd25519Identity implements AgeIdentity {
  readonly kind = 'age';
  readonly recipient: string;
  readonly #key: KeyObject;
  readonly #wire: Buffer;
  readonly #point: Buffer;

  /** The caller wipes the seed. */
  constructor(seed: Uint8Array, publicKey: Uint8Array) {
    this.#wire = ed25519Wire(publicKey);
    this.recipient = `ssh-ed25519 ${this.#wire.toString('base64')}`;
    const scalar = createHash('sha512').update(seed).digest();
    try {
      this.#key = x25519Key(scalar.subarray(0, 32));
    } finally {
      scalar.fill(0);
    }
    const spki = createPublicKey(this.#key).export({ format: 'der', type: 'spki' });
    this.#point = spki.subarray(X25519_SPKI.length);
  }

  unwrapFileKey(stanzas: readonly Stanza[]): Uint8Array<ArrayBuffer> | null {
    const tag = unpaddedBase64(sshTag(this.#wire));
    for (const { args, body } of stanzas) {
      if (args[0] !== 'ssh-ed25519') continue;
      const share = Buffer.from(args[2] ?? '', 'base64');
      if (args.length !== 3 || share.length !== 32 || body.length !== 32) throw badStanza('ssh-ed25519');
      if (args[1] !== tag) continue;
      const wrapKey = ed25519WrapKey({ key: this.#key, peer: share, share, point: this.#point, wire: this.#wire });
      if (wrapKey === null) throw badStanza('ssh-ed25519');
      try {
        return openOnce(wrapKey, NO_NONCE, body);
      } finally {
        wrapKey.fill(0);
      }
    }
    return null;
  }
}

export class SshRsaIdentity implements AgeIdentity {
  readonly kind = 'age';
  readonly recipient: string;
  readonly #key: KeyObject;
  readonly #wire: Buffer;

  constructor(key: KeyObject) {
    this.#key = key;
    this.#wire = rsaWire(createPublicKey(key));
    this.recipient = `ssh-rsa ${this.#wire.toString('base64')}`;
  }

  unwrapFileKey(stanzas: readonly Stanza[]): Uint8Array<ArrayBuffer> | null {
    const tag = unpaddedBase64(sshTag(this.#wire));
    for (const { args, body } of stanzas) {
      if (args[0] !== 'ssh-rsa') continue;
      if (args.length !== 2) throw badStanza('ssh-rsa');
      if (args[1] !== tag) continue;
      const opened = this.#open(body);
      if (opened === undefined) throw badStanza('ssh-rsa');
      const fileKey = ownedBytes(opened.length);
      copySecret(opened, fileKey);
      opened.fill(0);
      if (fileKey.length === FILE_KEY_BYTES) return fileKey;
      fileKey.fill(0);
      throw badStanza('ssh-rsa');
    }
    return null;
  }

  #open(body: Uint8Array): Buffer | undefined {
    try {
      const padding = constants.RSA_PKCS1_OAEP_PADDING;
      return privateDecrypt({ key: this.#key, padding, oaepHash: 'sha256', oaepLabel: RSA_LABEL }, body);
    } catch {
      return undefined;
    }
  }
}

/** The public key of a line such as `ssh-ed25519 AAAA… comment`; undefined for anything else. */
export function parseSshRecipient(line: string): Recipient | undefined {
  const [type, base64 = ''] = line.split(/[ \t]+/);
  const wire = Buffer.from(base64, 'base64');
  if (wire.toString('base64') !== base64) return undefined;
  const reader = new SshReader(wire);
  if (reader.text() !== type) return undefined;
  if (type === 'ssh-ed25519') {
    const publicKey = reader.bytes();
    const point = publicKey?.length === 32 && reader.isAtEnd ? montgomery(publicKey) : undefined;
    return point === undefined || !canAgree(point) ? undefined : ed25519Recipient(wire, point);
  }
  const [e, n] = [reader.bytes(), reader.bytes()];
  if (type !== 'ssh-rsa' || e === undefined || n === undefined || !reader.isAtEnd) return undefined;
  try {
    const jwk = { kty: 'RSA', n: n.toString('base64url'), e: e.toString('base64url') };
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    if ((key.asymmetricKeyDetails?.modulusLength ?? 0) < MIN_RSA_BITS) return undefined;
    return rsaRecipient(wire, key);
  } catch {
    return undefined;
  }
}

/** False for a point of low order, with which everybody agrees on the same secret. */
function canAgree(point: Buffer): boolean {
  try {
    agree(generateKeyPairSync('x25519').privateKey, point).fill(0);
    return true;
  } catch {
    return false;
  }
}

function ed25519Recipient(wire: Buffer, point: Buffer): Recipient {
  return {
    wrapFileKey: (fileKey) => {
      const { privateKey, publicKey } = generateKeyPairSync('x25519');
      const share = publicKey.export({ format: 'der', type: 'spki' }).subarray(X25519_SPKI.length);
      const wrapKey = ed25519WrapKey({ key: privateKey, peer: point, share, point, wire });
      if (wrapKey === null) throw new RangeError('a point of low order');
      const args = ['ssh-ed25519', unpaddedBase64(sshTag(wire)), unpaddedBase64(share)];
      const body = sealOnce(wrapKey, NO_NONCE, fileKey);
      wrapKey.fill(0);
      return [{ args, body }];
    },
  };
}

function rsaRecipient(wire: Buffer, key: KeyObject): Recipient {
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  return {
    wrapFileKey: (fileKey) => {
      const body = publicEncrypt({ key, padding, oaepHash: 'sha256', oaepLabel: RSA_LABEL }, fileKey);
      return [{ args: ['ssh-rsa', unpaddedBase64(sshTag(wire))], body: Uint8Array.from(body) }];
    },
  };
}

interface Agreement {
  readonly key: KeyObject;
  readonly peer: Uint8Array;
  readonly share: Uint8Array;
  readonly point: Uint8Array;
  readonly wire: Uint8Array;
}

/** The agreed secret goes through X25519 once more with a tweak of the public key, then through HKDF. */
function ed25519WrapKey({ key, peer, share, point, wire }: Agreement): Uint8Array | null {
  const secrets: Uint8Array[] = [];
  try {
    secrets.push(agree(key, peer));
    const tweak = new Uint8Array(hkdfSync('sha256', Buffer.alloc(0), wire, ED25519_LABEL, 32));
    secrets.push(agree(x25519Key(tweak), secrets[0] ?? peer));
    const salt = Buffer.concat([share, point]);
    return new Uint8Array(hkdfSync('sha256', secrets[1] ?? peer, salt, ED25519_LABEL, 32));
  } catch {
    // A share of low order: OpenSSL refuses the all-zero secret.
    return null;
  } finally {
    for (const secret of secrets) secret.fill(0);
  }
}

function agree(privateKey: KeyObject, peer: Uint8Array): Buffer {
  const publicKey = createPublicKey({ key: Buffer.concat([X25519_SPKI, peer]), format: 'der', type: 'spki' });
  return diffieHellman({ privateKey, publicKey });
}

function x25519Key(scalar: Uint8Array): KeyObject {
  const der = ownedBytes(X25519_PKCS8.length + scalar.length);
  try {
    der.set(X25519_PKCS8);
    copySecret(scalar, der, X25519_PKCS8.length);
    return createPrivateKey({ key: Buffer.from(der.buffer), format: 'der', type: 'pkcs8' });
  } finally {
    der.fill(0);
  }
}

const PRIME = 2n ** 255n - 19n;

/** u = (1 + y) / (1 - y): the point of Ed25519 on Curve25519. Public numbers, so BigInt is fine. */
function montgomery(publicKey: Uint8Array): Buffer | undefined {
  const y = BigInt(`0x${Buffer.from(publicKey.toReversed()).toString('hex')}`) & (2n ** 255n - 1n);
  if (y >= PRIME || y === 1n) return undefined;
  const u = ((1n + y) * power(PRIME + 1n - y, PRIME - 2n)) % PRIME;
  return Buffer.from(Buffer.from(u.toString(16).padStart(64, '0'), 'hex').toReversed());
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = base % PRIME;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % PRIME;
    square = (square * square) % PRIME;
  }
  return result;
}

function ed25519Wire(publicKey: Uint8Array): Buffer {
  return Buffer.concat([sshField(Buffer.from('ssh-ed25519')), sshField(publicKey)]);
}

function rsaWire(key: KeyObject): Buffer {
  const { n = '', e = '' } = key.export({ format: 'jwk' });
  return Buffer.concat([
    sshField(Buffer.from('ssh-rsa')),
    ...[e, n].map((text) => {
      const bytes = Buffer.from(text, 'base64url');
      return sshField((bytes[0] ?? 0) > 0x7f ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
    }),
  ]);
}
