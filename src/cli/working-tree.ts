import { lstat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { asSottoError, SottoError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import type { Refusal } from '../core/refusal.ts';
import { type Reached, reach } from '../agent/reach.ts';
import { tooLargeTogether } from '../git/content.ts';
import type { TreeEntry } from '../git/output.ts';
import type { Found } from '../render/kustomize/file-tree.ts';
import type { SyncSettings } from '../settings/settings.ts';
import { type IgnoreLines, parseIgnore } from '../source/ignore.ts';
import { foldersOf } from '../source/look.ts';
import { checkFolder, kustomizationOf, selectManifests } from '../source/select.ts';

export interface WorkingFile {
  /** From the root of the repository, with slashes. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** What stands at the path of a sync. */
export interface WorkingTree {
  readonly files: readonly WorkingFile[];
  /** Entries that would be manifests and are not read: links, files that are too large. */
  readonly refusals: readonly Refusal[];
  /** The path as a whole cannot be applied; there are no files then. */
  readonly refusal?: SottoError | undefined;
  /** What the kustomization of the path reaches, where it has one; there are no other files then. */
  readonly kustomize?: Reached | undefined;
}

/** Where files are read from: the disk, or a commit. Paths are from the root of the repository, with slashes. */
export interface FileTree {
  entryAt(path: string): Promise<TreeEntry | undefined>;
  /** Of what stands directly in a folder. */
  namesIn(folder: string): Promise<readonly string[]>;
  /** The bytes, or why there are none. */
  read(path: string, maxBytes: number): Promise<Uint8Array | string>;
}

/** The nearest folder upwards that holds the name; undefined when there is none. */
export async function findUpwards(folder: string, name: string): Promise<string | undefined> {
  const found = await lstat(join(folder, name)).then(
    () => true,
    () => false,
  );
  if (found) return folder;
  const parent = dirname(folder);
  return parent === folder ? undefined : findUpwards(parent, name);
}

const IGNORE_FILE = '.sourceignore';

/** The manifests of one sync as they stand there, by the rules by which the agent reads a commit. */
export async function readWorkingTree(tree: FileTree, sync: SyncSettings): Promise<WorkingTree> {
  try {
    return await readPath(tree, sync);
  } catch (thrown) {
    return { files: [], refusals: [], refusal: asSottoError(thrown) };
  }
}

async function readPath(tree: FileTree, { path, source }: SyncSettings): Promise<WorkingTree> {
  checkFolder(await foldersTo(tree, path), path);
  const isIgnored = parseIgnore([
    ...(await readIgnoreFiles(tree, path)),
    { lines: source.ignore, folder: '', origin: 'source.ignore' },
  ]);
  const { files: selected, skipped, kustomizations } = selectManifests(await walk(tree, path), path, isIgnored);
  const kustomization = kustomizationOf(path, kustomizations);
  if (kustomization instanceof SottoError) throw kustomization;
  if (kustomization !== undefined) {
    return { files: [], refusals: [], kustomize: await reach(path, (paths) => look(tree, paths)) };
  }
  const files: WorkingFile[] = [];
  const refusals: Refusal[] = skipped.map((entry) => ({ error: notRead(entry), file: entry.path }));
  let totalBytes = 0;
  for (const file of selected) {
    const bytes = await tree.read(file.path, LIMITS.maxFileBytes);
    if (bytes instanceof Uint8Array) {
      files.push({ path: file.path, bytes });
      totalBytes += bytes.length;
    } else refusals.push({ error: unreadable(file.path, bytes), file: file.path });
    if (totalBytes > LIMITS.maxSnapshotBytes) throw tooLargeTogether();
  }
  return { files, refusals };
}

/** What stands at paths of the checkout, as it would in a commit of it. */
async function look(tree: FileTree, paths: readonly string[]): Promise<Map<string, Found>> {
  const found = new Map<string, Found>();
  for (const path of paths) found.set(path, await standing(tree, path));
  return found;
}

async function standing(tree: FileTree, path: string): Promise<Found> {
  for (const above of foldersOf(path)) {
    const entry = await tree.entryAt(above);
    if (entry === undefined) return { kind: 'absent' };
    if (entry.kind !== 'folder') return entry.kind === 'file' ? { kind: 'absent' } : { kind: 'irregular', path: above };
  }
  const entry = await tree.entryAt(path);
  if (entry === undefined) return { kind: 'absent' };
  if (entry.kind === 'folder') return { kind: 'folder' };
  if (entry.kind !== 'file') return { kind: 'irregular', path };
  const bytes = await tree.read(path, LIMITS.maxFileBytes);
  if (bytes instanceof Uint8Array) return { kind: 'file', file: { kind: 'file', bytes } };
  return { kind: 'refused', error: unreadable(path, bytes) };
}

/** The folders on the way to the path, as a commit would list them: none of them may be a link. */
async function foldersTo(tree: FileTree, path: string): Promise<TreeEntry[]> {
  const names = path === '' ? [] : path.split('/');
  const entries: TreeEntry[] = [];
  for (const [index] of names.entries()) {
    const above = names.slice(0, index + 1).join('/');
    const entry = await tree.entryAt(above);
    if (entry === undefined) throw noSuchFolder(path);
    entries.push(entry);
    if (entry.kind !== 'folder') return entries;
  }
  return entries;
}

async function readIgnoreFiles(tree: FileTree, path: string): Promise<IgnoreLines[]> {
  const found: IgnoreLines[] = [];
  for (const folder of new Set(['', path])) {
    const file = folder === '' ? IGNORE_FILE : `${folder}/${IGNORE_FILE}`;
    const entry = await tree.entryAt(file);
    if (entry === undefined) continue;
    const bytes = entry.kind === 'file' ? await tree.read(file, LIMITS.maxIgnoreBytes) : 'it is not a plain file';
    if (!(bytes instanceof Uint8Array)) throw ignoreFileNotRead(file, bytes);
    found.push({ lines: new TextDecoder().decode(bytes).split('\n'), folder, origin: file });
  }
  return found;
}

/** Everything below the path but names with a dot in front, which no rule lets in. */
async function walk(tree: FileTree, path: string): Promise<readonly TreeEntry[]> {
  const entries: TreeEntry[] = [];
  const waiting = [path];
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    for (const name of await tree.namesIn(folder)) {
      if (name.startsWith('.')) continue;
      const entry = await tree.entryAt(folder === '' ? name : `${folder}/${name}`);
      if (entry === undefined) continue;
      entries.push(entry);
      if (entries.length > LIMITS.maxTreeEntries) throw tooManyEntries();
      if (entry.kind === 'folder') waiting.push(entry.path);
    }
  }
  return entries;
}

function notRead({ path, why }: { readonly path: string; readonly why: string }): SottoError {
  return new SottoError({
    code: 'SOTTO-GIT-035',
    what: 'an entry of the path is not read',
    why,
    next: 'commit a plain file, or name the entry in .sourceignore',
    file: path,
  });
}

function unreadable(file: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-GIT-023',
    what: 'the file is not read',
    why,
    next: 'if it is no manifest, add a line with its name to .sourceignore',
    file,
  });
}

function noSuchFolder(path: string): SottoError {
  return new SottoError({
    code: 'SOTTO-GIT-019',
    what: `the checkout has no folder ${path}`,
    why: 'it is the path of a sync, from the root of the repository',
    next: 'correct path of the sync in sotto.yaml, or run the command inside the checkout',
    key: 'path',
  });
}

function ignoreFileNotRead(file: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-GIT-033',
    what: 'the ignore file cannot be used',
    why,
    next: `make it a plain file of at most ${LIMITS.maxIgnoreBytes / 1024} KiB, or remove it`,
    file,
  });
}

function tooManyEntries(): SottoError {
  return new SottoError({
    code: 'SOTTO-GIT-022',
    what: 'the path is not read',
    why: `it has more than ${LIMITS.maxTreeEntries} entries, which is the cap`,
    next: 'choose a narrower path, or split it into several syncs',
    key: 'path',
  });
}
