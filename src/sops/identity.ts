import type { SottoError } from '../core/errors.ts';
import type { AgeIdentity } from './age-stanza.ts';
import type { KeyEntry } from './key-entry.ts';
import type { ServiceEntry } from './service-key.ts';
import type { SopsMetadata } from './metadata.ts';

/** Something that opens entries of a sops block. */
export type Identity = AgeIdentity | ServiceIdentity;

/** Asks the key services that settings allow, and refuses the others without a connection. */
export interface ServiceIdentity {
  readonly kind: 'service';
  /** What is allowed, for messages. */
  readonly recipient: string;
  open(entry: ServiceEntry): Promise<EntryOutcome>;
}

/** As much of a file as its data key needs. */
export interface KeyedFile {
  readonly file: string;
  readonly metadata: SopsMetadata;
}

/** The caller wipes the payload. */
export type EntryOutcome =
  | { readonly outcome: 'opened'; readonly payload: Uint8Array<ArrayBuffer> }
  | { readonly outcome: 'damaged' | 'not-for-us' }
  | ServiceFailure;

/** A key service gave no key: it was not called, or called in vain. The error has no place in a file yet. */
export interface ServiceFailure {
  readonly outcome: 'refused' | 'failed';
  readonly error: SottoError;
}

/** What came of the entries of one group. */
export type GroupOutcome =
  | { readonly outcome: 'opened'; readonly entry: KeyEntry; readonly payload: Uint8Array<ArrayBuffer> }
  | { readonly outcome: 'damaged'; readonly entry: KeyEntry }
  | (ServiceFailure & { readonly entry: KeyEntry })
  | { readonly outcome: 'not-for-us' };
