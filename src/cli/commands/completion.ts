import type { Command } from 'commander';
import { Argument } from 'commander';
import { completionScript, SHELLS, type Shell } from '../completion.ts';
import type { CommandContext } from '../context.ts';
import { writeData } from '../output.ts';

const EXAMPLES = `
Examples:
  source <(sotto completion bash)
  sotto completion zsh > ~/.zsh/sotto.zsh
  sotto completion fish > ~/.config/fish/completions/sotto.fish`;

/** The other commands are registered with it: their names and flags are what is completed. */
export function register(program: Command, context: CommandContext): void {
  program
    .command('completion')
    .description('completion of commands and flags for a shell')
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .addHelpText('after', EXAMPLES)
    .action((shell: Shell) => writeData(context, completionScript(shell, program.commands)));
}
