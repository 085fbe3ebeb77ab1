import { SottoError } from '../core/errors.ts';
import { type AgeIdentity } from './age-stanza.ts';
import { decodeBech32 } from './bech32.ts';
import { HybridIdentity } from './hybrid.ts';
import { parseSshKey } from './ssh-key.ts';
import { X25519Identity } from './x25519.ts';

export type { AgeIdentity } from './age-stanza.ts';

const LINE_FEED = 10;
const IDENTITY_PREFIX = 'AGE-SECRET-KEY-';
const SECRET_BYTES = 32;

const HYBRID_PREFIX = 'AGE-SECRET-KEY-PQ-';
const PLUGIN_PREFIX = 'AGE-PLUGIN-';
const SSH_BEGINS = ['-----BEGIN OPENSSH PRIVATE KEY-----', '-----BEGIN RSA PRIVATE KEY-----'];
const ENCRYPTED_BEGINS = ['age-encryption.org/', '-----BEGIN AGE ENCRYPTED FILE-----'];

/**
 * The identities of a key file: one on each line, comments and empty lines skipped; or one SSH key. The caller wipes
 * the bytes. An identity of a kind that is not in this version is an error, or, with `onOther`, told there and left
 * out. Errors name the line of `file` and never quote it.
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
    // The lines of such a file belong together: nothing behind the first one is a line of its own.
    if (SSH_BEGINS.some((begin) => startsWith(text, begin))) {
      identities.push(sshIdentity(keyFile, place));
      break;
    }
    if (ENCRYPTED_BEGINS.some((begin) => startsWith(text, begin))) {
      others.push(otherKind('an encrypted key file', place));
      break;
    }
    if (startsWith(text, PLUGIN_PREFIX)) others.push(otherKind('a plugin identity', place));
    else identities.push(parseIdentity(text, place));
  }
  const [firstOther] = others;
  if (firstOther !== undefined && options.onOther === undefined) throw firstOther;
  for (const error of others) options.onOther?.(error);
  if (identities.length === 0 && firstOther === undefined) throw noIdentity(options.file);
  return identities;
}

function sshIdentity(keyFile: Uint8Array, place: LinePlace): AgeIdentity {
  const key = parseSshKey(keyFile);
  if (typeof key !== 'string') return key;
  throw new SottoError({
    code: 'SOTTO-AGE-010',
    what: 'an SSH key cannot be used as identity',
    why: SSH_PROBLEMS[key],
    next: 'give an Ed25519 or RSA key without passphrase, or an age identity: age-keygen -o keys.txt',
    ...place,
  });
}

const SSH_PROBLEMS = {
  damaged: 'it is not a private key as ssh-keygen writes it',
  encrypted: 'it is protected by a passphrase',
  'other-kind': 'it is neither an Ed25519 nor an RSA key',
} as const;

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
  const isHybrid = startsWith(line, HYBRID_PREFIX);
  const secret = decodeBech32(line, isHybrid ? HYBRID_PREFIX : IDENTITY_PREFIX, SECRET_BYTES);
  if (secret === undefined) {
    throw new SottoError({
      code: 'SOTTO-AGE-002',
      what: 'a line of the key file is not an age identity',
      why: `it is not ${isHybrid ? HYBRID_PREFIX : IDENTITY_PREFIX}1 and 58 more characters with a fitting checksum`,
      next: 'put in the line as age-keygen wrote it',
      ...place,
    });
  }
  try {
    return isHybrid ? new HybridIdentity(secret) : new X25519Identity(secret);
  } finally {
    secret.fill(0);
  }
}

function otherKind(kind: string, place: LinePlace): SottoError {
  return new SottoError({
    code: 'SOTTO-AGE-003',
    what: `${kind} is not in this version`,
    why: 'this version holds identities of age-keygen (AGE-SECRET-KEY-…) and SSH keys',
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
