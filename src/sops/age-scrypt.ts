import type { Identity, Recipient } from 'age-encryption';
import { randomBytes, scryptSync } from 'node:crypto';
import { SottoError } from '../core/errors.ts';
import { ownedBytes } from '../core/sensitive.ts';
import { type AgeFile, openAgeFile, parseAgeBytes, parseAgeFile } from './age-file.ts';
import { openOnce, sealOnce, unpaddedBase64 } from './age-stanza.ts';

/** age itself makes files of 2^18 and takes no more than this, which is 4 GiB of memory for half a minute. */
const MAX_WORK_FACTOR = 22;
const SALT_LABEL = Buffer.from('age-encryption.org/v1/scrypt');
const SALT_BYTES = 16;
const FILE_KEY_BYTES = 16;
const BLOCK_SIZE = 8;

/** A file that `age -p` made, armoured or not: undefined for anything else. Throws SottoError for too much work. */
export interface PassphraseFile {
  readonly file: AgeFile;
  readonly salt: Uint8Array;
  readonly workFactor: number;
  readonly wrapped: Uint8Array;
}

export function parsePassphraseFile(bytes: Uint8Array): PassphraseFile | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const isArmoured = view.subarray(0, 11).equals(Buffer.from('-----BEGIN '));
  const file = isArmoured ? parseAgeFile(view.toString('latin1')) : parseAgeBytes(view);
  const [stanza, second] = file?.stanzas ?? [];
  const [type, saltText = '', factor = ''] = stanza?.args ?? [];
  if (file === undefined || stanza === undefined || second !== undefined || type !== 'scrypt') return undefined;
  const salt = Buffer.from(saltText, 'base64');
  if (stanza.args.length !== 3 || salt.length !== SALT_BYTES || !/^[1-9]\d?$/.test(factor)) return undefined;
  if (stanza.body.length !== FILE_KEY_BYTES + 16) return undefined;
  if (Number(factor) > MAX_WORK_FACTOR) throw tooMuchWork(Number(factor));
  return { file, salt, workFactor: Number(factor), wrapped: stanza.body };
}

/** What is in the file, which the caller wipes; undefined for another passphrase, or a file that was changed. */
export function openPassphraseFile(
  sealed: PassphraseFile,
  passphrase: Uint8Array,
): Uint8Array<ArrayBuffer> | undefined {
  const opened = openAgeFile(sealed.file, [
    { kind: 'age', recipient: '', unwrapFileKey: () => unwrap(sealed, passphrase) },
  ]);
  return opened.outcome === 'opened' ? opened.payload : undefined;
}

/** What age itself takes. */
const WORK_FACTOR = 18;

/** Encrypts for whoever has a passphrase, as `age -p` does. It stands alone in a file. */
export function passphraseRecipient(passphrase: Uint8Array): Recipient {
  return {
    wrapFileKey: (fileKey) => {
      const salt = randomBytes(SALT_BYTES);
      const key = keyOf(passphrase, salt, WORK_FACTOR);
      try {
        const body = sealOnce(key, ownedBytes(12), fileKey);
        return [{ args: ['scrypt', unpaddedBase64(salt), String(WORK_FACTOR)], body }];
      } finally {
        key.fill(0);
      }
    },
  };
}

/** Opens what `age -p` made, of any size. */
export function passphraseIdentity(passphrase: Uint8Array): Identity {
  return {
    unwrapFileKey: (stanzas) => {
      const [stanza, second] = stanzas;
      const [type, saltText = '', factor = ''] = stanza?.args ?? [];
      if (stanza === undefined || second !== undefined || type !== 'scrypt' || !/^[1-9]\d?$/.test(factor)) return null;
      const workFactor = Number(factor);
      if (workFactor > MAX_WORK_FACTOR) throw tooMuchWork(workFactor);
      const salt = Buffer.from(saltText, 'base64');
      return salt.length === SALT_BYTES ? unwrap({ salt, workFactor, wrapped: stanza.body }, passphrase) : null;
    },
  };
}

function unwrap(
  { salt, workFactor, wrapped }: Omit<PassphraseFile, 'file'>,
  passphrase: Uint8Array,
): Uint8Array<ArrayBuffer> | null {
  const key = keyOf(passphrase, salt, workFactor);
  try {
    return openOnce(key, ownedBytes(12), wrapped);
  } finally {
    key.fill(0);
  }
}

function keyOf(passphrase: Uint8Array, salt: Uint8Array, workFactor: number): Buffer {
  const cost = 2 ** workFactor;
  // What scrypt needs, and a little for itself.
  const maxmem = 128 * BLOCK_SIZE * (cost + 16);
  return scryptSync(passphrase, Buffer.concat([SALT_LABEL, salt]), 32, { N: cost, r: BLOCK_SIZE, p: 1, maxmem });
}

function tooMuchWork(factor: number): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-044',
    what: 'a passphrase-protected file asks for too much work',
    why: `it wants 2^${factor} steps for each try; age takes at most 2^${MAX_WORK_FACTOR}`,
    next: 'protect the identity anew: age -p keys.txt > keys.age',
  });
}
