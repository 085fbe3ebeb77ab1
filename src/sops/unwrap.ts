import { openAgeFile, parseAgeFile } from './age-file.ts';
import type { EntryOutcome, GroupOutcome, Identity, KeyedFile } from './identity.ts';
import { notAllowed, settingsLine } from './service-errors.ts';
import { combineShares } from './shamir.ts';
import { isServiceEntry, type KeyEntry, type KeyGroup } from './key-entry.ts';
import { namesKey, parsePgpMessage } from './pgp.ts';
import { damagedEntry, noKeys, notForUs, serviceFailure, tooFewShares, wrongLength } from './unwrap-errors.ts';

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
  if (opened.outcome === 'damaged') throw damagedEntry(file, opened.entry);
  throw serviceFailure(file, opened) ?? notForUs(file, identities);
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
  let best: GroupOutcome = { outcome: 'not-for-us' };
  for (const entry of byLikelihood(group, identities)) {
    const opened = await openEntry(entry, identities);
    if (opened.outcome === 'opened') return { ...opened, entry };
    if (TELLING.indexOf(opened.outcome) < TELLING.indexOf(best.outcome)) best = { ...opened, entry };
  }
  return best;
}

/** Of several entries in vain, what is told: a service that is down comes back, and what is allowed can be changed. */
const TELLING: readonly GroupOutcome['outcome'][] = ['failed', 'damaged', 'refused', 'not-for-us'];

async function openEntry(entry: KeyEntry, identities: readonly Identity[]): Promise<EntryOutcome> {
  if (entry.kind === 'pgp') return openPgpEntry(entry.enc, identities);
  if (isServiceEntry(entry)) {
    const services = identities.find((identity) => identity.kind === 'service');
    return services?.open(entry) ?? { outcome: 'refused', error: notAllowed(entry, settingsLine(entry)) };
  }
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
