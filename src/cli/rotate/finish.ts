import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SottoError } from '../../core/errors.ts';
import { shellWord } from '../../core/shell-word.ts';
import { type Checkout, expectOutput, readCheckout, runInCheckout } from '../../git/checkout.ts';
import { moveRef } from '../../git/commit-files.ts';
import type { CommitId } from '../../git/output.ts';
import { branchTip, type ChangedFile, changedFiles } from '../../git/push.ts';
import { readFiles } from '../../git/read-commit.ts';
import { syncFolder, writeInPlace } from '../write-in-place.ts';

/** A branch that goes from one commit to one that comes after it. */
export interface Move {
  readonly branch: string;
  readonly from: CommitId;
  readonly to: CommitId;
}

/**
 * Branch, files and index to the commit of the rotation, in this order, each step found done or done now. May be stopped
 * anywhere and called again. Throws SOTTO-ROTATE-004 for what is neither before nor after.
 */
export async function finishRotation(checkout: Checkout, move: Move): Promise<void> {
  const { branch, from, to } = move;
  const { branch: current } = await readCheckout(checkout);
  if (current !== branch) throw otherwise(`branch ${branch} is not checked out`, `git switch ${shellWord(branch)}`);
  const tip = await branchTip(checkout, branch);
  if (tip !== to) {
    if (tip !== from) throw otherwise(`branch ${branch} was moved`, `git reflog ${shellWord(branch)}`);
    await moveRef(checkout, branch, { from, to, why: 'sotto rotate' });
  }
  const files = await changedFiles(checkout, from, to);
  const sparse = await sparsePaths(checkout);
  writeFiles(checkout, to, await pendingFiles(checkout, move, { files, sparse, refusal: changed }));
  await writeIndex(checkout, files, sparse);
}

/**
 * That the files here can follow, before anything is pushed or moved: what git was told not to look at is in no status.
 * Throws SOTTO-CLI-191.
 */
export async function checkFollows(checkout: Checkout, move: Pick<Move, 'from' | 'to'>): Promise<void> {
  const files = await changedFiles(checkout, move.from, move.to);
  await pendingFiles(checkout, move, { files, sparse: await sparsePaths(checkout), refusal: hidden });
}

/** Paths that are in the index and not to be on the disk, as a sparse checkout has them. */
async function sparsePaths(checkout: Checkout): Promise<ReadonlySet<string>> {
  const listed = expectOutput(await runInCheckout(checkout, { args: ['ls-files', '-t', '-z'] }), 'git ls-files');
  const records = listed.toString('utf8').split('\0');
  return new Set(records.flatMap((record) => (record.startsWith('S ') ? [record.slice(2)] : [])));
}

interface PendingFile {
  readonly path: string;
  readonly bytes: Buffer;
}

interface Looked {
  readonly files: readonly ChangedFile[];
  readonly sparse: ReadonlySet<string>;
  /** For a file that somebody has changed. */
  readonly refusal: (path: string) => SottoError;
}

/** What is still to be written. All are looked at before the first is. Throws the refusal. */
async function pendingFiles(
  checkout: Checkout,
  { from, to }: Pick<Move, 'from' | 'to'>,
  { files, sparse, refusal }: Looked,
): Promise<readonly PendingFile[]> {
  const contents = async (side: 'before' | 'after'): Promise<ReadonlyMap<string, Buffer>> =>
    readFiles(
      checkout,
      files.map((file) => ({ path: file.path, mode: file.mode, blob: file[side], sizeBytes: 0 })),
    );
  const before = await contents('before');
  const after = await contents('after');
  const pending: PendingFile[] = [];
  for (const { path } of files) {
    const bytes = after.get(path);
    const disk = onDisk(checkout, path);
    if (disk === undefined && sparse.has(path)) continue;
    if (bytes === undefined || disk === undefined) throw refusal(path);
    if (disk.equals(bytes)) continue;
    if (before.get(path)?.equals(disk) === true) pending.push({ path, bytes });
    else {
      const filtered = await asCheckedOut(checkout, to, path);
      if (disk.equals(filtered)) continue;
      if (!disk.equals(await asCheckedOut(checkout, from, path))) throw refusal(path);
      pending.push({ path, bytes: filtered });
    }
  }
  return pending;
}

function writeFiles(checkout: Checkout, to: CommitId, pending: readonly PendingFile[]): void {
  const temporaryName = `.sotto-${to.slice(0, 16)}.tmp`;
  for (const { path, bytes } of pending) writeInPlace(join(checkout.root, path), path, bytes, temporaryName);
  for (const folder of new Set(pending.map(({ path }) => dirname(join(checkout.root, path))))) syncFolder(folder);
}

function onDisk(checkout: Checkout, path: string): Buffer | undefined {
  try {
    return readFileSync(join(checkout.root, path));
  } catch {
    return undefined;
  }
}

/** With line ends and filters as the person has set up git. */
async function asCheckedOut(checkout: Checkout, commit: string, path: string): Promise<Buffer> {
  const args = ['cat-file', '--filters', `${commit}:${path}`];
  return expectOutput(await runInCheckout(checkout, { args }), 'git cat-file');
}

/** For one command: they are its arguments. */
const MAX_PATHS = 200;

async function writeIndex(
  checkout: Checkout,
  files: readonly ChangedFile[],
  sparse: ReadonlySet<string>,
): Promise<void> {
  const away = files.filter(({ path }) => sparse.has(path));
  const here = files.filter(({ path }) => !sparse.has(path));
  const lines = here.map(({ path, mode, after }) => `${mode} ${after}\t${path}\0`).join('');
  const entries = { args: ['update-index', '-z', '--index-info'], input: lines };
  expectOutput(await runInCheckout(checkout, entries), 'git update-index');
  // Entry and mark in one write: without it a file that is not on the disk would have been removed.
  for (let at = 0; at < away.length; at += MAX_PATHS) {
    const some = away.slice(at, at + MAX_PATHS);
    const entry = some.flatMap(({ path, mode, after }) => ['--cacheinfo', `${mode},${after},${path}`]);
    const args = ['update-index', ...entry, '--skip-worktree', '--', ...some.map(({ path }) => path)];
    expectOutput(await runInCheckout(checkout, { args }), 'git update-index');
  }
  // Other files may want a look of their own: what it says of them is no failure of this.
  await runInCheckout(checkout, { args: ['update-index', '-q', '--refresh'] });
}

function changed(file: string): SottoError {
  return otherwise(
    `${file} is neither as before the rotation nor as after it`,
    `git diff -- ${shellWord(file)}, and put your change aside; then sotto rotate --resume`,
  );
}

function hidden(file: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-191',
    what: 'the checkout has changes that are in no commit',
    why: 'the file is not as HEAD has it: it was changed meanwhile, or git was told not to look at it',
    next: `git update-index --no-assume-unchanged --no-skip-worktree -- ${shellWord(file)}, git stash, then run the command again`,
    file,
  });
}

function otherwise(why: string, next: string): SottoError {
  return new SottoError({ code: 'SOTTO-ROTATE-004', what: 'the rotation was not carried to its end', why, next });
}
