import type { Identity as AgeFileIdentity, Recipient as AgeRecipient } from 'age-encryption';
import { SottoError } from '../core/errors.ts';
import { copySecret, ownedBytes } from '../core/sensitive.ts';
import { writeAgeFile } from './age-write.ts';
import { LIMITS } from '../core/limits.ts';
import { hasMoreStanzas } from './age-file.ts';
import { decodeBech32 } from './bech32.ts';
import { bytesOf } from './cipher.ts';
import { hybridRecipient } from './hybrid.ts';
import { parseSshRecipient } from './ssh.ts';
import { x25519Recipient } from './x25519.ts';

/** An ML-KEM-768 key and an X25519 one. */
const HYBRID_BYTES = 1184 + 32;
const X25519_BYTES = 32;

/** Checks that recipients are of the kinds known here, and removes doubles. Throws SottoError; `place` says where they came from. */
export function checkRecipients(recipients: readonly string[], file?: string): string[] {
  const distinct = [...new Set(recipients.map((recipient) => recipient.trim()))];
  if (distinct.length === 0) throw noRecipient(file);
  for (const recipient of distinct) checkRecipient(recipient, file);
  return distinct;
}

export function isX25519Recipient(recipient: string): boolean {
  return decodeBech32(bytesOf(recipient), 'age', X25519_BYTES) !== undefined;
}

function checkRecipient(recipient: string, file: string | undefined): void {
  if (isX25519Recipient(recipient)) return;
  if (decodeBech32(bytesOf(recipient), 'age1pq', HYBRID_BYTES) !== undefined) return;
  if (recipient.startsWith('ssh-') && parseSshRecipient(recipient) !== undefined) return;
  if (/^age1(?!pq1)[a-z0-9]+1/.test(recipient)) {
    throw new SottoError({
      code: 'SOTTO-AGE-008',
      what: 'a plugin recipient is not in this version',
      why: 'this version encrypts for X25519, post-quantum hybrid and SSH recipients',
      next: 'name the X25519 recipient of an identity: age-keygen -y keys.txt',
      file,
    });
  }
  throw unusable(recipient, file);
}

function unusable(recipient: string, file: string | undefined): SottoError {
  return new SottoError({
    code: 'SOTTO-AGE-007',
    what: 'an age recipient is not usable',
    why: problemOf(recipient),
    next: 'copy the recipient again: age-keygen -y keys.txt',
    file,
  });
}

/** Why a recipient is refused. A secret key in place of one must not be printed. */
function problemOf(recipient: string): string {
  if (recipient.startsWith('ssh-')) return 'it is no public key of Ed25519, or of RSA with at least 2048 bits';
  if (recipient.startsWith('age1pq1'))
    return 'it is not as long as a post-quantum recipient, or its checksum does not fit';
  if (!recipient.startsWith('age1')) return 'it does not start with age1 or ssh-';
  return `${recipient} is not age1 and 58 more characters with a fitting checksum`;
}

function noRecipient(file: string | undefined): SottoError {
  return new SottoError({
    code: 'SOTTO-AGE-009',
    what: 'no recipient was given',
    why: 'a file is encrypted for at least one recipient',
    next: 'name one with --age, or put it into .sops.yaml',
    file,
  });
}

/** The data key in an armoured age file of its own for each recipient, as sops keeps it. */
export function wrapDataKey(
  dataKey: Uint8Array,
  recipients: readonly string[],
): Promise<{ recipient: string; enc: string }[]> {
  return Promise.all(
    recipients.map(async (recipient) => ({ recipient, enc: await writeAgeFile(dataKey, [recipientOf(recipient)]) })),
  );
}

/** Throws SottoError, also when it wraps. */
function recipientOf(text: string): AgeRecipient {
  const found = parsedRecipient(text);
  if (found === undefined) throw unusable(text, undefined);
  return {
    wrapFileKey: async (fileKey) => {
      try {
        return await found.wrapFileKey(fileKey);
      } catch {
        // A point of low order.
        throw unusable(text, undefined);
      }
    },
  };
}

function parsedRecipient(text: string): AgeRecipient | undefined {
  const ssh = parseSshRecipient(text);
  if (ssh !== undefined) return ssh;
  const point = decodeBech32(bytesOf(text), 'age', X25519_BYTES);
  if (point !== undefined) return x25519Recipient(point);
  const hybrid = decodeBech32(bytesOf(text), 'age1pq', HYBRID_BYTES);
  try {
    return hybrid && hybridRecipient(hybrid);
  } catch {
    // One of the right length may hold numbers that ML-KEM has no key for.
    return undefined;
  }
}

/** One armoured age file for all of them. The caller wipes the bytes. */
export async function encryptForRecipients(
  bytes: Uint8Array,
  recipients: readonly (string | AgeRecipient)[],
): Promise<string> {
  return writeAgeFile(
    bytes,
    recipients.map((recipient) => (typeof recipient === 'string' ? recipientOf(recipient) : recipient)),
  );
}

/** What an age file of any size holds, armoured or not; undefined when none of them opens it. The caller wipes it. */
export async function decryptWithIdentities(
  file: Uint8Array,
  identities: readonly AgeFileIdentity[],
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { armor, Decrypter } = await import('age-encryption');
  const text = Buffer.from(file.buffer, file.byteOffset, file.length);
  const decrypter = new Decrypter();
  for (const identity of identities) decrypter.addIdentity(identity);
  const chunks: Uint8Array[] = [];
  try {
    const isArmoured = text.toString('latin1', 0, 11) === '-----BEGIN ';
    const sealed = isArmoured ? armor.decode(text.toString('latin1')) : file;
    const view = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.length);
    if (hasMoreStanzas(view, LIMITS.maxAgeStanzas)) return undefined;
    // As a stream: left to join the chunks itself, the library keeps copies of them that nobody wipes.
    for await (const chunk of await decrypter.decrypt(new Blob([Uint8Array.from(sealed)]).stream())) chunks.push(chunk);
    return joined(chunks);
  } catch (thrown) {
    if (thrown instanceof SottoError) throw thrown;
    // The library says in words that change whether no identity fits or the file is damaged.
    return undefined;
  } finally {
    for (const chunk of chunks) chunk.fill(0);
  }
}

function joined(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = ownedBytes(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    copySecret(chunk, bytes, at);
    at += chunk.length;
  }
  return bytes;
}
