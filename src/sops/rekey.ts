import { randomFillSync } from 'node:crypto';
import { rfc3339 } from '../core/clock.ts';
import { SottoError } from '../core/errors.ts';
import { ownedBytes, type Sensitive } from '../core/sensitive.ts';
import { LOCAL_LIMITS } from '../yaml/limits.ts';
import { type Splice, spliceText } from '../yaml/splice.ts';
import type { BlockFields, WrittenGroup } from './block.ts';
import { type BlockEntries, blockEntries, holderName } from './block-entries.ts';
import { bytesOf, openEnc, sealEnc } from './cipher.ts';
import { DATA_KEY_BYTES, DataKey } from './data-key.ts';
import { openTree } from './decrypt.ts';
import { parseEnc } from './enc.ts';
import { parseDocuments, parseSopsTree } from './file.ts';
import type { Identity } from './identity.ts';
import { verifyMac } from './mac.ts';
import type { SopsMetadata } from './metadata.ts';
import { type Resealing, resealFlat, resealTree } from './reseal-values.ts';
import { replaceEnvBlock, replaceIniBlock, replaceTreeBlock } from './replace-block.ts';
import type { WholeFormat } from './scalar.ts';
import { unwrapBytes } from './unwrap.ts';
import { openWhole, SopsWhole } from './whole.ts';
import { type KeyGroups, type Recipient, wrapForGroups } from './wrap.ts';

/** A SOPS file of any format as it stands. */
export interface RekeyFile {
  readonly text: string;
  readonly format: WholeFormat;
  readonly file: string;
}

/** For whom it shall be, with the name under which an entry or a rule knows each. */
export interface NamedRecipient {
  readonly name: string;
  /** Undefined where its public part is not at hand: then it can stay in the file, but nothing new is wrapped for it. */
  readonly recipient: Recipient | undefined;
}

export interface WantedKeys {
  readonly groups: readonly (readonly NamedRecipient[])[];
  readonly threshold: number;
}

export type RekeyMode = 'same-data-key' | 'new-data-key';

/**
 * The file for other keys: every `ENC[…]` anew in its place when the data key is new, and the sops block; no other
 * character changes. With the same data key, values and MAC stay, and so does what an entry that remains wraps. What
 * was made is opened again and compared with what the old file holds. Throws SottoError.
 */
export async function rekey(
  old: RekeyFile,
  identities: readonly Identity[],
  wanted: WantedKeys,
  mode: RekeyMode,
  now: Date,
): Promise<string> {
  const { file } = old;
  const metadata = metadataOf(old);
  const entries = blockEntries(old.text, old.format, file);
  const oldBytes = await unwrapBytes({ file, metadata }, identities);
  const newBytes = mode === 'same-data-key' ? oldBytes : randomFillSync(ownedBytes(DATA_KEY_BYTES));
  try {
    using oldKey = await DataKey.from(oldBytes);
    using newKey = await DataKey.from(newBytes);
    const change: Change = { old, metadata, entries, oldKey, newKey, newBytes, wanted, isNew: mode === 'new-data-key' };
    const text = await rewritten(change, now);
    await proveSame(old, oldKey, { ...old, text }, newKey);
    await proveOpens({ ...old, text }, identities, newBytes, wanted);
    return text;
  } finally {
    oldBytes.fill(0);
    newBytes.fill(0);
  }
}

interface Change {
  readonly old: RekeyFile;
  readonly metadata: SopsMetadata;
  readonly entries: BlockEntries;
  readonly oldKey: DataKey;
  readonly newKey: DataKey;
  readonly newBytes: Uint8Array<ArrayBuffer>;
  readonly wanted: WantedKeys;
  readonly isNew: boolean;
}

export function metadataOf({ text, format, file }: RekeyFile): SopsMetadata {
  if (format === 'yaml' || format === 'json') return parseSopsTree(text, format, file, LOCAL_LIMITS).metadata;
  return new SopsWhole(text, format, file).metadata;
}

