import { Command, CommanderError } from 'commander';
import { SottoError } from '../core/errors.ts';
import { COMMANDS, NOT_BUILT_COMMANDS } from './commands.ts';
import type { CommandContext, Surroundings } from './context.ts';
import type { ExitCode } from './exit-codes.ts';
import { EXIT, strongestExit } from './exit-codes.ts';
import { folded } from './fold.ts';
import { reportError } from './report-error.ts';
import { VERSION } from './version.ts';

/**
 * Runs one command line (without `node` and script) and answers with the exit code; never throws and never ends the
 * process. Everything the commands touch comes with `around`.
 */
export async function run(argv: readonly string[], around: Surroundings): Promise<ExitCode> {
  const exits: ExitCode[] = [];
  const context: CommandContext = { ...around, exitWith: (code) => exits.push(code) };
  const name = argv.find((word) => !word.startsWith('-'));
  const form = { asJson: wantsJson(argv), command: isCommand(name) ? `sotto ${name}` : 'sotto' };
  try {
    if (name !== undefined && NOT_BUILT_COMMANDS.has(name)) throw notBuilt(name);
    const program = await buildProgram(argv, context);
    await program.parseAsync([...argv], { from: 'user' });
  } catch (thrown) {
    if (isHelp(thrown)) exits.push(thrown.exitCode === 0 ? EXIT.ok : EXIT.usage);
    else exits.push(await reportError(around, thrown, form));
  }
  return strongestExit(exits);
}

/** The commands that the words may mean, with their flags; nothing runs yet. */
export async function buildProgram(argv: readonly string[], context: CommandContext): Promise<Command> {
  const program = new Command('sotto')
    .description('Secrets-aware GitOps for one namespace. Also usable as: kubectl sotto')
    .version(VERSION, '-V, --version', 'print the version')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.stdout.write(folded(text, context.columns)),
      // Usage errors are printed by reportError, with their code.
      outputError: () => undefined,
      writeErr: (text) => context.stderr.write(text),
      getOutHelpWidth: () => context.columns ?? 100,
      getErrHelpWidth: () => context.columns ?? 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  for (const entry of COMMANDS) {
    // Only what may be asked for is loaded; the others are a line of the help. Completion is about all of them.
    if (argv.includes(entry.name) || argv[0] === 'completion') (await entry.load()).register(program, context);
    else program.command(entry.name).description(entry.summary);
  }
  return program;
}

function isHelp(thrown: unknown): thrown is CommanderError {
  return (
    thrown instanceof CommanderError &&
    ['commander.help', 'commander.helpDisplayed', 'commander.version'].includes(thrown.code)
  );
}

function isCommand(name: string | undefined): boolean {
  return COMMANDS.some((entry) => entry.name === name);
}

/** Looked for before the line is parsed, because the parser's own errors have the form as well. */
function wantsJson(argv: readonly string[]): boolean {
  return argv.some(
    (word, index) =>
      word === '-ojson' || word === '--output=json' || (word === 'json' && isOutputFlag(argv[index - 1])),
  );
}

function isOutputFlag(word: string | undefined): boolean {
  return word === '-o' || word === '--output';
}

function notBuilt(name: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-003',
    what: `not in this version: sotto ${name}`,
    why: 'the command is described but not built yet',
    next: 'sotto --help',
  });
}
