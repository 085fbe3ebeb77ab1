import { SottoError } from '../../core/errors.ts';
import { shellWord } from '../../core/shell-word.ts';
import type { Checkout } from '../../git/checkout.ts';
import { commitFiles, createBranch, skippedHooks } from '../../git/commit-files.ts';
import type { CommitId } from '../../git/output.ts';
import { fetchTip, isAncestor, push } from '../../git/push.ts';
import { type PushTarget, removeJournal, type RotationJournal, writeJournal } from '../../git/rotation-journal.ts';
import type { CommandContext } from '../context.ts';
import type { Base } from '../keep/repository-file.ts';
import { say } from '../output.ts';
import type { EncryptedDocuments } from '../../authoring/rotation/documents.ts';
import { readDocuments } from './documents.ts';
import { finishRotation } from './finish.ts';
import { planRotation, type RotationGoal } from '../../authoring/rotation/plan.ts';
import { prepareRotation, type RotationKeys } from '../../authoring/rotation/prepare.ts';

/** Everything that does not change while a rotation is tried again. */
export interface Rotation {
  readonly checkout: Checkout;
  readonly keys: RotationKeys;
  readonly goal: RotationGoal;
  /** Why, in the words of whoever rotates: it goes into the commit. */
  readonly reason?: string | undefined;
}

/** One commit with everything that changes, on no branch yet. Throws SottoError before anything is written. */
export async function commitRotation(
  { checkout, goal, keys, reason }: Rotation,
  parent: CommitId,
  documents: EncryptedDocuments,
): Promise<{ readonly commit: CommitId; readonly files: number }> {
  const plan = planRotation(documents, goal);
  const files = await prepareRotation(plan, keys, new Date());
  if (files.size === 0) throw nothingToDo();
  const commit = await commitFiles(checkout, { parent, files, message: messageOf(goal, files.size, reason) });
  return { commit, files: files.size };
}

export interface Made {
  readonly commit: CommitId;
  readonly files: number;
}

/** How often a push is tried again from what others have pushed meanwhile. */
const MOST_TRIES = 5;

/** Branch, files and index of the checkout follow the commit; with a target it is pushed before. */
export async function intoBranch(
  rotation: Rotation & {
    readonly made: Made;
    readonly base: Base;
    readonly journal: string;
    readonly target: PushTarget | undefined;
  },
  context: CommandContext,
): Promise<CommitId> {
  const { checkout, made, base, journal, target } = rotation;
  const plan = { branch: base.branch, from: base.commit, to: made.commit, push: target };
  writeJournal(journal, plan);
  if (target !== undefined && !(await pushed(checkout, target, made.commit, journal, context))) {
    removeJournal(journal);
    return pushAgain(rotation, target, context);
  }
  await finishRotation(checkout, journal, plan);
  await told(made, base.branch, target, checkout, context);
  return made.commit;
}

/** False when the branch there has moved. Throws SOTTO-ROTATE-008, and leaves no journal: nothing has begun. */
async function pushed(
  checkout: Checkout,
  target: PushTarget,
  commit: CommitId,
  journal: string | undefined,
  context: CommandContext,
): Promise<boolean> {
  const end = await push(checkout, target, commit);
  if (end.kind === 'behind') return false;
  if (end.kind === 'refused') {
    // It may have come through, and only the answer was lost: then the journal says how to go on.
    const tip = journal === undefined ? undefined : await fetchTip(checkout, target);
    if (journal !== undefined && tip !== undefined && tip !== commit) removeJournal(journal);
    if (tip !== commit) throw notPushed(target, end.why, journal !== undefined && tip === undefined);
    return true;
  }
  for (const remark of end.remarks) await say(context, `${target.remote}: ${remark}`);
  return true;
}

/** What an interrupted rotation was to push. Where others were faster nothing has begun, and the journal goes. */
export async function pushRecorded(
  checkout: Checkout,
  path: string,
  { push: target, to }: RotationJournal,
  context: CommandContext,
): Promise<void> {
  if (target === undefined || (await pushed(checkout, target, to, path, context))) return;
  const tip = await fetchTip(checkout, target);
  if (tip === undefined) throw notPushed(target, 'its state cannot be fetched', true);
  // It had come through, and others have gone on from there.
  if (await isAncestor(checkout, to, tip)) return;
  removeJournal(path);
  throw lostRace(target, 'it has moved since the interruption');
}