async function rewritten(change: Change, now: Date): Promise<string> {
  const { old, metadata, entries, oldKey, newKey, isNew } = change;
  const lastModified = isNew ? rfc3339(now) : metadata.lastModified;
  const fields: BlockFields = {
    groups: await wrapped(change, rfc3339(now)),
    threshold: change.wanted.threshold,
    lastModified,
    mac: isNew ? await macAnew(change, lastModified) : metadata.mac,
    macOnlyEncrypted: metadata.macOnlyEncrypted,
    selector: entries.saysSelector ? metadata.selector : undefined,
    version: metadata.version,
  };
  const resealing: Resealing | undefined = isNew ? { file: old.file, oldKey, newKey } : undefined;
  return withBlock(old, fields, resealing);
}

async function withBlock(
  { text, format, file }: RekeyFile,
  fields: BlockFields,
  resealing: Resealing | undefined,
): Promise<string> {
  if (format === 'dotenv') {
    const values = resealing === undefined ? [] : await resealFlat(new SopsWhole(text, format, file), resealing);
    return replaceEnvBlock(spliceText(text, values), fields);
  }
  if (format === 'ini') {
    const values = resealing === undefined ? [] : await resealFlat(new SopsWhole(text, format, file), resealing);
    return spliceText(text, [...values, ...replaceIniBlock(text, fields, file)]);
  }
  const kind = format === 'yaml' ? 'yaml' : 'json';
  const tree = parseSopsTree(text, kind, file, LOCAL_LIMITS);
  const blocks: Splice[] = tree.documents.flatMap(({ document }) => replaceTreeBlock(text, document, kind, fields));
  const values = resealing === undefined ? [] : await resealTree(text, tree, kind, resealing);
  const isInBlock = ({ start }: Splice): boolean => blocks.some((block) => start >= block.start && start < block.end);
  return spliceText(text, [...values.filter((splice) => !isInBlock(splice)), ...blocks]);
}

/** Of one group the entries that stay keep their text where the data key does; shares are always made anew. */
async function wrapped(change: Change, now: string): Promise<WrittenGroup[]> {
  const { wanted, entries, newBytes, isNew } = change;
  const [only] = wanted.groups;
  const keeps = !isNew && wanted.groups.length === 1 && entries.groups.length === 1 && only !== undefined;
  if (!keeps) return wrapForGroups(newBytes, bare(wanted, change.old.file), now);
  const [unwritable] = entries.unwritable;
  if (unwritable !== undefined) throw cannotWrap(unwritable, change.old.file);
  const held = (entries.groups[0] ?? []).filter((entry) => only.some(({ name }) => name === holderName(entry)));
  const added = only.filter(({ name }) => !held.some((entry) => holderName(entry) === name));
  if (added.length === 0) return [held];
  const [fresh = []] = await wrapForGroups(newBytes, bare({ groups: [added], threshold: 1 }, change.old.file), now);
  return [[...held, ...fresh]];
}

function bare({ groups, threshold }: WantedKeys, file: string): KeyGroups {
  const recipientOf = ({ name, recipient }: NamedRecipient): Recipient => {
    if (recipient === undefined) throw cannotWrap(name, file);
    return recipient;
  };
  return { groups: groups.map((group) => group.map(recipientOf)), threshold };
}

function cannotWrap(name: string, file: string): SottoError {
  const isPgp = name.startsWith('pgp ');
  const fingerprint = name.replace(/^pgp /, '');
  return new SottoError({
    code: 'SOTTO-CLI-218',
    what: 'the keys of the file were not changed',
    why: isPgp
      ? `its data key would have to be wrapped for the OpenPGP key ${fingerprint}, and no --pgp-key holds that; keyrings are not read`
      : `its data key would have to be wrapped for ${name}, and this version does that for age recipients, OpenPGP keys and key services that the file is for already`,
    next: isPgp
      ? `gpg --armor --export ${fingerprint} > ${fingerprint}.asc   (then the same command with --pgp-key ${fingerprint}.asc)`
      : `sops updatekeys ${file}`,
    file,
  });
}

/** The same MAC, bound to another time and by another key. */
async function macAnew({ old, metadata, oldKey, newKey }: Change, lastModified: string): Promise<string> {
  await checkMac(old, oldKey);
  const enc = parseEnc(metadata.mac);
  const mac = enc === undefined ? undefined : await openEnc(enc, bytesOf(metadata.lastModified), oldKey.key);
  if (mac === undefined) throw new TypeError('a MAC that was verified does not open');
  try {
    return await sealEnc(mac, 'str', bytesOf(lastModified), newKey.key);
  } finally {
    mac.fill(0);
  }
}

