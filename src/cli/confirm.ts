import { createInterface } from 'node:readline/promises';
import { SottoError } from '../core/errors.ts';
import type { CommandContext } from './context.ts';

/** Asks before something is changed; `--yes` is the answer of scripts. Throws SottoError when nobody says yes. */
export async function confirm(question: string, isYes: boolean, context: CommandContext): Promise<void> {
  if (isYes) return;
  if (!context.isTerminal.stdin || !context.isTerminal.stderr) throw unconfirmed('this is not a terminal');
  const lines = createInterface({ input: context.stdin, output: context.stderr, terminal: false });
  try {
    const answer = await lines.question(`${question} [y/N] `, { signal: context.signal });
    if (!/^y(es)?$/i.test(answer.trim())) throw unconfirmed('the answer was no');
  } finally {
    lines.close();
  }
}

function unconfirmed(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-049',
    what: 'nothing was changed',
    why,
    next: 'say yes, or in a script: the same command with --yes',
  });
}
