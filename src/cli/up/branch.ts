import { pullRequestLink } from '../../authoring/pull-request.ts';
import { SottoError } from '../../core/errors.ts';
import { shellWord } from '../../core/shell-word.ts';
import type { Checkout } from '../../git/checkout.ts';
import { createBranch, skippedHooks } from '../../git/commit-files.ts';
import type { CommitId } from '../../git/output.ts';
import { pushTarget, remoteUrl, targetName } from '../../git/push.ts';
import type { PushTarget } from '../../git/rotation-journal.ts';
import type { CommandContext } from '../context.ts';
import { say } from '../output.ts';
import { pushCommit, type PushWords } from './push-commit.ts';

/** Where a branch goes when it is pushed. Throws SOTTO-CLI-270 where there is no remote. */
export async function whereTo(checkout: Checkout, branch: string): Promise<PushTarget> {
  const target = await pushTarget(checkout, branch);
  if (target !== undefined) return target;
  throw new SottoError({
    code: 'SOTTO-CLI-270',
    what: 'there is nowhere to push to',
    why: `git remote lists no remote that branch ${branch} would go to`,
    next: `git remote add origin URL && git push -u origin ${shellWord(branch)}`,
  });
}

export interface NewBranch {
  readonly name: string;
  readonly commit: CommitId;
  /** Branch that is checked out: this one comes after it. */
  readonly base: string;
  readonly target: PushTarget | undefined;
  /** For the log of the reference: `sotto keep`. */
  readonly command: string;
  readonly words: PushWords;
}

/** The commit on a branch of its own; with a target it is pushed before, so that a refusal leaves nothing behind. */
export async function ontoBranch(checkout: Checkout, made: NewBranch, context: CommandContext): Promise<void> {
  const { name, commit, base, target, command, words } = made;
  const remarks = target && (await pushCommit({ checkout, target, words }, commit, context));
  if (target !== undefined && remarks === undefined)
    throw words.lostRace(target, 'there is a branch of this name already');
  await createBranch(checkout, name, commit, command);
  const where = target === undefined ? 'nothing was pushed' : `pushed to ${targetName(target)}`;
  await say(context, `branch ${name} (${commit.slice(0, 12)}) has it, on top of ${base}; ${where}`);
  const hooks = await skippedHooks(checkout);
  if (hooks.length > 0) {
    const run = `git switch ${shellWord(name)} && git commit --amend --no-edit runs them`;
    await say(context, `note: hooks of this repository were not run (${hooks.join(', ')}): ${run}`);
  }
  if (target === undefined) await say(context, `next: git push -u origin ${shellWord(name)}`);
  else await sayPullRequest(checkout, target, base, remarks ?? [], context);
}

/** Where a pull request can be opened, unless the remote itself has said it. */
async function sayPullRequest(
  checkout: Checkout,
  target: PushTarget,
  base: string,
  remarks: readonly string[],
  context: CommandContext,
): Promise<void> {
  if (remarks.some((remark) => /https?:\/\//.test(remark))) return;
  const into = await pushTarget(checkout, base);
  const remote = await remoteUrl(checkout, target.remote);
  const link = pullRequestLink({
    remote,
    branch: target.branch,
    base: into?.remote === target.remote ? into.branch : undefined,
  });
  if (link !== undefined) await say(context, `pull request: ${link}`);
}
