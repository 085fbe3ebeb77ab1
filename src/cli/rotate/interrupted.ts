import { openCheckout } from '../../git/checkout.ts';
import { journalPath, readJournal } from '../../git/rotation-journal.ts';
import type { CommandContext } from '../context.ts';
import { say } from '../output.ts';

/** Whoever stops a rotation is told in what state it leaves this checkout, and how it goes on. */
export async function sayingWhereItStands(context: CommandContext, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (thrown) {
    if (context.signal.aborted) await say(context, `interrupted: ${await standing(context)}`);
    throw thrown;
  }
}

async function standing({ cwd, env }: CommandContext): Promise<string> {
  // The signal of the command ends every git that it starts: this one has still to run.
  const checkout = await openCheckout(cwd, env, new AbortController().signal).catch(() => undefined);
  if (checkout === undefined) return 'nothing was changed';
  const journal = readJournal(await journalPath(checkout));
  if (journal === undefined)
    return 'nothing was changed in this checkout; the same command begins anew, with the new key if one was made';
  return 'its commit is made, and what is left to do is written down; sotto rotate --resume';
}
