import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { SottoError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { parseTree, type TreeEntry } from '../git/output.ts';
import type { FileTree } from './working-tree.ts';

const run = promisify(execFile);

/** Reads objects by id and nothing else: no hooks, no filters, no promisor remote, no replaced objects. */
const SAFE = ['--no-replace-objects', '-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null'];
const MAX_LIST_BYTES = LIMITS.maxTreeEntries * 400;

export interface CommitTree extends FileTree {
  /** The commit that the revision names. */
  readonly commit: string;
}

/** A revision of the checkout's own repository: nothing is checked out, nothing is fetched. */
export async function commitTree(
  root: string,
  revision: string,
  { PATH, HOME }: NodeJS.ProcessEnv,
): Promise<CommitTree> {
  // Whose clone it may be is said in the user's own configuration.
  const env = { PATH, HOME, GIT_CONFIG_NOSYSTEM: '1', GIT_NO_LAZY_FETCH: '1', GIT_TERMINAL_PROMPT: '0' };
  const git = async (args: readonly string[], maxBuffer: number): Promise<Buffer> => {
    const { stdout } = await run('git', [...SAFE, '-C', root, ...args], { env, maxBuffer, encoding: 'buffer' });
    return stdout;
  };
  const commit = await commitOf(git, revision);
  const listing = await git(['ls-tree', '-r', '-t', '-z', '--full-tree', commit], MAX_LIST_BYTES).catch(
    () => undefined,
  );
  const entries = listing === undefined ? undefined : parseTree(listing.toString('utf8'));
  if (entries === undefined) throw unreadable(revision, 'its files cannot be listed');
  const byPath = new Map(entries.map((entry) => [entry.path, entry]));
  const names = Map.groupBy(entries, ({ path }) => folderOf(path));
  return {
    commit,
    entryAt: (path) => Promise.resolve(byPath.get(path)),
    namesIn: (folder) => Promise.resolve((names.get(folder) ?? []).map(({ path }) => nameOf(path))),
    read: async (path, maxBytes) => {
      const entry = byPath.get(path);
      if (entry?.kind !== 'file') return 'it is not a plain file';
      const bytes = await git(['cat-file', 'blob', entry.blob], maxBytes + 1).catch(() => undefined);
      return bytes === undefined || bytes.length > maxBytes
        ? `it has more than ${maxBytes} bytes, which is the cap, or is not in this clone`
        : bytes;
    },
  };
}

async function commitOf(
  git: (args: readonly string[], maxBuffer: number) => Promise<Buffer>,
  revision: string,
): Promise<string> {
  const wanted = `${revision}^{commit}`;
  const found = await git(['rev-parse', '--verify', '--quiet', '--end-of-options', wanted], 4_096).catch(
    () => undefined,
  );
  const commit = found?.toString('utf8').trim() ?? '';
  if (/^[0-9a-f]{40}$/.test(commit)) return commit;
  throw unreadable(revision, 'this clone has no such commit');
}

function folderOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
}

function nameOf(path: TreeEntry['path']): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function unreadable(revision: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-120',
    what: `revision ${JSON.stringify(revision.slice(0, 100))} cannot be read`,
    why,
    next: 'git fetch, then name a branch, tag or commit that git log shows',
  });
}
