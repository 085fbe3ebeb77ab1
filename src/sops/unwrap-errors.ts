import { SottoError } from '../core/errors.ts';
import { holderOf, isServiceEntry, type KeyEntry } from './key-entry.ts';
import type { GroupOutcome, Identity, KeyedFile } from './identity.ts';
import { SERVICE_LISTS } from './service-key.ts';

/** Name of the list in the sops block in which an entry stands. */
function listOf(entry: KeyEntry): string {
  if (entry.kind === 'other') return entry.name;
  return isServiceEntry(entry) ? SERVICE_LISTS[entry.kind] : entry.kind;
}

function heldBy(identities: readonly Identity[]): string {
  const held = identities.filter(({ kind }) => kind !== 'service');
  if (held.length === 0) return 'no identity is held';
  return `held are the identities of ${held.map(nameOf).join(', ')}`;
}

function nameOf(identity: Identity): string {
  return identity.kind === 'pgp' ? `OpenPGP key ${identity.recipient}` : identity.recipient;
}

/** What a key service said, at its place in the file. Undefined where the file has other ways in than services. */
export function serviceFailure(file: KeyedFile, opened: GroupOutcome): SottoError | undefined {
  if (opened.outcome !== 'refused' && opened.outcome !== 'failed') return undefined;
  const others = file.metadata.groups.flat().some((entry) => !isServiceEntry(entry));
  if (opened.outcome === 'refused' && others) return undefined;
  return opened.error.at({ file: file.file, line: opened.entry.line, key: `sops.${listOf(opened.entry)}` });
}

export function notForUs(file: KeyedFile, identities: readonly Identity[]): SottoError {
  const entries = file.metadata.groups.flat();
  if (entries.every(({ kind }) => kind !== 'age' && kind !== 'pgp')) return notInThisVersion(file, entries);
  return new SottoError({
    code: 'SOTTO-AGE-001',
    what: 'no held identity opens the file',
    why: `it is encrypted for ${entries.map(holderOf).join(', ')}; ${heldBy(identities)}`,
    next: 'add the identity of one of the recipients, or have a holder add yours: sops updatekeys',
    file: file.file,
    line: file.metadata.line,
  });
}

/** What each group lacks: the reader cannot know otherwise whom to ask. */
export function tooFewShares(
  file: KeyedFile,
  outcomes: readonly GroupOutcome[],
  identities: readonly Identity[],
): SottoError {
  const { groups, threshold } = file.metadata;
  const lines = groups.map((group, index) => {
    const state = STATES[outcomes[index]?.outcome ?? 'not-for-us'];
    return `group ${index + 1} (${group.map(holderOf).join(', ')}) ${state}`;
  });
  // What a service lacks is more to the point than another identity.
  const [service] = outcomes.flatMap((each) =>
    each.outcome === 'refused' || each.outcome === 'failed' ? each.error : [],
  );
  const text = {
    code: 'SOTTO-SOPS-030',
    what: 'too few key groups of the file open',
    why: `${threshold} of ${groups.length} are needed: ${lines.join('; ')}; ${heldBy(identities)}`,
    next:
      service?.next ?? 'add an identity of another group, or have holders of enough groups add yours: sops updatekeys',
    file: file.file,
    line: file.metadata.line,
    key: 'sops.key_groups',
  } as const;
  return new SottoError(text, { cause: service });
}

const STATES = {
  opened: 'opens',
  damaged: 'is damaged',
  refused: 'is with a service that is not allowed here',
  failed: 'is with a service that gave no key',
  'not-for-us': 'does not open',
} as const satisfies Record<GroupOutcome['outcome'], string>;

export function noKeys(file: KeyedFile): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-012',
    what: 'the file is encrypted for nobody',
    why: 'its sops block names no key',
    next: 'restore the sops block from Git history',
    file: file.file,
    line: file.metadata.line,
    key: 'sops',
  });
}

function notInThisVersion(file: KeyedFile, entries: readonly KeyEntry[]): SottoError {
  const lists = [...new Set(entries.map(listOf))];
  return new SottoError({
    code: 'SOTTO-SOPS-011',
    what: `a file encrypted with ${lists.join(', ')} is not in this version`,
    why: `it is encrypted for ${entries.map(holderOf).join(', ')}; no connection was made`,
    next: 'have a holder of the keys add an age recipient',
    file: file.file,
    line: file.metadata.line,
    key: 'sops',
  });
}

export function damagedEntry(file: KeyedFile, entry: KeyEntry | undefined): SottoError {
  return new SottoError({
    code: entry?.kind === 'pgp' ? 'SOTTO-SOPS-060' : 'SOTTO-AGE-005',
    what: 'a wrapped data key is damaged',
    why: `the entry of ${entry === undefined ? 'a key' : holderOf(entry)} is not readable, or was changed`,
    next: 'restore the sops block from Git history',
    file: file.file,
    line: entry?.line ?? file.metadata.line,
    key: entry === undefined ? 'sops' : `sops.${listOf(entry)}`,
  });
}

export function wrongLength(file: KeyedFile, entry: KeyEntry, bytes: number): SottoError {
  return new SottoError({
    code: 'SOTTO-AGE-006',
    what: 'a data key has the wrong length',
    why: `the ${bytes === 32 ? 'data key of a SOPS file' : 'share of a data key'} has ${bytes} bytes`,
    next: 'restore the sops block from Git history',
    file: file.file,
    line: entry.line,
    key: `sops.${listOf(entry)}`,
  });
}
