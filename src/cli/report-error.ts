import { CommanderError } from 'commander';
import { SottoError } from '../core/errors.ts';
import type { Surroundings } from './context.ts';
import type { ExitCode } from './exit-codes.ts';
import { EXIT, exitOf } from './exit-codes.ts';
import { say } from './output.ts';

export interface ErrorForm {
  /** `-o json`: one JSON object per line instead of text. */
  readonly asJson: boolean;
  /** What was typed, for the hint at the help: `sotto encrypt`. */
  readonly command: string;
}

/** Prints what was thrown, on stderr, and says how the process ends. Never a stack for the user's mistake. */
export async function reportError(
  around: Pick<Surroundings, 'env' | 'stderr' | 'signal'>,
  thrown: unknown,
  form: ErrorForm,
): Promise<ExitCode> {
  if (around.signal.aborted) return EXIT.interrupted;
  const error = asReport(thrown, form.command);
  await say(around, form.asJson ? JSON.stringify(error) : error.text());
  if (error.code === 'SOTTO-CLI-002' && (around.env['SOTTO_DEBUG'] ?? '') !== '') await sayStack(around, thrown);
  return exitOf(error.code);
}

function asReport(thrown: unknown, command: string): SottoError {
  if (thrown instanceof SottoError) return thrown;
  if (thrown instanceof CommanderError) return usageError(thrown, command);
  // The message is left out on purpose: nobody checked that it holds no value.
  return new SottoError(
    {
      code: 'SOTTO-CLI-002',
      what: 'the command stopped at a defect of sotto',
      why: `an error that was not foreseen (${thrown instanceof Error ? thrown.name : typeof thrown})`,
      next: `report it with the command and the output of: SOTTO_DEBUG=1 ${command}`,
    },
    { cause: thrown },
  );
}

/** commander repeats what was typed; a value behind `=` or in quotes could be a secret and is left out. */
function usageError(error: CommanderError, command: string): SottoError {
  const what = error.message
    .replace(/^error: /, '')
    .split('\n')[0]
    ?.replace(/=[^']*'/g, "=…'")
    .replace(/argument '[^']*' is invalid/, 'has an argument that is invalid')
    .replace(/\.$/, '');
  const hint = /\(Did you mean [^)]*\)/.exec(error.message)?.[0];
  return new SottoError({
    code: 'SOTTO-CLI-001',
    what: what ?? 'the command line is not valid',
    why: hint === undefined ? 'the command line is not valid' : hint.slice(1, -1),
    next: `${command} --help`,
  });
}

/** Only names of functions and places in the source: the first line of a stack is the message. */
async function sayStack(around: Pick<Surroundings, 'stderr'>, thrown: unknown): Promise<void> {
  const stack = thrown instanceof Error ? (thrown.stack ?? '') : '';
  for (const line of stack.split('\n').filter((candidate) => /^\s+at /.test(candidate))) await say(around, line);
}
