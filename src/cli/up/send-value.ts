import { SottoError } from '../../core/errors.ts';
import { shellWord } from '../../core/shell-word.ts';
import { commitFiles, skippedHooks } from '../../git/commit-files.ts';
import type { CommitId } from '../../git/output.ts';
import { fastForward, targetName } from '../../git/push.ts';
import type { PushTarget } from '../../git/rotation-journal.ts';
import { formatKeyPath, type KeyPath } from '../../sops/key-path.ts';
import type { OpenedValue, ValueSource } from '../change-values.ts';
import { commitTree } from '../commit-tree.ts';
import type { CommandContext } from '../context.ts';
import { otherTerms } from '../file-terms.ts';
import { say } from '../output.ts';
import { ontoBranch } from './branch.ts';
import { commitSource } from './commit-source.ts';
import type { Up } from './open-up.ts';
import { pushAgain, pushCommit } from './push-commit.ts';
import { PUSH_WORDS } from './push-words.ts';

/** A change of one value, which can be made of any version of the file. */
export interface ValueChange {
  readonly key: KeyPath;
  /** As the message of the commit begins: `Set`. */
  readonly verb: string;
  readonly open: (source: ValueSource) => Promise<OpenedValue>;
  /** The clear text of the file with the change. */
  readonly edit: (opened: OpenedValue) => string;
}

/**
 * The change as one commit, on the branch that is checked out or a new one, pushed where that is asked for. False when
 * there is nothing to change. Throws SOTTO-CLI-272 and -273, and whatever opening and encrypting refuses.
 */
export async function sendValue(
  up: Up,
  opened: OpenedValue,
  change: ValueChange,
  context: CommandContext,
): Promise<boolean> {
  const { base, branch, target } = up;
  const commit = await commitValue(up, base.commit, opened, change);
  if (commit === undefined) return false;
  if (branch !== undefined) {
    const made = { name: branch, commit, base: base.branch, target, command: 'sotto secret', words: PUSH_WORDS };
    await ontoBranch(base.checkout, made, context);
  } else if (target !== undefined) await pushHere({ ...up, target }, { commit, opened, change }, context);
  return true;
}

/** On no branch yet; undefined when nothing changes. */
async function commitValue(
  { base, path }: Up,
  parent: CommitId,
  opened: OpenedValue,
  { key, verb, edit }: ValueChange,
): Promise<CommitId | undefined> {
  const content = await opened.seal(edit(opened));
  if (content === undefined) return undefined;
  const message = `${verb} ${formatKeyPath(key)} of ${plain(path)}\n`;
  return commitFiles(base.checkout, { parent, files: new Map([[path, content]]), message });
}

async function pushHere(
  up: Up & { readonly target: PushTarget },
  { commit, opened, change }: { commit: CommitId; opened: OpenedValue; change: ValueChange },
  context: CommandContext,
): Promise<void> {
  const { base, target } = up;
  const { checkout } = base;
  const pushing = { checkout, target, words: PUSH_WORDS };
  const isFirst = (await pushCommit(pushing, commit, context)) !== undefined;
  const made = isFirst
    ? commit
    : (
        await pushAgain(
          { ...pushing, from: base.commit, make: (tip) => changeAgain(up, tip, opened, change, context) },
          context,
        )
      ).commit;
  await say(context, `commit ${made.slice(0, 12)} is pushed to ${targetName(target)}`);
  if (isFirst && (await fastForward(checkout, made)))
    await say(context, `branch ${base.branch}, file and index are there as well`);
  else await say(context, 'next: git pull --ff-only   (this checkout is as it was)');
  const hooks = await skippedHooks(checkout);
  if (hooks.length > 0) await say(context, `note: hooks of this repository were not run: ${hooks.join(', ')}`);
}

/** On what others have pushed meanwhile, unless they changed what stands at the same path, or who could read it. */
async function changeAgain(
  up: Up & { readonly target: PushTarget },
  tip: CommitId,
  before: OpenedValue,
  change: ValueChange,
  context: CommandContext,
): Promise<{ readonly commit: CommitId }> {
  const { root } = up.base.checkout;
  const source = commitSource(root, await commitTree(root, tip, context.env), context);
  using opened = await change.open(source);
  const other = await otherReaders(before, opened);
  if (other !== undefined) throw readableThere(up, other);
  const isSame = opened.isNew === before.isNew && opened.written() === before.written();
  if (!isSame) throw changedThere(up, formatKeyPath(change.key));
  const commit = await commitValue(up, tip, opened, change);
  if (commit === undefined) throw changedThere(up, formatKeyPath(change.key));
  return { commit };
}

/** Whoever may push could name himself, or lay a file there whose data key he has made. */
async function otherReaders(before: OpenedValue, now: OpenedValue): Promise<string | undefined> {
  if (before.isNew !== now.isNew) return undefined;
  const other = otherTerms(before.terms, now.terms);
  if (other !== undefined || before.dataKey === undefined || now.dataKey === undefined) return other;
  if (await before.dataKey.isSame(now.dataKey)) return undefined;
  return 'its data key is another one there, and whoever has made that could read what is put in now';
}

/** Names may hold anything; the message of a commit is read line by line. */
function plain(path: string): string {
  return /\p{Cc}/u.test(path) ? JSON.stringify(path) : path;
}

function readableThere({ path, target }: Up & { readonly target: PushTarget }, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-273',
    what: `the change was not pushed to ${targetName(target)}`,
    why: `others have pushed meanwhile, and the file is another one for it: ${why}`,
    next: `git pull --ff-only, look at who that is (git log -p -- .sops.yaml ${shellWord(path)}), then the same command again`,
    file: path,
  });
}

function changedThere({ path, target }: Up & { readonly target: PushTarget }, key: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-273',
    what: `the change was not pushed to ${targetName(target)}`,
    why: 'others have changed the same value there meanwhile, and it would be written over',
    next: `git pull --ff-only && git log -p -1 -- ${shellWord(path)}, then decide which one counts`,
    file: path,
    key,
  });
}
