import { openAgeFile, parseAgeFile } from './age-file.ts';
import type { EntryOutcome, GroupOutcome, Identity, KeyedFile } from './identity.ts';
import { combineShares } from './shamir.ts';
import type { KeyEntry, KeyGroup } from './key-entry.ts';
import { namesKey, parsePgpMessage } from './pgp.ts';
import { damagedEntry, noKeys, notForUs, tooFewShares, wrongLength } from './unwrap-errors.ts';

export const DATA_KEY_BYTES = 32;

/**
 * The data key of a file as bytes, for those who wrap them again. The caller wipes them. Throws SottoError: with the
 * recipients of both sides when none fits.
 */
export async function unwrapBytes(file: KeyedFile, identities: readonly Identity[]): Promise<Uint8Array<ArrayBuffer>> {
  const { groups, threshold } = file.metadata;
  if (groups.every((group) => group.length === 0)) throw noKeys(file);
  const [only] = groups;
  if (groups.length > 1 || only === undefined) return unwrapShares(file, groups, threshold, identities);
  const opened = await openGroup(only, identities);
  if (opened.outcome === 'opened') return ofLength(opened, DATA_KEY_BYTES, file);
  throw opened.outcome === 'damaged' ? damagedEntry(file, opened.entry) : notForUs(file, identities);
}

/** All groups are tried, as sops does, even when enough are open. */
async function unwrapShares(
  file: KeyedFile,
  groups: readonly KeyGroup[],
  threshold: number,
  identities: readonly Identity[],
): Promise<Uint8Array<ArrayBuffer>> {
  const shares: Uint8Array<ArrayBuffer>[] = [];
  const outcomes: GroupOutcome[] = [];
  try {
    for (const group of groups) {
      const opened = await openGroup(group, identities);
      outcomes.push(opened);
      if (opened.outcome === 'opened') shares.push(ofLength(opened, DATA_KEY_BYTES + 1, file));
    }
    if (shares.length < threshold) throw tooFewShares(file, outcomes, identities);
    const dataKey = combineShares(shares);
    if (dataKey !== undefined) return dataKey;
  } finally {
    for (const share of shares) share.fill(0);
  }
  throw damagedEntry(file, groups.flat()[0]);
}

async function openGroup(group: KeyGroup, identities: readonly Identity[]): Promise<GroupOutcome> {
  const tried = await tryGroup(group, identities);
  if (tried.outcome === 'opened') return tried;
  // A person is asked last, and only for what may help.
  for (const identity of identities) {
    if (identity.kind !== 'locked' || !group.some((entry) => identity.mayOpen(entry))) continue;
    const unlocked = await tryGroup(group, await identity.unlock(group));
    if (unlocked.outcome === 'opened') return unlocked;
  }
  return tried;
}

async function tryGroup(group: KeyGroup, identities: readonly Identity[]): Promise<GroupOutcome> {
  let damaged: KeyEntry | undefined;
  for (const entry of byLikelihood(group, identities)) {
    const opened = await openEntry(entry, identities);
    if (opened.outcome === 'opened') return { ...opened, entry };
    if (opened.outcome === 'damaged') damaged ??= entry;
  }
  return damaged === undefined ? { outcome: 'not-for-us' } : { outcome: 'damaged', entry: damaged };
}

async function openEntry(entry: KeyEntry, identities: readonly Identity[]): Promise<EntryOutcome> {
  if (entry.kind === 'pgp') return openPgpEntry(entry.enc, identities);
  if (entry.kind !== 'age') return { outcome: 'not-for-us' };
  const ageFile = parseAgeFile(entry.enc);
  if (ageFile === undefined) return { outcome: 'damaged' };
  return openAgeFile(
    ageFile,
    identities.filter((identity) => identity.kind === 'age'),
  );
}

async function openPgpEntry(enc: string, identities: readonly Identity[]): Promise<EntryOutcome> {
  const message = parsePgpMessage(enc);
  if (message === undefined) return { outcome: 'damaged' };
  for (const identity of identities) {
    const opened = identity.kind === 'pgp' ? await identity.open(message) : undefined;
    if (opened !== undefined && opened.outcome !== 'not-for-us') return opened;
  }
  return { outcome: 'not-for-us' };
}

/**
 * Entries that name one of our recipients first, then those of the kinds sops tries first; the others too, because
 * nothing vouches for the name.
 */
function byLikelihood(group: KeyGroup, identities: readonly Identity[]): KeyGroup {
  const ours = new Set(identities.map((identity) => (identity.kind === 'age' ? identity.recipient : '')));
  const fingerprints = identities.flatMap((identity) => (identity.kind === 'pgp' ? identity.fingerprints : []));
  const rank = (entry: KeyEntry): number => {
    if (entry.kind === 'age') return ours.has(entry.recipient) ? 0 : 1;
    return entry.kind === 'pgp' ? (namesKey(entry.fingerprint, fingerprints) ? 0 : 1) : 2;
  };
  return group.toSorted((a, b) => rank(a) - rank(b));
}

function ofLength(
  opened: { readonly entry: KeyEntry; readonly payload: Uint8Array<ArrayBuffer> },
  bytes: number,
  file: KeyedFile,
): Uint8Array<ArrayBuffer> {
  if (opened.payload.length === bytes) return opened.payload;
  opened.payload.fill(0);
  throw wrongLength(file, opened.entry, bytes);
}
