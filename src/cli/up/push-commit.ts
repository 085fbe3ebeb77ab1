import type { SottoError } from '../../core/errors.ts';
import type { Checkout } from '../../git/checkout.ts';
import type { CommitId } from '../../git/output.ts';
import { fetchTip, isAncestor, push, targetName } from '../../git/push.ts';
import type { PushTarget } from '../../git/rotation-journal.ts';
import type { CommandContext } from '../context.ts';
import { say } from '../output.ts';

/** What is said of a push, in the words of the command. */
export interface PushWords {
  readonly notPushed: (target: PushTarget, why: string, mayBeThere: boolean) => SottoError;
  readonly lostRace: (target: PushTarget, why: string) => SottoError;
}

/** Written down before a commit is pushed, and gone again where that has changed nothing: for who can be resumed. */
export interface PushNote {
  write(commit: CommitId): void;
  remove(): void;
}

export interface Pushing {
  readonly checkout: Checkout;
  readonly target: PushTarget;
  readonly words: PushWords;
  readonly note?: PushNote | undefined;
}

/** What the remote said; undefined when the branch there has moved. Throws what the words say for a refusal. */
export async function pushCommit(
  { checkout, target, words, note }: Pushing,
  commit: CommitId,
  context: CommandContext,
): Promise<readonly string[] | undefined> {
  note?.write(commit);
  const end = await push(checkout, target, commit);
  if (end.kind === 'pushed') {
    for (const remark of end.remarks) await say(context, `${targetName(target)}: ${remark}`);
    return end.remarks;
  }
  if (end.kind === 'behind') return undefined;
  // It may have come through, and only the answer was lost: then the note says how to go on.
  const tip = await fetchTip(checkout, target);
  if (tip === commit) return [];
  if (tip !== undefined) note?.remove();
  throw words.notPushed(target, end.why, note !== undefined && tip === undefined);
}

/** How often a push is tried, the first time included. */
const MOST_TRIES = 5;

/**
 * The change is made again on what others have pushed meanwhile, until it comes first. The checkout is not touched: it
 * is behind anyway. Nothing is ever pushed by force.
 */
export async function pushAgain<Made extends { readonly commit: CommitId }>(
  pushing: Pushing & { readonly from: CommitId; readonly make: (tip: CommitId) => Promise<Made> },
  context: CommandContext,
): Promise<Made> {
  const { checkout, target, words, note, from, make } = pushing;
  for (let tries = 1; tries < MOST_TRIES; tries += 1) {
    const tip = await fetchTip(checkout, target);
    if (tip === undefined) throw words.notPushed(target, 'its new state cannot be fetched', false);
    if (!(await isAncestor(checkout, from, tip)))
      throw words.lostRace(target, 'this branch has commits that it has not');
    const moved = `${targetName(target)} has moved to ${tip.slice(0, 12)}`;
    await say(context, `${moved}: encrypting again from there`);
    const made = await make(tip);
    if ((await pushCommit(pushing, made.commit, context)) !== undefined) return made;
    note?.remove();
  }
  throw words.lostRace(target, `it has moved ${MOST_TRIES} times`);
}
