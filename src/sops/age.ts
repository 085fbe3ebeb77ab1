import type { Identity, Stanza } from 'age-encryption';
import {
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';
import { SottoError } from '../core/errors.ts';
import { ownedBytes } from '../core/sensitive.ts';
import { decodeBech32, encodeBech32 } from './bech32.ts';

const X25519_BYTES = 32;
const PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');
const SPKI_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');
const LABEL = 'age-encryption.org/v1/X25519';

/** What opens age files. The secret part is inside OpenSSL or in owned memory, never a string. */
export interface AgeIdentity extends Identity {
  readonly kind: 'age';
  /** The recipient that belongs to it: not secret. */
  readonly recipient: string;
  /**
   * The 16-byte file key, which the caller wipes, or null when no stanza is for this identity.
   * Throws SottoError for a stanza of its kind that no age program writes.
   */
  unwrapFileKey(stanzas: readonly Stanza[]): Uint8Array<ArrayBuffer> | null;
}

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
    const der = ownedBytes(PKCS8_PREFIX.length + X25519_BYTES);
    try {
      der.set(PKCS8_PREFIX);
      der.set(scalar, PKCS8_PREFIX.length);
      this.#privateKey = createPrivateKey({ key: Buffer.from(der.buffer), format: 'der', type: 'pkcs8' });
    } finally {
      der.fill(0);
    }
    const spki = createPublicKey(this.#privateKey).export({ format: 'der', type: 'spki' });
    this.#publicBytes = new Uint8Array(spki.subarray(SPKI_PREFIX.length));
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
    if (stanza.args.length !== 2 || share.length !== X25519_BYTES || stanza.body.length !== 32) throw badStanza();
    const wrapKey = this.#wrapKey(share);
    if (wrapKey === null) throw badStanza();
    try {
      return openOnce(wrapKey, Buffer.alloc(12), stanza.body);
    } finally {
      wrapKey.fill(0);
    }
  }

  #wrapKey(share: Buffer): Uint8Array | null {
    const publicKey = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, share]), format: 'der', type: 'spki' });
    let secret: Buffer | undefined;
    try {
      secret = diffieHellman({ privateKey: this.#privateKey, publicKey });
      const salt = Buffer.concat([share, this.#publicBytes]);
      return new Uint8Array(hkdfSync('sha256', secret, salt, LABEL, 32));
    } catch {
      // A share of low order: OpenSSL refuses the all-zero secret.
      return null;
    } finally {
      secret?.fill(0);
    }
  }
}

/** ChaCha20-Poly1305 with the tag at the end; null when it does not fit. The caller wipes the result. */
export function openOnce(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array): Uint8Array<ArrayBuffer> | null {
  const decipher = createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 });
  decipher.setAuthTag(sealed.subarray(-16));
  const opened = decipher.update(sealed.subarray(0, -16));
  try {
    decipher.final();
  } catch {
    opened.fill(0);
    return null;
  }
  const own = ownedBytes(opened.length);
  own.set(opened);
  opened.fill(0);
  return own;
}

function badStanza(): SottoError {
  return new SottoError({
    code: 'SOTTO-AGE-005',
    what: 'a wrapped data key is damaged',
    why: 'its X25519 stanza is not of the form that age writes',
    next: 'restore the sops block from Git history',
  });
}

const LINE_FEED = 10;
const IDENTITY_PREFIX = 'AGE-SECRET-KEY-';

/** Beginnings of lines that are identities of other kinds, or of a whole file that is encrypted itself. */
const OTHER_KINDS: readonly (readonly [string, string])[] = [
  ['AGE-SECRET-KEY-PQ-1', 'a post-quantum identity'],
  ['AGE-PLUGIN-', 'a plugin identity'],
  ['-----BEGIN OPENSSH PRIVATE KEY-----', 'an SSH key'],
  ['-----BEGIN RSA PRIVATE KEY-----', 'an SSH key'],
  ['age-encryption.org/', 'an encrypted key file'],
  ['-----BEGIN AGE ENCRYPTED FILE-----', 'an encrypted key file'],
];

/**
 * The identities of a key file: one on each line, comments and empty lines skipped. The caller wipes the bytes.
 * An identity of a kind that is not in this version is an error, or, with `onOther`, told there and left out.
 * Errors name the line of `file` and never quote it.
 */
export function parseAgeIdentities(
  keyFile: Uint8Array,
  options: { readonly file?: string; onOther?(error: SottoError): void } = {},
): AgeIdentity[] {
  const identities: AgeIdentity[] = [];
  const others: SottoError[] = [];
  let line = 0;
  for (const text of linesOf(keyFile)) {
    line += 1;
    if (text.length === 0 || startsWith(text, '#')) continue;
    const place = { file: options.file, line };
    const other = OTHER_KINDS.find(([start]) => startsWith(text, start));
    if (other === undefined) identities.push(parseIdentity(text, place));
    else others.push(otherKind(other[1], place));
    // The lines of such a file belong together: nothing behind the first one is a line of its own.
    if (other?.[0].startsWith('AGE-') === false) break;
  }
  const [firstOther] = others;
  if (firstOther !== undefined && options.onOther === undefined) throw firstOther;
  for (const error of others) options.onOther?.(error);
  if (identities.length === 0 && firstOther === undefined) throw noIdentity(options.file);
  return identities;
}

function* linesOf(bytes: Uint8Array): Generator<Uint8Array> {
  let start = 0;
  while (start < bytes.length) {
    const at = bytes.indexOf(LINE_FEED, start);
    const end = at === -1 ? bytes.length : at;
    yield trimmed(bytes.subarray(start, end));
    start = end + 1;
  }
}

/** Without blanks at the end: a carriage return of an edited file is not part of the key. */
function trimmed(line: Uint8Array): Uint8Array {
  let end = line.length;
  while (end > 0 && (line[end - 1] ?? 0) <= 32) end -= 1;
  return line.subarray(0, end);
}

function startsWith(line: Uint8Array, start: string): boolean {
  if (line.length < start.length) return false;
  for (let at = 0; at < start.length; at += 1) if (line[at] !== start.charCodeAt(at)) return false;
  return true;
}

interface LinePlace {
  readonly file: string | undefined;
  readonly line: number;
}

function parseIdentity(line: Uint8Array, place: LinePlace): AgeIdentity {
  const scalar = decodeBech32(line, IDENTITY_PREFIX, X25519_BYTES);
  if (scalar === undefined) {
    throw new SottoError({
      code: 'SOTTO-AGE-002',
      what: 'a line of the key file is not an age identity',
      why: 'it is not AGE-SECRET-KEY-1 and 58 more characters with a fitting checksum',
      next: 'put in the line as age-keygen wrote it',
      ...place,
    });
  }
  try {
    return new X25519Identity(scalar);
  } finally {
    scalar.fill(0);
  }
}

function otherKind(kind: string, place: LinePlace): SottoError {
  return new SottoError({
    code: 'SOTTO-AGE-003',
    what: `${kind} is not in this version`,
    why: 'this version holds X25519 identities (AGE-SECRET-KEY-1…)',
    next: 'make one with age-keygen, and have the files encrypted for its recipient too',
    ...place,
  });
}

function noIdentity(file: string | undefined): SottoError {
  return new SottoError({
    code: 'SOTTO-AGE-004',
    what: 'the key file holds no identity',
    why: 'after comments and empty lines nothing is left',
    next: 'make an identity: age-keygen -o keys.txt',
    file,
  });
}
