import { type Checkout, expectOutput, gitFailed, runInCheckout, textOf } from './checkout.ts';

/** A commit that changed a file. */
export interface FileCommit {
  readonly commit: string;
  /** RFC 3339. */
  readonly at: string;
  readonly author: string;
  readonly subject: string;
}

/** What a file was after a commit. */
export interface FileVersion {
  readonly in: FileCommit;
  readonly blob: string;
}

/** Paths that one git is asked about: they are its arguments. */
const MAX_PATHS = 500;

/**
 * Every version of each file on the way to HEAD, newest first, by its path: one walk for hundreds of them. A file that was
 * called otherwise begins with its name.
 */
export async function fileHistories(
  checkout: Checkout,
  paths: readonly string[],
): Promise<ReadonlyMap<string, readonly FileVersion[]>> {
  const found = new Map<string, FileVersion[]>();
  for (let at = 0; at < paths.length; at += MAX_PATHS) {
    const some = paths.slice(at, at + MAX_PATHS).map((path) => `:(top,literal)${path}`);
    const form = ['--format=%x01%H%x00%aI%x00%an%x00%s', '--raw', '--no-abbrev', '--no-renames', '-z'];
    const args = ['log', '--topo-order', '--diff-merges=first-parent', ...form, 'HEAD', '--', ...some];
    const log = expectOutput(await runInCheckout(checkout, { args }), 'git log').toString('utf8');
    for (const [path, version] of versionsIn(log)) found.set(path, [...(found.get(path) ?? []), version]);
  }
  return found;
}

/** Records of git with NUL between them: those of a commit begin with a byte of their own, then each file has two. */
function versionsIn(log: string): [string, FileVersion][] {
  const versions: [string, FileVersion][] = [];
  for (const record of log.split('\u0001').slice(1)) {
    const [commit = '', at = '', author = '', subject = '', ...files] = record.split('\0');
    const by = { commit, at, author, subject };
    for (let index = 0; index + 1 < files.length; index += 1) {
      const blob = /^\n?:[0-7]{6} 100[0-7]{3} [0-9a-f]{40} ([0-9a-f]{40}) [A-Z]/.exec(files[index] ?? '')?.[1];
      if (blob !== undefined) versions.push([files[index + 1] ?? '', { in: by, blob }]);
    }
  }
  return versions;
}

/** Whether the clone was cut short: then nothing older than the cut is known. */
export async function isShallow(checkout: Checkout): Promise<boolean> {
  return textOf(await runInCheckout(checkout, { args: ['rev-parse', '--is-shallow-repository'] })) === 'true';
}

/** How many bytes blobs have; those that this clone has not are left out. */
export async function blobSizes(checkout: Checkout, blobs: readonly string[]): Promise<ReadonlyMap<string, number>> {
  if (blobs.length === 0) return new Map();
  const args = ['cat-file', '--batch-check=%(objectname) %(objectsize)'];
  const end = await runInCheckout(checkout, { args, input: blobs.map((blob) => `${blob}\n`).join('') });
  if (!end.ok) throw gitFailed('git cat-file', end.complaint);
  return new Map(
    end.output
      .toString('utf8')
      .split('\n')
      .flatMap((line): [string, number][] => {
        const [, blob, size] = /^([0-9a-f]{40}) (\d+)$/.exec(line) ?? [];
        return blob === undefined ? [] : [[blob, Number(size)]];
      }),
  );
}