/** Everything is encrypted again from what is there now. The checkout is not touched: it is behind anyway. */
async function pushAgain(
  rotation: Rotation & { readonly base: Base },
  target: PushTarget,
  context: CommandContext,
): Promise<CommitId> {
  const { checkout, base } = rotation;
  for (let tries = 1; tries < MOST_TRIES; tries += 1) {
    const tip = await fetchTip(checkout, target);
    if (tip === undefined) throw notPushed(target, 'its new state cannot be fetched', false);
    if (!(await isAncestor(checkout, base.commit, tip)))
      throw lostRace(target, 'this branch has commits that it has not');
    await say(
      context,
      `${target.remote}/${target.branch} has moved to ${tip.slice(0, 12)}: encrypting again from there`,
    );
    const made = await commitRotation(rotation, tip, await readDocuments(checkout, tip));
    if (!(await pushed(checkout, target, made.commit, undefined, context))) continue;
    await say(
      context,
      `${made.files} files changed in ${made.commit.slice(0, 12)}, pushed to ${target.remote}/${target.branch}`,
    );
    await say(context, 'next: git pull --ff-only   (this checkout is as it was)');
    return made.commit;
  }
  throw lostRace(target, `it has moved ${MOST_TRIES} times`);
}

/** The commit on a branch of its own. */
export async function ontoBranch(
  branch: string,
  { checkout, made, base, target }: { checkout: Checkout; made: Made; base: Base; target: PushTarget | undefined },
  context: CommandContext,
): Promise<void> {
  await createBranch(checkout, branch, made.commit, 'sotto rotate');
  if (target !== undefined && !(await pushed(checkout, target, made.commit, undefined, context)))
    throw lostRace(target, 'there is a branch of this name already');
  await told(made, `${branch}, on top of ${base.branch}`, target, checkout, context);
}

async function told(
  { commit, files }: Made,
  branch: string,
  target: PushTarget | undefined,
  checkout: Checkout,
  context: CommandContext,
): Promise<void> {
  const where = target === undefined ? 'nothing was pushed' : `pushed to ${target.remote}/${target.branch}`;
  await say(context, `${files} files changed, each opened again and compared before: commit ${commit.slice(0, 12)}`);
  await say(context, `branch ${branch}; ${where}`);
  const hooks = await skippedHooks(checkout);
  if (hooks.length > 0) await say(context, `note: hooks of this repository were not run: ${hooks.join(', ')}`);
  await say(
    context,
    'note: the history of Git stays readable with the old key: values that it could open are worth changing',
  );
}

function messageOf({ age, seals }: RotationGoal, files: number, reason: string | undefined): string {
  const what = age === undefined ? [] : [`${age.old}\nis replaced by\n${age.made}`];
  if (seals) what.push('SealedSecrets are sealed for a new certificate.');
  if (reason !== undefined) what.push(`Reason: ${reason}`);
  return `Rotate keys of ${files} files\n\n${what.join('\n\n')}\n\nEvery value is as before.\n`;
}

export function nothingToDo(): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-011',
    what: 'there is nothing to rotate',
    why: 'no document of this commit is for the old key, or all are for the new one already',
    next: 'sotto rotate --plan with the same flags shows every document',
  });
}

function notPushed({ remote, branch }: PushTarget, why: string, mayBeThere: boolean): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-008',
    what: `the rotation was not pushed to ${remote}/${branch}`,
    why,
    next: mayBeThere
      ? 'mend that (try git push --dry-run), then sotto rotate --resume'
      : 'mend that (try git push --dry-run), then run the same command again, or with --branch NAME',
  });
}

function lostRace({ remote, branch }: PushTarget, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-007',
    what: `the rotation was not pushed to ${remote}/${branch}`,
    why,
    next: `git pull --rebase, then the same command again; or --branch NAME (this checkout: ${shellWord(branch)} is as it was)`,
  });
}
