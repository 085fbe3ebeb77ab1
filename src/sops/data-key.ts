import { webcrypto } from 'node:crypto';
import { SottoError } from '../core/errors.ts';
import { Sensitive } from '../core/sensitive.ts';
import { openEnc, pathAad } from './cipher.ts';
import type { SopsFile } from './file.ts';
import type { EncryptedValue } from './leaf.ts';
import type { Identity, KeyedFile } from './identity.ts';
import { DATA_KEY_BYTES, unwrapBytes } from './unwrap.ts';

export { DATA_KEY_BYTES };

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

  /** Both make the same of the same random bytes: the keys themselves cannot be read. */
  async isSame(other: DataKey): Promise<boolean> {
    const [iv, bytes] = [webcrypto.getRandomValues(new Uint8Array(32)), webcrypto.getRandomValues(new Uint8Array(32))];
    const [own, theirs] = await Promise.all(
      [this.key, other.key].map((key) => webcrypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, bytes)),
    );
    return own !== undefined && theirs !== undefined && Buffer.from(own).equals(Buffer.from(theirs));
  }

  [Symbol.dispose](): void {
    this.#key = undefined;
  }
}

/**
 * Unwraps the data key of a file with the identities at hand. Throws SottoError: with the recipients of both sides
 * when none fits, and without any connection when the file asks for a key service.
 */
export async function unwrapDataKey(file: KeyedFile, identities: readonly Identity[]): Promise<DataKey> {
  const bytes = await unwrapBytes(file, identities);
  try {
    return await DataKey.from(bytes);
  } finally {
    bytes.fill(0);
  }
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
