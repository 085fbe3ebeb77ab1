import { webcrypto } from 'node:crypto';
import { SottoError } from '../core/errors.ts';
import { Sensitive } from '../core/sensitive.ts';
import type { AgeIdentity } from './age.ts';
import { openAgeFile, parseAgeFile } from './age-file.ts';
import { openEnc, pathAad } from './cipher.ts';
import type { SopsFile } from './file.ts';
import type { EncryptedValue } from './leaf.ts';
import type { AgeEntry, SopsMetadata } from './metadata.ts';

export const DATA_KEY_BYTES = 32;

/**
 * The data key of one file, imported once and not extractable. Disposing drops it; what WebCrypto holds of it goes
 * with the next collection, so a pass ends with one (spec/memory.md, R7).
 */
export class DataKey implements Disposable {
  #key: webcrypto.CryptoKey | undefined;

  private constructor(key: webcrypto.CryptoKey) {
    this.#key = key;
  }

  /** `bytes` are 32; the caller wipes them. */
  static async from(bytes: Uint8Array<ArrayBuffer>): Promise<DataKey> {
    return new DataKey(await webcrypto.subtle.importKey('raw', bytes, 'AES-GCM', false, ['encrypt', 'decrypt']));
  }

  get key(): webcrypto.CryptoKey {
    if (this.#key === undefined) throw new TypeError('the data key was used after it was disposed');
    return this.#key;
  }

  [Symbol.dispose](): void {
    this.#key = undefined;
  }
}

type KeyedFile = Pick<SopsFile, 'file' | 'metadata'>;

/**
 * Unwraps the data key of a file with the identities at hand. Throws SottoError: with the recipients of both sides
 * when none fits, and without any connection when the file asks for a key service.
 */
export async function unwrapDataKey(file: KeyedFile, identities: readonly AgeIdentity[]): Promise<DataKey> {
  const bytes = unwrapBytes(file, identities);
  try {
    return await DataKey.from(bytes);
  } finally {
    bytes.fill(0);
  }
}

/** The 32 bytes themselves, for those who wrap them again. The caller wipes them. */
export function unwrapBytes(file: KeyedFile, identities: readonly AgeIdentity[]): Uint8Array<ArrayBuffer> {
  const { metadata } = file;
  if (metadata.age.length === 0) throw noAge(file.file, metadata);
  let damaged: AgeEntry | undefined;
  for (const entry of byLikelihood(metadata.age, identities)) {
    const ageFile = parseAgeFile(entry.enc);
    const opened = ageFile === undefined ? { outcome: 'damaged' as const } : openAgeFile(ageFile, identities);
    if (opened.outcome === 'damaged') damaged ??= entry;
    if (opened.outcome !== 'opened') continue;
    if (opened.payload.length === DATA_KEY_BYTES) return opened.payload;
    opened.payload.fill(0);
    throw wrongLength(file.file, entry);
  }
  throw damaged === undefined ? notForUs(file, identities) : damagedEntry(file.file, damaged);
}

/** Entries that name one of our recipients first; the others too, because nothing vouches for the name. */
function byLikelihood(entries: readonly AgeEntry[], identities: readonly AgeIdentity[]): readonly AgeEntry[] {
  const ours = new Set(identities.map(({ recipient }) => recipient));
  const isOurs = (entry: AgeEntry): boolean => ours.has(entry.recipient);
  return [...entries.filter(isOurs), ...entries.filter((entry) => !isOurs(entry))];
}

/** The plaintext of one leaf. The caller wipes it. */
export async function openLeaf(
  file: Pick<SopsFile, 'file'>,
  leaf: EncryptedValue,
  dataKey: DataKey,
): Promise<Sensitive> {
  const opened = await openEnc(leaf.enc, pathAad(leaf.path), dataKey.key);
  if (opened === undefined) throw wrongPlace(file.file, leaf);
  return Sensitive.adopt(opened);
}

export function wrongPlace(file: string, value: EncryptedValue): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-007',
    what: 'an encrypted value does not belong to its place',
    why: 'it was changed, moved to another key, or encrypted with another data key',
    next: 'restore the line from Git history, or set the value anew',
    file,
    line: value.line,
    key: value.path.join('.'),
  });
}

function notForUs(file: KeyedFile, identities: readonly AgeIdentity[]): SottoError {
  const wanted = file.metadata.age.map(({ recipient }) => recipient).join(', ');
  const held = identities.map(({ recipient }) => recipient).join(', ');
  return new SottoError({
    code: 'SOTTO-AGE-001',
    what: 'no held identity opens the file',
    why: `it is encrypted for ${wanted}; ${held === '' ? 'no identity is held' : `held are the identities of ${held}`}`,
    next: 'add the identity of one of the recipients, or have a holder add yours: sops updatekeys',
    file: file.file,
    line: file.metadata.line,
  });
}

function noAge(file: string, metadata: SopsMetadata): SottoError {
  const place = { file, line: metadata.line, key: 'sops' };
  if (metadata.otherKeys.length === 0) {
    return new SottoError({
      code: 'SOTTO-SOPS-012',
      what: 'the file is encrypted for nobody',
      why: 'its sops block names no key',
      next: 'restore the sops block from Git history',
      ...place,
    });
  }
  return new SottoError({
    code: 'SOTTO-SOPS-011',
    what: `a file encrypted with ${metadata.otherKeys.join(', ')} is not in this version`,
    why: 'this version opens files that are encrypted for age recipients; no connection was made',
    next: 'have a holder of the keys add an age recipient',
    ...place,
  });
}

function damagedEntry(file: string, entry: AgeEntry): SottoError {
  return new SottoError({
    code: 'SOTTO-AGE-005',
    what: 'a wrapped data key is damaged',
    why: `the entry of ${entry.recipient} is not a readable age file, or was changed`,
    next: 'restore the sops block from Git history',
    file,
    line: entry.line,
    key: 'sops.age',
  });
}

function wrongLength(file: string, entry: AgeEntry): SottoError {
  return new SottoError({
    code: 'SOTTO-AGE-006',
    what: 'a data key has the wrong length',
    why: `the data key of a SOPS file has ${DATA_KEY_BYTES} bytes`,
    next: 'restore the sops block from Git history',
    file,
    line: entry.line,
    key: 'sops.age',
  });
}
