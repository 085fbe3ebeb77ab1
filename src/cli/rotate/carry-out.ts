import type { EncryptedDocuments } from '../../authoring/rotation/documents.ts';
import { planRotation, type RotationGoal, type RotationPlan } from '../../authoring/rotation/plan.ts';
import { prepareRotation, type RotationKeys } from '../../authoring/rotation/prepare.ts';
import { newcomers, type SeenRecipients } from '../../authoring/rotation/seen.ts';
import type { Code } from '../../core/codes.ts';
import { SottoError } from '../../core/errors.ts';
import { shellWord } from '../../core/shell-word.ts';
import type { Checkout } from '../../git/checkout.ts';
import { commitFiles, skippedHooks } from '../../git/commit-files.ts';
import type { CommitId } from '../../git/output.ts';
import { fetchTip, isAncestor, pushTarget, targetName } from '../../git/push.ts';
import {
  type AgentSteps,
  type PushTarget,
  removeJournal,
  type RotationJournal,
  writeJournal,
} from '../../git/rotation-journal.ts';
import type { CommandContext } from '../context.ts';
import type { Base } from '../keep/repository-file.ts';
import { say } from '../output.ts';
import { withProgress } from '../progress.ts';
import { ontoBranch } from '../up/branch.ts';
import { pushAgain, pushCommit, type PushNote, type PushWords } from '../up/push-commit.ts';
import { readDocuments } from './documents.ts';
import { checkFollows, finishRotation } from './finish.ts';

/** Everything that does not change while a rotation is tried again. */
export interface Rotation {
  readonly checkout: Checkout;
  readonly keys: RotationKeys;
  readonly goal: RotationGoal;
  /** Why, in the words of whoever rotates: it goes into the commit. */
  readonly reason?: string | undefined;
}

export interface Made {
  readonly commit: CommitId;
  readonly files: number;
}

/** One commit with everything that changes, on no branch yet. Throws SottoError before anything is written. */
export async function commitRotation(
  { checkout, goal, keys, reason }: Rotation,
  parent: CommitId,
  documents: EncryptedDocuments,
  context: CommandContext,
): Promise<Made> {
  const plan = planRotation(documents, goal);
  const total = plan.sops.length + plan.sealed.length;
  const files = await withProgress(context, 'encrypting and comparing: file', total, (step) =>
    prepareRotation(plan, keys, new Date(), step),
  );
  if (files.size === 0) throw nothingToDo();
  const commit = await commitFiles(checkout, { parent, files, message: messageOf(goal, files.size, reason) });
  return { commit, files: files.size };
}

/** A rotation that is made, and where it goes. */
export interface Going extends Rotation {
  readonly made: Made;
  readonly base: Base;
  /** Path of the journal. */
  readonly journal: string;
  readonly target: PushTarget | undefined;
  /** What the yes was for; undefined where no age key changes. */
  readonly seen: SeenRecipients | undefined;
  /** What the agent has still to do once it gets there. */
  readonly agent: AgentSteps | undefined;
  /** Who needs the new key, where a file holds it. */
  readonly newKeyNote: string | undefined;
}

/**
 * Branch, files and index of the checkout follow the commit; with a target it is pushed before. The commit that was
 * pushed in the end; its journal is left where the agent has a part in it.
 */
export async function intoBranch(going: Going, context: CommandContext): Promise<CommitId> {
  const { checkout, made, base, journal, target, agent, newKeyNote } = going;
  const here = { branch: base.branch, from: base.commit };
  await checkFollows(checkout, { from: base.commit, to: made.commit });
  const note = noteOf(journal, { push: target, here, agent });
  if (target === undefined) note.write(made.commit);
  else if (
    (await pushCommit({ checkout, target, words: words(base.branch), note }, made.commit, context)) === undefined
  ) {
    note.remove();
    return raced(going, target, context);
  }
  await followHere(checkout, journal, { to: made.commit, push: target, here, agent });
  await told(made, context);
  const where = target === undefined ? 'nothing was pushed' : `pushed to ${targetName(target)}`;
  await say(context, `branch ${base.branch}; ${where}`);
  await toldAlso(checkout, context);
  if (newKeyNote !== undefined) await say(context, newKeyNote);
  if (target === undefined) await toldPush(checkout, base.branch, context);
  return made.commit;
}

/** Branch and files to the commit, if they have to follow; then the journal says what is left, or goes. */
export async function followHere(checkout: Checkout, path: string, journal: RotationJournal): Promise<void> {
  const { here, to, push, agent } = journal;
  if (here !== undefined) await finishRotation(checkout, { ...here, to });
  if (push !== undefined && agent !== undefined) writeJournal(path, { ...journal, here: undefined });
  else removeJournal(path);
}

/**
 * Everything is encrypted again from what is there now, for those to whom the yes was. The checkout is not touched: it
 * is behind anyway.
 */
async function raced(going: Going, target: PushTarget, context: CommandContext): Promise<CommitId> {
  const { checkout, base, journal, agent } = going;
  const note = agent && noteOf(journal, { push: target, here: undefined, agent });
  const make = async (tip: CommitId): Promise<Made> => {
    const documents = await readDocuments(checkout, tip);
    checkSeen(going, documents, target);
    return commitRotation(going, tip, documents, context);
  };
  const pushing = { checkout, target, words: words(base.branch), note, from: base.commit, make };
  const { commit, files } = await pushAgain(pushing, context);
  await say(context, `${files} files changed in ${commit.slice(0, 12)}, pushed to ${targetName(target)}`);
  await say(context, 'next: git pull --ff-only   (this checkout is as it was)');
  return commit;
}

