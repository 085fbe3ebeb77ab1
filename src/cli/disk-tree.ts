import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TreeEntry } from '../git/output.ts';
import type { FileTree } from './working-tree.ts';

/** Files of a checkout have no blob id: nothing here asks for one. */
const NO_BLOB = '' as Extract<TreeEntry, { kind: 'file' }>['blob'];

/** The checkout as it lies on the disk, by the rules by which a commit of it would be read. */
export function diskTree(root: string): FileTree {
  return {
    entryAt: (path) => entryAt(root, path),
    namesIn: (folder) => readdir(join(root, folder)),
    read: (path, maxBytes) => readPlainFile(join(root, path), maxBytes),
  };
}

async function entryAt(root: string, path: string): Promise<TreeEntry | undefined> {
  const info = await lstat(join(root, path)).catch(() => undefined);
  if (info === undefined) return undefined;
  if (info.isFile()) return { kind: 'file', path, blob: NO_BLOB };
  if (info.isSymbolicLink()) return { kind: 'link', path };
  if (!info.isDirectory()) return { kind: 'other', path };
  // A folder with a repository of its own is a submodule in a commit, or not in it at all.
  const isRepository = (await lstat(join(root, path, '.git')).catch(() => undefined)) !== undefined;
  return { kind: isRepository ? 'submodule' : 'folder', path };
}

/** It may have become a link or a pipe since it was listed. */
async function readPlainFile(path: string, maxBytes: number): Promise<Uint8Array | string> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const info = await file.stat();
    if (!info.isFile()) return 'it is not a plain file';
    if (info.size > maxBytes) return `it has ${info.size} bytes, the cap is ${maxBytes}`;
    return await file.readFile();
  } catch {
    return 'its permissions do not allow it, or it has just changed';
  } finally {
    await file?.close();
  }
}
