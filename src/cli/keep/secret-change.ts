import { join, resolve } from 'node:path';
import { editManifest, parseManifests } from '../../authoring/edit-manifest.ts';
import type { ManifestEdit } from '../../authoring/edit.ts';
import type { ManifestPlace } from '../../authoring/find-object.ts';
import { bindingOf, mergeItems, mergeTarget } from '../../authoring/merge-sealed.ts';
import { takenEntries } from '../../authoring/paused-fields.ts';
import { SottoError } from '../../core/errors.ts';
import { displayObject, type ObjectId } from '../../core/ids.ts';
import { isJsonObject, type Json, memberAt, stringAt } from '../../core/json.ts';
import { fileWord } from '../../core/shell-word.ts';
import type { Sensitive } from '../../core/sensitive.ts';
import { kubeError } from '../../kube/errors.ts';
import { getMetadata } from '../../kube/objects.ts';
import { SECRETS } from '../../kube/resource.ts';
import { readSecret } from '../../kube/secret-reader.ts';
import { pinProblem, sealingCertificate } from '../../sealed/certificate.ts';
import { sealLabel } from '../../sealed/scope.ts';
import { sealValue } from '../../sealed/seal.ts';
import { openForChange } from '../../sops/change.ts';
import { looksEncrypted } from '../../sops/file.ts';
import { listValues } from '../../sops/list-values.ts';
import type { SopsFormat } from '../../sops/scalar.ts';
import type { Cluster } from '../cluster.ts';
import type { CommandContext } from '../context.ts';
import { fileFormat } from '../file-format.ts';
import { readFileBytes } from '../files.ts';
import { checkAgainstRules } from '../recipient-check.ts';
import { pinnedCertificate } from '../sealing-pin.ts';
import { withIdentities } from '../with-identities.ts';
import { onlyOne, utf8 } from './plain-change.ts';
import type { RepositoryFile } from './repository-file.ts';
import { secretUnmapped } from './unmapped.ts';

export interface SecretKeeping {
  readonly id: ObjectId;
  readonly file: RepositoryFile;
  /** Of the working tree. */
  readonly root: string;
  readonly isRendered: boolean;
  readonly keyFile?: readonly string[] | undefined;
  readonly cert?: string | undefined;
}

export interface SecretChange {
  readonly text: string;
  /** Names of entries, never a value. */
  readonly entries: readonly string[];
}

/**
 * The encrypted file with the values that the live Secret has now; undefined where it has them already. Throws
 * SOTTO-CLI-202 and whatever opening and sealing a file refuses.
 */
export async function secretChange(
  keeping: SecretKeeping,
  cluster: Cluster,
  context: CommandContext,
): Promise<SecretChange | undefined> {
  const { id, file } = keeping;
  const text = utf8(file.bytes, displayObject(id), file.path);
  const live = await readSecret(cluster.transport, id.namespace, id.name, undefined, context.signal);
  if (live === undefined) throw secretUnmapped(displayObject(id), 'it is not there', 'sotto status', file.path);
  try {
    if (looksEncrypted(text)) return await intoSops(keeping, text, live.entries, context);
    const isSealed = parseManifests(text, file.path).some(({ value }) => stringAt(value, 'kind') === 'SealedSecret');
    if (isSealed) return await intoSealed(keeping, text, live.entries, cluster, context);
  } finally {
    for (const value of live.entries.values()) value.wipe();
  }
  const next = `encrypt the file first: sotto encrypt -i ${file.path}`;
  throw secretUnmapped(
    displayObject(id),
    'its file is not encrypted, and a value would stand there in clear',
    next,
    file.path,
  );
}

type Entries = ReadonlyMap<string, Sensitive>;

async function intoSops(
  { id, file, root, isRendered, keyFile }: SecretKeeping,
  text: string,
  live: Entries,
  context: CommandContext,
): Promise<SecretChange | undefined> {
  const { path, bytes } = file;
  const format = fileFormat(path, {});
  if (format !== 'yaml' && format !== 'json') {
    const next = `sotto secret set ${fileWord(path)} PATH`;
    throw secretUnmapped(displayObject(id), `it is generated from a ${format} file`, next, path);
  }
  const words = [displayObject(id)];
  const opening = { name: path, command: 'keep', words, ...(keyFile === undefined ? {} : { keyFile }) };
  using opened = await withIdentities(context, opening, (identities) => openForChange(text, format, path, identities));
  await checkAgainstRules(
    context,
    { path: join(root, path), name: path, isStdin: false, bytes: Uint8Array.from(bytes) },
    opened.metadata,
  );
  const clear = Buffer.from(opened.clear.reveal()).toString('utf8');
  const found = onlyOne(
    parseManifests(clear, path).map(({ value }) => value),
    id,
    isRendered,
    path,
  );
  const { edits, entries } = entryEdits(found, live);
  if (edits.length === 0) return undefined;
  const changed = Buffer.from(editManifest(clear, path, found.document, edits));
  try {
    const sealed = await opened.sealed(changed, new Date());
    checkEncrypted(sealed, format, edits, found, { id, path });
    return { text: sealed, entries };
  } finally {
    changed.fill(0);
  }
}

