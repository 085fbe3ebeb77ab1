import { holderOf } from '../sops/key-entry.ts';
import type { SopsMetadata } from '../sops/metadata.ts';
import { serviceKeyTitle } from '../sops/service-key.ts';
import type { Recipient } from '../sops/wrap.ts';
import type { NewFileKeys } from './new-file.ts';

/** For whom a file is encrypted, and what of it: to be compared with another version of the file. */
export interface FileTerms {
  readonly groups: readonly (readonly string[])[];
  readonly threshold: number;
  /** What is encrypted and what the MAC covers, as text. */
  readonly selection: string;
}

/** Pure. */
export function termsOfFile({ groups, threshold, selector, macOnlyEncrypted }: SopsMetadata): FileTerms {
  return termsOf(
    groups.map((group) => group.map(holderOf)),
    threshold,
    [selector, macOnlyEncrypted],
  );
}

/** Pure. */
export function termsOfNewFile({ recipients, rule }: NewFileKeys): FileTerms {
  const { groups, threshold } = recipients;
  return termsOf(
    groups.map((group) => group.map(holderOfNew)),
    threshold,
    [rule?.selector ?? null, rule?.macOnlyEncrypted ?? false],
  );
}

/** In what a version of a file has other terms than the one before; undefined for nothing. Pure. */
export function otherTerms(before: FileTerms, now: FileTerms): string | undefined {
  const known = new Set(before.groups.flat());
  const fresh = [...new Set(now.groups.flat())].filter((name) => !known.has(name));
  // Files may name anything.
  const names = fresh.slice(0, 3).map((name) => name.replaceAll(/\p{Cc}/gu, ' ').slice(0, 100));
  if (names.length > 0) return `it is for ${names.join(', ')} there, and was not when this began`;
  if (JSON.stringify(before) === JSON.stringify(now)) return undefined;
  return 'it has other recipients, key groups or selection of what is encrypted there than when this began';
}

function termsOf(groups: readonly (readonly string[])[], threshold: number, selection: readonly unknown[]): FileTerms {
  return {
    groups: groups.map((group) => [...new Set(group)].toSorted()),
    threshold: groups.length > 1 ? threshold : 1,
    selection: JSON.stringify(selection),
  };
}

function holderOfNew(recipient: Recipient): string {
  if (recipient.kind === 'age') return recipient.recipient;
  return recipient.kind === 'pgp' ? `OpenPGP key ${recipient.fingerprint}` : serviceKeyTitle(recipient.key);
}