async function checkMac({ text, format, file }: RekeyFile, dataKey: DataKey): Promise<void> {
  if (format !== 'yaml' && format !== 'json') return verifyMac(new SopsWhole(text, format, file), dataKey);
  const { metadata, walked } = parseSopsTree(text, format, file, LOCAL_LIMITS);
  return verifyMac({ file, format, metadata, macItems: walked.macItems }, dataKey);
}

/** Both are opened, MAC included, and compared byte by byte: values, comments and everything between them. */
async function proveSame(old: RekeyFile, oldKey: DataKey, made: RekeyFile, newKey: DataKey): Promise<void> {
  using before = await clearOf(old, oldKey);
  // Whatever it says: the old file opened, so what does not open is what was made of it here.
  using after = await clearOf(made, newKey).catch(() => undefined);
  if (after === undefined || !before.equals(after) || documentCount(old) !== documentCount(made))
    throw notProved(old.file);
}

/** What a file holds in clear, its MAC checked. The caller wipes it. Throws SottoError. */
export async function openClear(file: RekeyFile, identities: readonly Identity[]): Promise<Sensitive> {
  const bytes = await unwrapBytes({ file: file.file, metadata: metadataOf(file) }, identities);
  try {
    using dataKey = await DataKey.from(bytes);
    return await clearOf(file, dataKey);
  } finally {
    bytes.fill(0);
  }
}

async function clearOf({ text, format, file }: RekeyFile, dataKey: DataKey): Promise<Sensitive> {
  if (format === 'yaml' || format === 'json') {
    const tree = parseSopsTree(text, format, file, LOCAL_LIMITS);
    return (await openTree({ text, format, file, tree }, dataKey)).clear;
  }
  const whole = new SopsWhole(text, format, file);
  await verifyMac(whole, dataKey);
  return openWhole(whole, dataKey);
}

function documentCount({ text, format, file }: RekeyFile): number {
  return format === 'yaml' ? parseDocuments(text, format, file, LOCAL_LIMITS).length : 1;
}

/** Where an identity of ours is among the new recipients, it must give the very data key; who it is for must be said. */
async function proveOpens(
  made: RekeyFile,
  identities: readonly Identity[],
  dataKey: Uint8Array,
  wanted: WantedKeys,
): Promise<void> {
  const { groups } = blockEntries(made.text, made.format, made.file);
  const names = groups.map((group) => group.map(holderName).toSorted().join('\n'));
  const asked = wanted.groups.map((group) =>
    group
      .map(({ name }) => name)
      .toSorted()
      .join('\n'),
  );
  if (JSON.stringify(names) !== JSON.stringify(asked)) throw notProved(made.file);
  if (!isOurs(groups, wanted, identities)) return;
  const [only, another] = groups;
  const named = new Set(only?.map(holderName));
  // Of one group each of our identities is enough, so each has to be.
  const alone =
    another === undefined ? identities.filter(({ kind, recipient }) => kind === 'age' && named.has(recipient)) : [];
  for (const held of alone.length > 0 ? alone.map((identity) => [identity]) : [identities]) {
    const again = await unwrapBytes({ file: made.file, metadata: metadataOf(made) }, held);
    const isSame = Buffer.from(again.buffer).equals(dataKey);
    again.fill(0);
    if (!isSame) throw notProved(made.file);
  }
}

function isOurs(groups: readonly WrittenGroup[], wanted: WantedKeys, identities: readonly Identity[]): boolean {
  const ours = new Set(identities.flatMap((identity) => (identity.kind === 'age' ? identity.recipient : [])));
  const services = wanted.groups.flat().filter(({ recipient }) => recipient?.kind === 'service');
  if (identities.some(({ kind }) => kind === 'service')) for (const { name } of services) ours.add(name);
  const opened = groups.filter((group) => group.some((entry) => ours.has(holderName(entry))));
  return opened.length >= (groups.length > 1 ? wanted.threshold : 1);
}

function notProved(file: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-210',
    what: 'the file was not written',
    why: 'what was made of it did not open to the same values, or not for the same recipients; the old file is as it was',
    next: `look at the file with sotto decrypt ${file}; if it opens, this is a defect of sotto: please report it, without values`,
    file,
  });
}
