import { realpathSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { SottoError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import type { ValueSource } from '../change-values.ts';
import type { CommitTree } from '../commit-tree.ts';
import type { CommandContext } from '../context.ts';
import { ON_DISK, type RuleFiles } from '../creation-rules.ts';
import { textOf } from '../files.ts';

/**
 * Files and rules as a commit has them, under the names at which they are in the checkout. A .sops.yaml that the commit
 * has not counts as it is on the disk: it may be above the checkout, or kept out of Git.
 */
export function commitSource(root: string, tree: CommitTree, { cwd }: CommandContext): ValueSource {
  return {
    isToBeMade: async (file) => !(await has(tree, pathInRepository(root, resolve(cwd, file)))),
    read: async (file) => {
      const path = resolve(cwd, file);
      const bytes = await bytesOf(tree, pathInRepository(root, path), file);
      return { path, name: file, isStdin: false, bytes };
    },
    rules: rulesOf(root, tree),
  };
}

function rulesOf(root: string, tree: CommitTree): RuleFiles {
  return {
    isFile: async (path) => (await has(tree, pathInRepository(root, path))) || (await ON_DISK.isFile(path)),
    text: async (path) => {
      const name = pathInRepository(root, path);
      if (!(await has(tree, name))) return ON_DISK.text(path);
      return textOf({ path, name: path, isStdin: false, bytes: await bytesOf(tree, name, path) });
    },
  };
}

/** A path as git has it; undefined for what is outside of the checkout. Its folder may be reached by a link. */
export function pathInRepository(root: string, absolute: string): string | undefined {
  let folder: string;
  try {
    folder = realpathSync(dirname(absolute));
  } catch {
    return undefined;
  }
  const path = relative(root, join(folder, basename(absolute)));
  return path === '..' || path.startsWith(`..${sep}`) ? undefined : path.split(sep).join('/');
}

/** A link counts too: reading it says that it is no plain file. */
async function has(tree: CommitTree, path: string | undefined): Promise<boolean> {
  const entry = path === undefined ? undefined : await tree.entryAt(path);
  return entry !== undefined && entry.kind !== 'folder';
}

async function bytesOf(tree: CommitTree, path: string | undefined, name: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = path === undefined ? 'it is outside of the checkout' : await tree.read(path, LIMITS.maxLocalFileBytes);
  if (bytes instanceof Uint8Array) return Uint8Array.from(bytes);
  throw new SottoError({
    code: 'SOTTO-CLI-271',
    what: 'the file is not changed in a commit',
    why: bytes,
    next: 'name a plain file of this checkout; what a link leads to is named itself',
    file: name,
  });
}
