import type { SottoError } from '../../core/errors.ts';

/** What stands at one path of a commit. Only regular files are ever read; the rest is known so that it can be named. */
export type TreeEntry = TreeFile | { readonly kind: 'link' | 'submodule' | 'other' };

export interface TreeFile {
  readonly kind: 'file';
  readonly bytes: Uint8Array;
  /** Id of the content where it comes from Git: equal ids are equal files. */
  readonly blob?: string | undefined;
}

/** Path from the root of the repository, with slashes → entry. Folders are what paths stand in. */
export type FileTree = ReadonlyMap<string, TreeEntry>;

export type Found =
  | { readonly kind: 'file'; readonly file: TreeFile }
  | { readonly kind: 'folder' }
  /** Itself, or a folder on the way to it, is a link or a submodule. */
  | { readonly kind: 'irregular'; readonly path: string }
  /** It is there and cannot be had: too large, or kept back. */
  | { readonly kind: 'refused'; readonly error: SottoError }
  | { readonly kind: 'absent' }
  /** Nobody has looked yet. */
  | { readonly kind: 'unread' };

export type Find = (path: string) => Found;

/** A finder over a tree: the root of the repository is the empty string. */
export function finderOf(tree: FileTree): Find {
  const folders = new Set<string>(['']);
  for (const path of tree.keys()) for (const folder of foldersOf(path)) folders.add(folder);
  return (path) => {
    const entry = tree.get(path);
    if (entry?.kind === 'file') return { kind: 'file', file: entry };
    const irregular = [...foldersOf(path), path].find((each) => isIrregular(tree.get(each)));
    if (irregular !== undefined) return { kind: 'irregular', path: irregular };
    return folders.has(path) ? { kind: 'folder' } : { kind: 'absent' };
  };
}

function isIrregular(entry: TreeEntry | undefined): boolean {
  return entry !== undefined && entry.kind !== 'file';
}

/** `a/b/c` → `a`, `a/b`. */
function foldersOf(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(1).map((_part, index) => parts.slice(0, index + 1).join('/'));
}
