import { lstatSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { SottoError } from '../../core/errors.ts';
import { shellWord } from '../../core/shell-word.ts';
import { openCheckout } from '../../git/checkout.ts';
import { checkNewBranch } from '../../git/commit-files.ts';
import type { PushTarget } from '../../git/rotation-journal.ts';
import type { ValueSource } from '../change-values.ts';
import { commitTree } from '../commit-tree.ts';
import type { CommandContext } from '../context.ts';
import { type Base, onBranch } from '../keep/repository-file.ts';
import { refuseHalfway } from '../rotate/journal.ts';
import { whereTo } from './branch.ts';
import { commitSource, pathInRepository } from './commit-source.ts';

export interface UpFlags {
  readonly push?: true;
  readonly branch?: string;
}

/** Where a change of one file goes, beside the disk. */
export interface Up {
  readonly base: Base;
  /** From the root of the repository. */
  readonly path: string;
  /** A new branch; undefined: the one that is checked out. */
  readonly branch: string | undefined;
  /** Undefined: nothing is pushed. */
  readonly target: PushTarget | undefined;
  /** The file as HEAD has it. */
  readonly source: ValueSource;
}

/**
 * Where the change of a file goes by the flags; undefined: into the file on the disk alone. All that could stand against
 * it is found here, before a value is asked for. Throws SOTTO-CLI-190 to -193, -270, -271 and SOTTO-ROTATE-002.
 */
export async function openUp(
  file: string,
  { push, branch }: UpFlags,
  context: CommandContext,
): Promise<Up | undefined> {
  if ((push !== true && branch === undefined) || file === '-') return undefined;
  const absolute = resolve(context.cwd, file);
  const checkout = await openCheckout(dirname(absolute), context.env, context.signal);
  const { commit, branch: current, changed } = await onBranch(checkout);
  await refuseHalfway(checkout);
  const path = pathInRepository(checkout.root, absolute) ?? '';
  const tree = await commitTree(checkout.root, commit, context.env);
  const isThere = (await tree.entryAt(path)) !== undefined;
  if (!isThere && isOnDisk(absolute)) throw notCommitted(file);
  if (branch === undefined && changed.includes(path)) throw changedHere(file);
  if (branch !== undefined) await checkNewBranch(checkout, branch);
  const target = push === true ? await whereTo(checkout, branch ?? current) : undefined;
  const source = commitSource(checkout.root, tree, context);
  return { base: { checkout, commit, branch: current, tree }, path, branch, target, source };
}

function isOnDisk(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

function notCommitted(file: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-271',
    what: 'the file is not changed in a commit',
    why: 'it is in no commit of this branch yet',
    next: `git add ${shellWord(file)} && git commit, then the command again; or without --push and --branch`,
    file,
  });
}

function changedHere(file: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-271',
    what: 'the file is not changed in a commit',
    why: 'on the disk or in the index it is not as HEAD has it, so it could not follow the commit',
    next: `git stash -- ${shellWord(file)} (or commit it), then the command again; or --branch NAME, which leaves it alone`,
    file,
  });
}
