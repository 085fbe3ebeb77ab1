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
  await writeFiles(checkout, move, files);
  await writeIndex(checkout, files);
}

async function writeFiles(checkout: Checkout, { from, to }: Move, files: readonly ChangedFile[]): Promise<void> {
  const contents = async (side: 'before' | 'after'): Promise<ReadonlyMap<string, Buffer>> =>
    readFiles(
      checkout,
      files.map((file) => ({ path: file.path, mode: file.mode, blob: file[side], sizeBytes: 0 })),
    );
  const before = await contents('before');
  const after = await contents('after');
  // All are looked at before the first is written.
  const pending: { readonly path: string; readonly bytes: Buffer }[] = [];
  for (const { path } of files) {
    const bytes = after.get(path);
    const disk = onDisk(checkout, path);
    if (bytes === undefined || disk === undefined) throw changed(path);
    if (disk.equals(bytes)) continue;
    if (before.get(path)?.equals(disk) === true) pending.push({ path, bytes });
    else {
      const filtered = await asCheckedOut(checkout, to, path);
      if (disk.equals(filtered)) continue;
      if (!disk.equals(await asCheckedOut(checkout, from, path))) throw changed(path);
      pending.push({ path, bytes: filtered });
    }
  }
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

async function writeIndex(checkout: Checkout, files: readonly ChangedFile[]): Promise<void> {
  const lines = files.map(({ path, mode, after }) => `${mode} ${after}\t${path}\0`).join('');
  const entries = { args: ['update-index', '-z', '--index-info'], input: lines };
  expectOutput(await runInCheckout(checkout, entries), 'git update-index');
  // Other files may want a look of their own: what it says of them is no failure of this.
  await runInCheckout(checkout, { args: ['update-index', '-q', '--refresh'] });
}

function changed(file: string): SottoError {
  return otherwise(
    `${file} is neither as before the rotation nor as after it`,
    `git diff -- ${shellWord(file)}, and put your change aside; then sotto rotate --resume`,
  );
}

function otherwise(why: string, next: string): SottoError {
  return new SottoError({ code: 'SOTTO-ROTATE-004', what: 'the rotation was not carried to its end', why, next });
}
