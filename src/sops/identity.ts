import type { AgeIdentity } from './age.ts';
import type { KeyEntry } from './key-entry.ts';
import type { SopsMetadata } from './metadata.ts';

/** Something that opens entries of a sops block. */
export type Identity = AgeIdentity;

/** As much of a file as its data key needs. */
export interface KeyedFile {
  readonly file: string;
  readonly metadata: SopsMetadata;
}

/** The caller wipes the payload. */
export type EntryOutcome =
  | { readonly outcome: 'opened'; readonly payload: Uint8Array<ArrayBuffer> }
  | { readonly outcome: 'damaged' | 'not-for-us' };

/** What came of the entries of one group. */
export type GroupOutcome =
  | { readonly outcome: 'opened'; readonly entry: KeyEntry; readonly payload: Uint8Array<ArrayBuffer> }
  | { readonly outcome: 'damaged'; readonly entry: KeyEntry }
  | { readonly outcome: 'not-for-us' };
