import { SottoError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { shellWord } from '../../core/shell-word.ts';
import { type Checkout, type CheckoutState, openCheckout, readCheckout } from '../../git/checkout.ts';
import type { CommitId } from '../../git/output.ts';
import type { CommandContext } from '../context.ts';
import { type CommitTree, commitTree } from '../commit-tree.ts';
import { refuseHalfway } from '../rotate/journal.ts';

/** The commit that a new branch begins at. */
export interface Base {
  readonly checkout: Checkout;
  readonly commit: CommitId;
  readonly branch: string;
  readonly tree: CommitTree;
}

/** The checkout of the working directory, clean and on a branch. Throws SOTTO-CLI-190 to -192, and SOTTO-ROTATE-002. */
export async function openBase(context: CommandContext): Promise<Base> {
  const checkout = await openCheckout(context.cwd, context.env, context.signal);
  // What a rotation has still to write looks like changes of somebody, which must be neither stashed nor committed.
  await refuseHalfway(checkout);
  const { commit, branch, changed } = await onBranch(checkout);
  const [first] = changed;
  if (first !== undefined) throw dirty(first, changed.length);
  return { checkout, commit, branch, tree: await commitTree(checkout.root, commit, context.env) };
}

/** Where HEAD stands, with the branch that is checked out. Throws SOTTO-CLI-192. */
export async function onBranch(checkout: Checkout): Promise<CheckoutState & { readonly branch: string }> {
  const state = await readCheckout(checkout);
  if (state.branch === undefined) throw detached();
  return { ...state, branch: state.branch };
}

export interface RepositoryFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** A file as HEAD has it, which must be as the agent has applied it. Throws SOTTO-CLI-197. */
export async function readApplied(
  base: Base,
  path: string,
  revision: string,
  { env }: CommandContext,
): Promise<RepositoryFile> {
  const applied = /@sha1:([0-9a-f]{40})$/.exec(revision)?.[1];
  if (applied === undefined)
    throw changedSince(path, 'the agent does not say which commit it has applied', 'sotto status');
  const before = await (await commitTree(base.checkout.root, applied, env)).entryAt(path);
  const now = await base.tree.entryAt(path);
  if (before?.kind !== 'file' || now?.kind !== 'file') {
    throw changedSince(path, 'it is no plain file at both commits', `git log --stat -- ${shellWord(path)}`);
  }
  if (before.blob !== now.blob) {
    const why = `branch ${base.branch} has another version of it than commit ${applied.slice(0, 12)}, which is applied`;
    throw changedSince(
      path,
      why,
      `git diff ${applied.slice(0, 12)} HEAD -- ${shellWord(path)}, then git pull or sotto sync`,
    );
  }
  const bytes = await base.tree.read(path, LIMITS.maxFileBytes);
  if (bytes instanceof Uint8Array) return { path, bytes };
  throw changedSince(path, bytes, 'git fetch --refetch');
}

function detached(): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-192',
    what: 'no branch can be made in this checkout',
    why: 'HEAD is detached: no branch is checked out that the change could come after',
    next: 'git switch main (or the branch that the agent follows)',
  });
}

function dirty(first: string, count: number): SottoError {
  const others = count === 1 ? '' : ` and ${count - 1} more`;
  return new SottoError({
    code: 'SOTTO-CLI-191',
    what: 'the checkout has changes that are in no commit',
    why: `${first}${others}: what this command commits could not be told from them`,
    next: 'git stash (or commit them), then run the command again',
  });
}

function changedSince(file: string, why: string, next: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-197',
    what: 'the file is not the one that the agent has applied',
    why,
    next,
    file,
  });
}
