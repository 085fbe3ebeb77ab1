import type { Command } from 'commander';
import type { CommandContext } from '../context.ts';
import { outputOption } from '../options.ts';
import { writeData } from '../output.ts';
import { VERSION } from '../version.ts';

interface VersionOptions {
  readonly output?: 'json';
}

export function register(program: Command, context: CommandContext): void {
  program
    .command('version')
    .description('print the version of sotto and of the Node.js it runs on')
    .addOption(outputOption(['json'], 'print JSON'))
    .addHelpText('after', '\nExamples:\n  sotto version\n  sotto version -o json')
    .action(async (options: VersionOptions) => {
      const version = {
        version: VERSION,
        node: process.versions.node,
        platform: `${process.platform}-${process.arch}`,
      };
      const text = `sotto ${version.version} (Node.js ${version.node}, ${version.platform})`;
      await writeData(context, `${options.output === 'json' ? JSON.stringify(version) : text}\n`);
    });
}
