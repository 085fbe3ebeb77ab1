import { lstat, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SottoError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import type { SyncSettings } from '../settings/settings.ts';
import { type IgnoreLines, parseIgnore } from '../source/ignore.ts';
import { selectManifests } from '../source/select.ts';

type Entry = Parameters<typeof selectManifests>[0][number];

export interface WorkingFile {
  /** From the root of the repository, with slashes. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** The nearest folder upwards that holds the name; undefined when there is none. */
export async function findUpwards(folder: string, name: string): Promise<string | undefined> {
  const found = await stat(join(folder, name)).then(
    () => true,
    () => false,
  );
  if (found) return folder;
  const parent = dirname(folder);
  return parent === folder ? undefined : findUpwards(parent, name);
}

const IGNORE_FILE = '.sourceignore';

/** The manifests of one sync as they stand in the checkout, by the rules by which the agent reads a commit. */
export async function readWorkingTree(root: string, sync: SyncSettings): Promise<WorkingFile[]> {
  const ignoreFiles = [...new Set([IGNORE_FILE, sync.path === '' ? IGNORE_FILE : `${sync.path}/${IGNORE_FILE}`])];
  const sources: IgnoreLines[] = [];
  for (const file of ignoreFiles) {
    const text = await readFile(join(root, file), 'utf8').catch(() => undefined);
    const folder = dirname(file) === '.' ? '' : dirname(file);
    if (text !== undefined) sources.push({ lines: text.split('\n'), folder, origin: file });
  }
  sources.push({ lines: sync.source.ignore, folder: '', origin: 'source.ignore' });
  const { files, kustomizations } = selectManifests(await walk(root, sync.path), sync.path, parseIgnore(sources));
  const [kustomization] = kustomizations;
  if (kustomization !== undefined) throw holdsKustomization(kustomization);
  return Promise.all(files.map(({ path }) => readOne(root, path)));
}

async function readOne(root: string, path: string): Promise<WorkingFile> {
  const { size } = await stat(join(root, path));
  if (size > LIMITS.maxFileBytes) throw tooLarge(path, size);
  return { path, bytes: await readFile(join(root, path)) };
}

async function walk(root: string, folder: string): Promise<Entry[]> {
  const names = await readdir(join(root, folder)).catch(() => undefined);
  if (names === undefined) throw noSuchFolder(folder);
  const entries: Entry[] = [];
  for (const name of names.filter((each) => !each.startsWith('.') && each !== 'node_modules')) {
    const path = folder === '' ? name : `${folder}/${name}`;
    const info = await lstat(join(root, path));
    if (info.isDirectory()) entries.push(...(await walk(root, path)));
    else entries.push(entryOf(path, info));
    if (entries.length > LIMITS.maxTreeEntries) throw tooLarge(folder, entries.length);
  }
  return entries;
}

/** Files of a checkout have no blob id: nothing here asks for one. */
function entryOf(path: string, info: { isFile(): boolean; isSymbolicLink(): boolean }): Entry {
  if (info.isFile()) return { kind: 'file', path, blob: path as Extract<Entry, { kind: 'file' }>['blob'] };
  return { kind: info.isSymbolicLink() ? 'link' : 'other', path };
}

function holdsKustomization(file: string): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-001',
    what: 'the path holds a kustomization',
    why: 'rendering kustomizations is not in this version, and its files alone are not what it means',
    next: 'point path at a folder of plain manifests, or name the folder in ignore of this sync',
    file,
  });
}

function noSuchFolder(path: string): SottoError {
  return new SottoError({
    code: 'SOTTO-GIT-019',
    what: 'the path is not in the checkout',
    why: `there is no folder ${path === '' ? '.' : path} below the root of the repository`,
    next: 'correct path of the sync in sotto.yaml, or run the command inside the checkout',
  });
}

function tooLarge(path: string, size: number): SottoError {
  return new SottoError({
    code: 'SOTTO-GIT-023',
    what: 'a file or folder is too large',
    why: `${size} is over the cap that the agent has for a commit`,
    next: 'name it in .sourceignore if it is no manifest',
    file: path,
  });
}