/** Whoever may push could name somebody there after a person has looked at the plan. Throws SOTTO-ROTATE-007. */
function checkSeen({ seen, goal }: Going, documents: EncryptedDocuments, target: PushTarget): void {
  const plan = planThere(documents, goal, target);
  if (seen === undefined || goal.age === undefined) return;
  const found = newcomers(seen, documents, plan, goal.age);
  const [first, second, ...more] = found.map(({ file, finding }) => `${file} ${finding}`);
  if (first === undefined) return;
  const rest = [second ?? [], more.length > 0 ? `${more.length} more` : []].flat();
  throw notAsSeen(target, [first, ...rest].join('; '));
}

/** What there keeps a rotation from beginning is not in this checkout, so the command for it would find nothing here. */
function planThere(documents: EncryptedDocuments, goal: RotationGoal, target: PushTarget): RotationPlan {
  try {
    return planRotation(documents, goal);
  } catch (thrown) {
    if (!(thrown instanceof SottoError) || !LETS_IN.includes(thrown.code)) throw thrown;
    throw notAsSeen(target, `${thrown.place.file ?? 'a file'}: ${thrown.why}`);
  }
}

const LETS_IN: readonly Code[] = ['SOTTO-CLI-216', 'SOTTO-ROTATE-006', 'SOTTO-ROTATE-028', 'SOTTO-ROTATE-030'];

function notAsSeen(target: PushTarget, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-007',
    what: `the rotation was not pushed to ${targetName(target)}`,
    why: `others have pushed meanwhile, and what was said yes to was for other recipients: ${why}`,
    next: 'git pull --ff-only, look at who that is (git log -p), then the same command again',
  });
}

/** What an interrupted rotation was to push. Where others were faster nothing has begun, and the journal goes. */
export async function pushRecorded(
  checkout: Checkout,
  path: string,
  { push: target, to, here }: RotationJournal,
  context: CommandContext,
): Promise<void> {
  if (target === undefined) return;
  const note = { write: () => undefined, remove: () => removeJournal(path) };
  const pushing = { checkout, target, words: words(here?.branch ?? target.branch), note };
  if ((await pushCommit(pushing, to, context)) !== undefined) return;
  const tip = await fetchTip(checkout, target);
  if (tip === undefined) throw notPushed(target, 'its state cannot be fetched', true);
  // It had come through, and others have gone on from there.
  if (await isAncestor(checkout, to, tip)) return;
  removeJournal(path);
  throw pushing.words.lostRace(target, 'it has moved since the interruption');
}

function noteOf(path: string, rest: Omit<RotationJournal, 'to'>): PushNote {
  return { write: (to) => writeJournal(path, { to, ...rest }), remove: () => removeJournal(path) };
}

/** The commit on a branch of its own. */
export async function ontoOwnBranch(
  name: string,
  { checkout, made, base, target, newKeyNote }: Pick<Going, 'checkout' | 'made' | 'base' | 'target' | 'newKeyNote'>,
  context: CommandContext,
): Promise<void> {
  const { commit } = made;
  const branch = { name, commit, base: base.branch, target, command: 'sotto rotate', words: words(base.branch) };
  await ontoBranch(checkout, branch, context);
  await told(made, context);
  await toldHistory(context);
  if (newKeyNote !== undefined) await say(context, newKeyNote);
}

async function told({ commit, files }: Made, context: CommandContext): Promise<void> {
  await say(context, `${files} files changed, each opened again and compared before: commit ${commit.slice(0, 12)}`);
}

async function toldAlso(checkout: Checkout, context: CommandContext): Promise<void> {
  const hooks = await skippedHooks(checkout);
  if (hooks.length > 0) await say(context, `note: hooks of this repository were not run: ${hooks.join(', ')}`);
  await toldHistory(context);
}

/** By name: a branch that follows nothing yet can be pushed so as well. */
async function toldPush(checkout: Checkout, branch: string, context: CommandContext): Promise<void> {
  const to = await pushTarget(checkout, branch);
  if (to === undefined) return;
  const what = to.branch === branch ? branch : `${branch}:${to.branch}`;
  await say(context, `next: git push ${shellWord(to.remote)} ${shellWord(what)}`);
}

async function toldHistory(context: CommandContext): Promise<void> {
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

function words(branch: string): PushWords {
  return {
    notPushed,
    lostRace: (target, why) =>
      new SottoError({
        code: 'SOTTO-ROTATE-007',
        what: `the rotation was not pushed to ${targetName(target)}`,
        why,
        next: `git pull --rebase, then the same command again; or --branch NAME (this checkout: ${shellWord(branch)} is as it was)`,
      }),
  };
}

function notPushed(target: PushTarget, why: string, mayBeThere: boolean): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-008',
    what: `the rotation was not pushed to ${targetName(target)}`,
    why,
    next: mayBeThere
      ? 'mend that (try git push --dry-run), then sotto rotate --resume'
      : 'mend that (try git push --dry-run), then run the same command again, or with --branch NAME',
  });
}
