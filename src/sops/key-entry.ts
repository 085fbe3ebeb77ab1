import { SERVICE_LISTS, type ServiceEntry, serviceKeyTitle } from './service-key.ts';

/** The data key, or a share of it, as one master key wrapped it. What an entry says of itself nothing vouches for. */
export type KeyEntry =
  | ({ readonly kind: 'age' } & AgeEntry)
  | { readonly kind: 'pgp'; readonly fingerprint: string; readonly enc: string; readonly line: number }
  | ServiceEntry
  | { readonly kind: 'other'; readonly name: string; readonly key: string; readonly line: number };

/** Any entry of a group gives the share of the group. */
export type KeyGroup = readonly KeyEntry[];

export function isServiceEntry(entry: KeyEntry): entry is ServiceEntry {
  return Object.hasOwn(SERVICE_LISTS, entry.kind);
}

/** For whom an entry is wrapped, in the words of the file. */
export function holderOf(entry: KeyEntry): string {
  if (entry.kind === 'age') return entry.recipient;
  if (entry.kind === 'pgp') return `OpenPGP key ${entry.fingerprint}`;
  if (entry.kind === 'other') return `${entry.name} ${entry.key}`;
  return serviceKeyTitle(entry);
}

export interface AgeEntry {
  /** As the file says; nothing vouches for it. */
  readonly recipient: string;
  /** The data key in an age file of its own, armoured. */
  readonly enc: string;
  readonly line: number;
}
