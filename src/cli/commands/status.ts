import type { Command } from 'commander';
import { dump } from 'js-yaml';
import type { Json } from '../../core/json.ts';
import { addClusterOptions, type ClusterFlags, withCluster } from '../cluster.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { followStatus } from '../follow-status.ts';
import { outputOption } from '../options.ts';
import { say, writeData } from '../output.ts';
import { noStatus, readStatus } from '../status-document.ts';
import { isReady, statusText, syncLines } from '../status-view.ts';
import { escaped, isRedrawn, paintFor, REDRAW } from '../terminal.ts';

interface StatusFlags extends ClusterFlags {
  readonly output?: 'json' | 'yaml';
  readonly watch?: true;
}

const EXAMPLES = `
With --watch a terminal shows the newest status; elsewhere each change is a line for each sync that it concerns, or one
JSON document a line with -o json. Where a watch is forbidden the status is asked for every 2 s. Ctrl-C ends it.

Examples:
  sotto status -n team-app
  sotto status -n team-app --watch
  sotto status -n team-app -o json

Exit code: 0 every sync is Ready, 1 not Ready or no status yet, 2 usage, 3 cluster unreachable, 5 forbidden,
130 ended by Ctrl-C.`;

export function register(program: Command, context: CommandContext): void {
  addClusterOptions(program.command('status').description('what the agent says about its syncs'))
    .option('-w, --watch', 'go on and show every change')
    .addOption(outputOption(['json', 'yaml'], 'print the whole status document'))
    .addHelpText('after', EXAMPLES)
    .action((flags: StatusFlags) => (flags.watch === true ? watch(flags, context) : show(flags, context)));
}

function show(flags: StatusFlags, context: CommandContext): Promise<void> {
  return withCluster(flags, context, async (cluster) => {
    const status = await readStatus(cluster, context.signal);
    if (status === undefined) throw noStatus(cluster.namespace);
    await writeData(context, shown(status, flags, context));
    if (!isReady(status)) context.exitWith(EXIT.findings);
  });
}

/** Ends with its signal, as every command that goes on until it is told to stop: 130. */
async function watch(flags: StatusFlags, context: CommandContext): Promise<void> {
  await withCluster(flags, context, async (cluster) => {
    const print = printer(flags, context);
    let before: string | undefined;
    let writing: Promise<void> = Promise.resolve();
    const queue = (task: () => Promise<void>): void => void (writing = writing.then(task, task));
    try {
      await followStatus(cluster, {
        signal: context.signal,
        onStatus: (status) => {
          const now = JSON.stringify(status) ?? '';
          if (now === before) return;
          before = now;
          queue(() => (status === undefined ? say(context, noStatus(cluster.namespace).what) : print(status)));
        },
        onNote: (note) => queue(() => say(context, note)),
      });
    } finally {
      await writing;
    }
  });
  context.exitWith(EXIT.interrupted);
}

function printer(flags: StatusFlags, context: CommandContext): (status: Json) => Promise<void> {
  if (flags.output === 'yaml') return (status) => writeData(context, `---\n${shown(status, flags, context)}`);
  if (flags.output === 'json') return (status) => writeData(context, shown(status, flags, context));
  if (isRedrawn(context)) return (status) => writeData(context, `${REDRAW}${shown(status, flags, context)}`);
  let before: readonly string[] = [];
  return async (status) => {
    const lines = syncLines(status);
    const fresh = lines.filter((line) => !before.includes(line));
    before = lines;
    if (fresh.length > 0) await writeData(context, `${fresh.join('\n')}\n`);
  };
}

function shown(status: Json, flags: StatusFlags, context: CommandContext): string {
  if (flags.output === undefined) return statusText(status, paintFor(context, 'stdout'));
  if (flags.output === 'json') return escaped(`${JSON.stringify(status)}\n`);
  return escaped(dump(status, { lineWidth: -1, forceQuotes: true, quoteStyle: 'double' }));
}
