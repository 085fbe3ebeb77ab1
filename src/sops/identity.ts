import type { SottoError } from '../core/errors.ts';
import type { AgeIdentity } from './age-stanza.ts';
import type { KeyEntry, KeyGroup } from './key-entry.ts';
import type { ServiceEntry } from './service-key.ts';
import type { SopsMetadata } from './metadata.ts';

/** Something that opens entries of a sops block. */
export type Identity = OpenIdentity | LockedIdentity | ServiceIdentity;

/** Asks the key services that settings allow, and refuses the others without a connection. */
export interface ServiceIdentity {
  readonly kind: 'service';
  /** What is allowed, for messages. */
  readonly recipient: string;
  open(entry: ServiceEntry): Promise<EntryOutcome>;
}

export type OpenIdentity = AgeIdentity | PgpIdentity;

/** What opens the OpenPGP entries of a sops block. The library is loaded when the first entry for it is met. */
export interface PgpIdentity {
  readonly kind: 'pgp';
  /** The fingerprint of the primary key. */
  readonly recipient: string;
  /** Of the primary key and all subkeys. */
  readonly fingerprints: readonly string[];
  /** `not-for-us` for a message to other keys. The caller wipes the payload. */
  open(message: PgpMessage): Promise<EntryOutcome>;
}

/** A message that is one data key, as far as it can be read without a key. */
export interface PgpMessage {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Of those who can open it. */
  readonly keyIds: readonly string[];
}

/** Behind a passphrase: asked for only when nothing else opens a file, and this might. */
export interface LockedIdentity {
  readonly kind: 'locked';
  /** Where it lies, or the recipient that belongs to it. */
  readonly recipient: string;
  mayOpen(entry: KeyEntry): boolean;
  /** Asks, for the sake of the entries of a group. Throws SottoError when nobody can be asked, or the answer is wrong. */
  unlock(group: KeyGroup): Promise<readonly OpenIdentity[]>;
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
