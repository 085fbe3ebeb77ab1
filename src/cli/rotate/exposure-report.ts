import { recipientsOf } from '../../authoring/coverage.ts';
import { keyOf, sealedDocuments } from '../../authoring/reseal-sealed.ts';
import type { EncryptedDocuments } from '../../authoring/rotation/documents.ts';
import type { RotationGoal } from '../../authoring/rotation/plan.ts';
import type { RotationKeys } from '../../authoring/rotation/prepare.ts';
import { SottoError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { Sensitive } from '../../core/sensitive.ts';
import type { Checkout } from '../../git/checkout.ts';
import { blobSizes, type FileCommit, fileHistories, type FileVersion, isShallow } from '../../git/file-history.ts';
import { readFiles } from '../../git/read-commit.ts';
import { type FingerprintKey, fingerprintKey, keyedValueDigest, newFingerprintBytes } from '../../keys/fingerprint.ts';
import type { UnsealKey } from '../../sealed/sealing-key.ts';
import { keyFor, unsealItem } from '../../sealed/unseal.ts';
import { unwrapDataKey } from '../../sops/data-key.ts';
import type { Identity } from '../../sops/identity.ts';
import { formatKeyPath } from '../../sops/key-path.ts';
import { sealedValues } from '../../sops/list-values.ts';
import type { WholeFormat } from '../../sops/scalar.ts';
import { openedValues, SopsWhole } from '../../sops/whole.ts';
import { LOCAL_LIMITS } from '../../yaml/limits.ts';
import { table } from '../output.ts';

/** A value that a key which gives way can open. */
export interface ExposedRow {
  readonly file: string;
  /** 1-based, of a file with several documents. */
  readonly document: number;
  readonly key: string;
  /** The first commit in which it could. */
  readonly since: FileCommit;
  /** `older`: a version before could not be opened or read here, so it may be since an earlier one. */
  readonly certainty: 'first' | 'older';
}

export interface ExposureReport {
  readonly rows: readonly ExposedRow[];
  /** Files with SealedSecrets of which no key at hand says for which key they are. */
  readonly untold: readonly string[];
}

/** Older ones are not looked at: since when is then only told as far as these go. */
const MAX_VERSIONS = 200;
/** Files whose versions are read by one git, and in memory together. */
const AT_ONCE = 50;

export interface Asked {
  readonly checkout: Checkout;
  readonly documents: EncryptedDocuments;
  readonly goal: RotationGoal;
  readonly keys: RotationKeys;
}

/** A file as it is now, and how a version of it is read: values by place, of those that the old keys open. */
interface Looked {
  readonly path: string;
  readonly now: Values;
  readonly read: (text: string) => Promise<Values>;
}

type Values = ReadonlyMap<string, PlacedDigest>;

interface PlacedDigest {
  readonly document: number;
  readonly key: string;
  readonly digest: string;
}

/**
 * Every value of HEAD that the keys which give way can open, with the first commit in which they could open it as it is.
 * Values are compared by digests with a key of this run, each file version is opened once.
 */
export async function exposureReport(
  asked: Asked,
  onProgress: (line: string) => Promise<void>,
): Promise<ExposureReport> {
  const { checkout, documents } = asked;
  using bytes = newFingerprintBytes();
  const digests = fingerprintKey(bytes);
  const looked: Looked[] = [];
  for (const { file } of documents.sops) {
    const read = sopsReader(asked, file.name, file.format, digests);
    const now = read === undefined ? NO_VALUES : await read(file.text);
    if (read !== undefined && now.size > 0) looked.push({ path: file.name, now, read });
  }
  const untold: string[] = [];
  for (const { path, text } of asked.goal.seals ? documents.sealed : []) {
    const read = sealedReader(asked, path, digests);
    try {
      const now = await read(text);
      if (now.size > 0) looked.push({ path, now, read });
      else if (oldSealingKeys(asked.keys).length === 0) untold.push(path);
    } catch (thrown) {
      if (!(thrown instanceof SottoError)) throw thrown;
      untold.push(path);
    }
  }
  await onProgress(`looking through the history of ${looked.length} files`);
  const histories = await fileHistories(
    checkout,
    looked.map(({ path }) => path),
  );
  const isCut = await isShallow(checkout);
  const rows: ExposedRow[] = [];
  for (let index = 0; index < looked.length; index += AT_ONCE) {
    if (index > 0) await onProgress(`${index} of ${looked.length} files`);
    const some = looked.slice(index, index + AT_ONCE).map((file) => ({ file, of: histories.get(file.path) ?? [] }));
    const contents = await contentsOf(
      checkout,
      some.flatMap(({ of }) => of.slice(0, MAX_VERSIONS)),
    );
    for (const { file, of } of some) rows.push(...(await sinceWhen(file, of, contents, isCut)));
  }
  return { rows: rows.toSorted((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0)), untold };
}

const NO_VALUES: Values = new Map();

/** By the id of their content; those that this clone has not, and those that are too large, are left out. */
async function contentsOf(checkout: Checkout, versions: readonly FileVersion[]): Promise<ReadonlyMap<string, Buffer>> {
  const blobs = [...new Set(versions.map(({ blob }) => blob))];
  const sizes = await blobSizes(checkout, blobs);
  const files = blobs.flatMap((blob) => {
    const sizeBytes = sizes.get(blob);
    const isReadable = sizeBytes !== undefined && sizeBytes <= LIMITS.maxFileBytes;
    return isReadable ? [{ path: blob, mode: '100644', blob, sizeBytes }] : [];
  });
  return readFiles(checkout, files);
}

async function sinceWhen(
  { path, now, read }: Looked,
  versions: readonly FileVersion[],
  contents: ReadonlyMap<string, Buffer>,
  isCut: boolean,
): Promise<ExposedRow[]> {
  const some = versions.slice(0, MAX_VERSIONS);
  const since = new Map<string, FileCommit>();
  let isUnread = isCut || some.length < versions.length;
  const seen = new Map<string, Values>();
  for (const { blob, in: commit } of some) {
    const known = seen.get(blob) ?? (await valuesIn(contents.get(blob), read));
    if (known === undefined) isUnread = true;
    else seen.set(blob, known);
    for (const [place, { digest }] of known ?? []) if (now.get(place)?.digest === digest) since.set(place, commit);
  }
  const newest = versions[0]?.in ?? NO_COMMIT;
  return [...now].map(([place, { document, key }]) => ({
    file: path,
    document,
    key,
    since: since.get(place) ?? newest,
    certainty: isUnread ? 'older' : 'first',
  }));
}

const NO_COMMIT: FileCommit = { commit: '', at: '', author: '', subject: '' };

/** Undefined for a version that is not in this clone or does not open. */
async function valuesIn(content: Buffer | undefined, read: Looked['read']): Promise<Values | undefined> {
  if (content === undefined) return undefined;
  try {
    return await read(content.toString('utf8'));
  } catch (thrown) {
    if (thrown instanceof SottoError) return undefined;
    throw thrown;
  }
}

/** Undefined where no age key gives way. A version that is not encrypted, or not for the old key, has none. */
function sopsReader(
  { goal, keys }: Asked,
  name: string,
  format: WholeFormat,
  digests: FingerprintKey,
): Looked['read'] | undefined {
  const old = goal.age?.old;
  if (old === undefined) return undefined;
  return async (text) => {
    if (!text.includes('sops') || !namesKey(text, format, name, old)) return NO_VALUES;
    return openedDigests(new SopsWhole(text, format, name, LOCAL_LIMITS), keys.identities, digests);
  };
}

function namesKey(text: string, format: WholeFormat, name: string, key: string): boolean {
  try {
    return recipientsOf({ text, format, name }).groups.some((group) => group.includes(key));
  } catch (thrown) {
    // What cannot be read as a SOPS file was none then.
    if (thrown instanceof SottoError) return false;
    throw thrown;
  }
}

async function openedDigests(
  whole: SopsWhole,
  identities: readonly Identity[],
  digests: FingerprintKey,
): Promise<Values> {
  using dataKey = await unwrapDataKey(whole, identities);
  const opened = await openedValues(whole, dataKey);
  try {
    return new Map(
      sealedValues(whole).flatMap(({ document, path, sealed }): [string, PlacedDigest][] => {
        const bytes = opened.get(sealed);
        if (bytes === undefined) return [];
        const key = formatKeyPath(path);
        return [[`${document} ${key}`, { document, key, digest: digestOf(Sensitive.adopt(bytes), digests) }]];
      }),
    );
  } finally {
    for (const bytes of opened.values()) bytes.fill(0);
  }
}

function sealedReader({ keys }: Asked, path: string, digests: FingerprintKey): Looked['read'] {
  const old = oldSealingKeys(keys);
  return async (text) => {
    const found = new Map<string, PlacedDigest>();
    for (const [index, { sealed }] of sealedDocuments(text, path, keys.namespace).entries()) {
      for (const item of sealed.items) {
        if (keyFor(sealed, item, old) === undefined) continue;
        const { value } = await unsealItem(sealed, item, old);
        // Nothing is in it that somebody could know.
        if (value.length === 0) continue;
        const document = index + 1;
        found.set(`${document} ${item.key}`, { document, key: item.key, digest: digestOf(value, digests) });
      }
    }
    return found;
  };
}

/** Those at hand but for the one that is sealed for from now on. */
function oldSealingKeys({ certificate, unsealKeys }: RotationKeys): readonly UnsealKey[] {
  const own = certificate === undefined ? undefined : keyOf({ certificate, keys: unsealKeys });
  return unsealKeys.filter((key) => key !== own);
}

function digestOf(value: Sensitive, digests: FingerprintKey): string {
  try {
    return keyedValueDigest(digests, 'exposure', [], value).toString('base64url');
  } finally {
    value.wipe();
  }
}

export function exposureTable({ rows }: ExposureReport): string {
  const hasDocuments = rows.some(({ document }) => document > 1);
  const cells = rows.map(({ file, document, key, since, certainty }) => [
    file,
    hasDocuments && document > 1 ? `${key} (document ${document})` : key,
    since.at.slice(0, 10),
    `${since.commit.slice(0, 12)}${certainty === 'older' ? ' or before' : ''}`,
    since.author,
  ]);
  return table(['FILE', 'VALUE', 'READABLE SINCE', 'COMMIT', 'BY'], cells);
}

/** For the JSON of the plan. */
export function exposureJson(key: string | undefined, { rows, untold }: ExposureReport) {
  const values = rows.map(({ since: { commit, at, author }, ...row }) => ({ ...row, since: { commit, at, author } }));
  return { key: key ?? null, total: rows.length, values, untold };
}
