import { SottoError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import type { BlobId, TreeEntry } from '../git/output.ts';
import type { SkippedEntry } from './snapshot.ts';

export interface SelectedFile {
  readonly path: string;
  readonly blob: BlobId;
}

export interface Selection {
  /** Sorted by path. */
  readonly files: readonly SelectedFile[];
  readonly skipped: readonly SkippedEntry[];
  /** Of the folder itself first. */
  readonly kustomizations: readonly string[];
}

const MANIFEST = /\.(?:yaml|yml|json)$/;
const KUSTOMIZATIONS = new Set(['kustomization.yaml', 'kustomization.yml', 'Kustomization']);
const SETTINGS = 'sotto.yaml';
/** Controls and what hides or turns text around; the replacement character stands for bytes that are not UTF-8. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\uFFFD]/u;

/**
 * Which entries are manifests: every `*.yaml`, `*.yml`, `*.json` below the path, subfolders included, without names
 * that start with a dot at any level below the path, `sotto.yaml`, and what is ignored. A kustomization counts only
 * where a manifest would. `path` is a folder of the commit (`checkFolder`).
 */
export function selectManifests(
  entries: readonly TreeEntry[],
  path: string,
  isIgnored: (path: string) => boolean,
): Selection {
  const files: SelectedFile[] = [];
  const skipped: SkippedEntry[] = [];
  const kustomizations: string[] = [];
  const prefix = path === '' ? '' : `${path}/`;
  for (const entry of entries) {
    if (entry.kind === 'folder' || !entry.path.startsWith(prefix)) continue;
    const names = entry.path.slice(prefix.length).split('/');
    if (names.some((name) => name.startsWith('.')) || isIgnored(entry.path)) continue;
    const name = names.at(-1) ?? '';
    if (KUSTOMIZATIONS.has(name)) kustomizations.push(entry.path);
    else if (entry.kind !== 'file') skipped.push({ path: entry.path, why: WHY_SKIPPED[entry.kind] });
    else if (!MANIFEST.test(name) || name === SETTINGS) continue;
    else if (UNSEEN.test(entry.path))
      skipped.push({ path: visible(entry.path), why: 'its name holds hidden characters' });
    else files.push({ path: entry.path, blob: entry.blob });
  }
  if (files.length > LIMITS.maxSnapshotFiles) throw tooManyFiles(files.length, path);
  files.sort((one, other) => (one.path < other.path ? -1 : 1));
  kustomizations.sort((one, other) => depthOf(one) - depthOf(other));
  return { files, skipped, kustomizations };
}

function depthOf(path: string): number {
  return path.split('/').length;
}

/**
 * What the kustomizations found say of the path: its own one says what is applied. One further down says something
 * else than its files do, so whoever means the files as they are, or only that one, has to say so.
 */
export function kustomizationOf(path: string, [found]: readonly string[]): string | SottoError | undefined {
  if (found === undefined) return undefined;
  const folder = found.slice(0, Math.max(0, found.lastIndexOf('/')));
  if (folder === path) return found;
  return new SottoError({
    code: 'SOTTO-RENDER-001',
    what: 'the path is not applied',
    why: `it has no kustomization of its own and holds ${found}: the files below are not what that one means`,
    next: `name ${folder} under resources of a kustomization.yaml of the path, set the path to it, or name it in .sourceignore`,
    file: found,
  });
}

const WHY_SKIPPED = {
  link: 'symbolic links are not followed',
  submodule: 'submodules are not fetched',
  other: 'it is neither a file nor a folder',
} as const;

/** Throws when the listing shows that the path is not there, or that something else than a folder is in the way. */
export function checkFolder(entries: readonly TreeEntry[], path: string): void {
  if (path === '') return;
  const names = path.split('/');
  const above = new Set(names.map((_, index) => names.slice(0, index + 1).join('/')));
  for (const entry of entries) {
    if (!above.has(entry.path)) continue;
    if (entry.kind !== 'folder') throw notAFolder(entry);
    if (entry.path === path) return;
  }
  throw new SottoError({
    code: 'SOTTO-GIT-019',
    what: `the repository has no folder ${path}`,
    why: 'the commit that is read has no such folder',
    next: `compare with \`git ls-tree -d -r --name-only HEAD\`, and set the path of the sync`,
    key: 'path',
  });
}

function notAFolder(entry: TreeEntry): SottoError {
  const names = {
    file: 'a file',
    folder: 'a folder',
    link: 'a symbolic link',
    submodule: 'a submodule',
    other: 'no folder',
  };
  return new SottoError({
    code: 'SOTTO-GIT-020',
    what: `the path leads to ${names[entry.kind]}`,
    why: 'only folders of the repository itself are read',
    next: 'set the path of the sync to a folder',
    file: entry.path,
    key: 'path',
  });
}

/** A path as settings hold it, without `./` in front and slashes at its end. Throws SOTTO-GIT-021. */
export function normalisePath(path: string): string {
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  const isAbsolute = path.startsWith('/');
  if (!isAbsolute && !UNSEEN.test(path) && !names.some((name) => name === '..' || name.toLowerCase() === '.git')) {
    return names.join('/');
  }
  throw new SottoError({
    code: 'SOTTO-GIT-021',
    what: 'the path cannot be used',
    why: isAbsolute ? 'it starts with a slash' : 'it holds .., .git or a hidden character',
    next: 'write it from the root of the repository, such as ./deploy/prod',
    key: 'path',
  });
}

function tooManyFiles(count: number, path: string): SottoError {
  return new SottoError({
    code: 'SOTTO-GIT-022',
    what: `the manifests of ${path === '' ? 'the repository' : path} are not read`,
    why: `there are ${count}, the cap is ${LIMITS.maxSnapshotFiles}`,
    next: 'choose a narrower path, or split it into several syncs',
  });
}

function visible(path: string): string {
  return path.replaceAll(new RegExp(UNSEEN, 'gu'), '?');
}
