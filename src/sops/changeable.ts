import { SottoError } from '../core/errors.ts';
import type { Sensitive } from '../core/sensitive.ts';
import type { DataKey } from './data-key.ts';
import type { SopsMetadata } from './metadata.ts';

/** A file opened to be changed: its data key stays in hand, and what does not change keeps its ciphertext. */
export interface ChangeableSops extends Disposable {
  readonly metadata: SopsMetadata;
  /** Gone with the rest when this is disposed. */
  readonly dataKey: DataKey;
  /** Every value in its place, the sops block gone, every other character as it was. */
  readonly clear: Sensitive;
  /** The encrypted file for another clear text. Throws SottoError. */
  sealed(clear: Uint8Array, now: Date): Promise<string>;
}

/** Gives the data key of a file: with the identities at hand, or by a service that settings allow. */
export type Unwrap = (file: { readonly file: string; readonly metadata: SopsMetadata }) => Promise<DataKey>;

export function changeable(parts: Omit<ChangeableSops, typeof Symbol.dispose>): ChangeableSops {
  const { metadata, clear, dataKey } = parts;
  return {
    metadata,
    dataKey,
    clear,
    sealed: (changed, now) => parts.sealed(changed, now),
    [Symbol.dispose]: () => {
      clear.wipe();
      dataKey[Symbol.dispose]();
    },
  };
}

/** Throws SottoError for what is no UTF-8. */
export function textOfBytes(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new SottoError({
      code: 'SOTTO-SOPS-054',
      what: 'the content is not text',
      why: 'it is not UTF-8, and only binary files may hold other bytes',
      next: 'save it as UTF-8, or encrypt it as binary: --input-type binary',
      file,
    });
  }
}

export function notTheSame(file: string): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-050',
    what: 'the changed file was not written',
    why: 'what was encrypted did not open to the same values again; the old file is as it was',
    next: 'decrypt the file, make the change, and encrypt it anew: sotto decrypt -i, sotto encrypt -i',
    file,
  });
}
