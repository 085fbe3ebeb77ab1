import { constants } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { SottoError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { treeNotWritten } from './refusals.ts';
import type { BuildFile } from './tree.ts';

/**
 * Writes files into a folder that it makes: regular files for the owner alone, no link followed, nothing written
 * over. Throws SottoError; what was written until then is the caller's to remove.
 */
export async function writeTree(folder: string, files: readonly BuildFile[]): Promise<void> {
  refuseTooMuch(files);
  const made = new Set<string>();
  await makeFolder(folder);
  for (const file of files) {
    const parts = partsOf(file.path);
    for (let depth = 1; depth < parts.length; depth += 1) {
      const parent = parts.slice(0, depth).join('/');
      if (made.has(parent)) continue;
      made.add(parent);
      await makeFolder(`${folder}/${parent}`, file.path);
    }
    await writeFile(`${folder}/${file.path}`, file);
  }
}

/** Throws SottoError. */
export function refuseTooMuch(files: readonly BuildFile[]): void {
  const bytes = files.reduce((sum, file) => sum + file.bytes.length, 0);
  if (files.length > LIMITS.maxSnapshotFiles) throw treeNotWritten(undefined, `it has ${files.length} files`);
  if (bytes > LIMITS.maxSnapshotBytes) throw treeNotWritten(undefined, `it has ${bytes} bytes`);
}

/** Only names that stay below the folder, whoever made them. */
function partsOf(path: string): string[] {
  if (!isCleanPath(path)) throw treeNotWritten(undefined, UNCLEAN);
  return path.split('/');
}

const UNCLEAN = 'a path in it is not clean';

export function isCleanPath(path: string): boolean {
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..' && !part.includes('\0'));
}

/** Fails on everything that is there already, a link too: nobody else's folder is ever used. */
export async function makeFolder(path: string, file?: string): Promise<void> {
  await attempt(file, () => mkdir(path, { mode: 0o700 }));
}

const EXCLUSIVE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

async function writeFile(path: string, { path: file, bytes }: BuildFile): Promise<void> {
  await attempt(file, async () => {
    await using handle = await open(path, EXCLUSIVE, 0o600);
    await handle.writeFile(bytes);
  });
}

async function attempt(file: string | undefined, task: () => Promise<unknown>): Promise<void> {
  try {
    await task();
  } catch (thrown) {
    if (thrown instanceof SottoError) throw thrown;
    throw treeNotWritten(file, REASONS[codeOf(thrown)] ?? UNKNOWN_REASON);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EEXIST:
    'something of that name is there already (on a file system that takes upper and lower case for the same, perhaps its neighbour)',
  ENAMETOOLONG: 'its path is too long for the file system',
  ENOSPC: 'there is no space left',
  EDQUOT: 'the quota is used up',
  EROFS: 'the file system is read-only',
  EACCES: 'it is not permitted',
  ENOENT: 'the folder to write into is not there',
};

const UNKNOWN_REASON = 'the system refused it';

/** What a renderer elsewhere may say of a tree that it could not write; whatever else it says is not repeated. */
export function knownReason(why: string): string {
  return why === UNCLEAN || Object.values(REASONS).includes(why) ? why : UNKNOWN_REASON;
}

function codeOf(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : '';
}
