import { SottoError } from '../core/errors.ts';
import type { WrittenEntry, WrittenGroup } from './block.ts';
import { type PgpRecipient, wrapForPgp } from './pgp.ts';
import { checkRecipients, wrapDataKey } from './recipients.ts';
import { type ServiceRecipient, wrapForService } from './service-recipient.ts';
import { splitSecret } from './shamir.ts';

/** Somebody for whom a data key is wrapped. */
export type Recipient = { readonly kind: 'age'; readonly recipient: string } | PgpRecipient | ServiceRecipient;

/** For whom a file is encrypted: one group, any of which opens it, or several of which `threshold` are needed. */
export interface KeyGroups {
  readonly groups: readonly (readonly Recipient[])[];
  /** From 2 to the number of groups, where there are several. */
  readonly threshold: number;
}

/** age recipients alone are one group. Throws SottoError for those that are not usable. */
export function checkedGroups(wanted: readonly string[] | KeyGroups, file: string): KeyGroups {
  if (!('groups' in wanted)) {
    const recipients = checkRecipients(wanted, file);
    return { groups: [recipients.map((recipient) => ({ kind: 'age', recipient }))], threshold: 1 };
  }
  if (wanted.groups.length === 0) throw noKey(file);
  for (const group of wanted.groups) {
    const age = ageOf(group);
    if (group.length === 0) throw noKey(file);
    if (age.length > 0) checkRecipients(age, file);
  }
  return wanted;
}

function ageOf(group: readonly Recipient[]): string[] {
  return group.flatMap((recipient) => (recipient.kind === 'age' ? recipient.recipient : []));
}

/** The entries of each group: of the data key itself, or of the share of the group. `now` is RFC 3339. */
export async function wrapForGroups(
  dataKey: Uint8Array,
  { groups, threshold }: KeyGroups,
  now: string,
): Promise<WrittenGroup[]> {
  if (groups.length === 1) return Promise.all(groups.map((group) => wrapForGroup(dataKey, group, now)));
  const shares = splitSecret(dataKey, groups.length, threshold);
  try {
    // Each share to its own group: there are as many of one as of the other.
    return await Promise.all(shares.map((share, index) => wrapForGroup(share, groups[index] ?? [], now)));
  } finally {
    for (const share of shares) share.fill(0);
  }
}

async function wrapForGroup(secret: Uint8Array, group: readonly Recipient[], now: string): Promise<WrittenGroup> {
  const age = await wrapDataKey(secret, ageOf(group));
  const others: WrittenEntry[] = [];
  for (const recipient of group) {
    if (recipient.kind === 'service') others.push(await wrapForService(secret, recipient, now));
    if (recipient.kind !== 'pgp') continue;
    const enc = await wrapForPgp(secret, recipient);
    others.push({ list: 'pgp', fields: { created_at: now, enc: enc.trimEnd(), fp: recipient.fingerprint } });
  }
  return [...age.map((fields) => ({ list: 'age', fields })), ...others];
}

function noKey(file: string): SottoError {
  return new SottoError({
    code: 'SOTTO-AGE-009',
    what: 'no recipient was given',
    why: 'a key group names no key',
    next: 'name one in every group of key_groups in .sops.yaml',
    file,
  });
}