/** Where an entry stands in the file it is changed there; a new one goes where the others are. */
function entryEdits({ manifest, within }: ManifestPlace, live: Entries): { edits: ManifestEdit[]; entries: string[] } {
  const [data, stringData] = ['data', 'stringData'].map((key) => objectAt(manifest, key));
  const edits: ManifestEdit[] = [];
  const entries: string[] = [];
  for (const [key, value] of live) {
    const bytes = Buffer.from(value.reveal());
    const clear = bytes.toString('utf8');
    const isText = Buffer.from(clear).equals(bytes);
    const inText = stringData?.[key] !== undefined || (data === undefined && isText);
    const before = stringData?.[key] ?? decoded(data?.[key]);
    const isSame = Buffer.isBuffer(before) ? before.equals(bytes) : isText && before === clear;
    if (isSame) continue;
    entries.push(key);
    const isMoved = inText && !isText && stringData?.[key] !== undefined;
    if (isMoved) edits.push({ kind: 'remove', path: [...within, 'stringData', key] });
    const path = [...within, inText && isText ? 'stringData' : 'data', key];
    edits.push({ kind: 'set', path, value: inText && isText ? clear : bytes.toString('base64') });
    bytes.fill(0);
  }
  for (const [holder, values] of [
    ['data', data],
    ['stringData', stringData],
  ] as const) {
    for (const key of Object.keys(values ?? {}).filter((each) => !live.has(each))) {
      entries.push(key);
      edits.push({ kind: 'remove', path: [...within, holder, key] });
    }
  }
  return { edits, entries: [...new Set(entries)] };
}

function objectAt(manifest: Json, key: string): Readonly<Record<string, Json>> | undefined {
  const found = memberAt(manifest, key);
  return isJsonObject(found) ? found : undefined;
}

function decoded(value: Json | undefined): Buffer | undefined {
  return typeof value === 'string' ? Buffer.from(value, 'base64') : undefined;
}

/** The file decides by its own rules what it encrypts: a new entry need not be among it. */
function checkEncrypted(
  sealed: string,
  format: SopsFormat,
  edits: readonly ManifestEdit[],
  { document }: ManifestPlace,
  { id, path }: { readonly id: ObjectId; readonly path: string },
): void {
  const clear = listValues(sealed, format, path).filter((value) => value.document === document + 1 && !value.encrypted);
  const names = new Set(clear.map((value) => JSON.stringify(value.path)));
  const bare = edits.find((edit) => edit.kind === 'set' && names.has(JSON.stringify(edit.path)));
  if (bare === undefined) return;
  const why = `the rules of the file leave ${bare.path.join('.')} in clear`;
  throw secretUnmapped(
    displayObject(id),
    why,
    'encrypt the file with a rule that covers it: sotto decrypt -i, sotto encrypt -i',
    path,
  );
}

/** Which values were changed cannot be told without the private key, but by whose they are. */
async function intoSealed(
  { id, file, cert }: SecretKeeping,
  text: string,
  live: Entries,
  cluster: Cluster,
  context: CommandContext,
): Promise<SecretChange | undefined> {
  const { path } = file;
  const target = { resource: SECRETS, namespace: id.namespace, name: id.name };
  const metadata = await getMetadata(cluster.transport, { ...target, signal: context.signal });
  if (!metadata.ok) throw kubeError(metadata.failure, { verb: 'get', ...target, user: cluster.connection.user });
  const sealed = mergeTarget(text, path, id.namespace);
  const binding = bindingOf(sealed);
  const isOfIt = binding.name === id.name && (binding.namespace === id.namespace || binding.scope === 'cluster-wide');
  if (!isOfIt)
    throw secretUnmapped(
      displayObject(id),
      'the SealedSecret in its file is of another Secret',
      'sotto seal --merge-into',
      path,
    );
  const taken = takenEntries(metadata.value ?? null, [...live.keys()]);
  const gone = sealed.sealed.items.map(({ key }) => key).filter((key) => !live.has(key));
  if (taken.length === 0 && gone.length === 0) return undefined;
  const items = new Map<string, string>();
  if (taken.length > 0) {
    const certificate = await certificateFor(cert, id, path, context);
    const label = sealLabel(binding);
    for (const key of taken) {
      const value = live.get(key);
      if (value !== undefined) items.set(key, sealValue(value, certificate, label));
    }
  }
  const merged = mergeItems(sealed, items);
  const documents = parseManifests(merged, path).map(({ value }) => value);
  const document = documents.findIndex((each) => stringAt(each, 'kind') === 'SealedSecret');
  const edits = gone.map((key): ManifestEdit => ({ kind: 'remove', path: ['spec', 'encryptedData', key] }));
  return { text: editManifest(merged, path, document, edits), entries: [...taken, ...gone] };
}

async function certificateFor(name: string | undefined, id: ObjectId, path: string, context: CommandContext) {
  if (name === undefined) {
    const why = 'it is a SealedSecret, and the certificate to seal with is missing';
    throw secretUnmapped(displayObject(id), why, `sotto keep ${displayObject(id)} --cert sealing.pem`, path);
  }
  try {
    const certificate = sealingCertificate(await readFileBytes(resolve(context.cwd, name), name), new Date());
    const unpinned = pinProblem(certificate, await pinnedCertificate(context));
    if (unpinned !== undefined) throw unpinned;
    return certificate;
  } catch (thrown) {
    throw thrown instanceof SottoError ? thrown.at({ file: name }) : thrown;
  }
}
