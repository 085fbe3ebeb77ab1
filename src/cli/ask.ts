import { createInterface } from 'node:readline/promises';
import { SottoError } from '../core/errors.ts';
import type { CommandContext } from './context.ts';
import { say } from './output.ts';
import { harmless } from './terminal.ts';

export interface Confirming {
  readonly yes?: true;
  /** What was typed, for the hint: `sotto install`. */
  readonly command: string;
}

/** Asks once, on the terminal; `--yes` answers for scripts. Anything but a yes is a no. */
export async function confirmed(
  context: Pick<CommandContext, 'stdin' | 'stderr' | 'isTerminal' | 'signal'>,
  question: string,
  { yes, command }: Confirming,
): Promise<boolean> {
  if (yes === true) return true;
  if (!context.isTerminal.stdin) throw nobodyToAsk(command);
  const terminal = createInterface({ input: context.stdin, output: context.stderr });
  try {
    // The end of the input is no yes.
    const closed = new Promise<string>((resolve) => terminal.once('close', () => resolve('')));
    const answer = await Promise.race([
      terminal.question(`${harmless(question)} [y/N] `, { signal: context.signal }),
      closed,
    ]);
    if (/^y(?:es)?$/i.test(answer.trim())) return true;
  } finally {
    terminal.close();
  }
  await say(context, 'nothing was changed');
  return false;
}

function nobodyToAsk(command: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-060',
    what: 'nobody is there to say yes',
    why: 'stdin is no terminal, and the command changes or removes something',
    next: `once you are sure: ${command} --yes`,
  });
}
