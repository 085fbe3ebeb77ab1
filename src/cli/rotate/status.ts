import type { Command } from 'commander';
import { arrayAt, type Json, memberAt, stringAt } from '../../core/json.ts';
import { shellWord } from '../../core/shell-word.ts';
import { addClusterOptions, type ClusterFlags, withCluster } from '../cluster.ts';
import type { CommandContext } from '../context.ts';
import { outputOption } from '../options.ts';
import { jsonText, say, writeData } from '../output.ts';
import { noStatus, readStatus } from '../status-document.ts';
import { harmless } from '../terminal.ts';

interface StatusFlags extends ClusterFlags {
  readonly output?: 'json';
}

const EXAMPLES = `
Shows each key that was made to take the place of another one that is still there, as the agent tells it in its status,
and what comes next. No key and no checkout is needed.

Exit code: 0 shown, 1 no status yet, 2 usage, 3 cluster unreachable, 5 forbidden.`;

export function registerStatus(rotate: Command, context: CommandContext): void {
  addClusterOptions(rotate.command('status').description('which rotations are in course, and what comes next'))
    .addOption(outputOption(['json'], 'as JSON'))
    .addHelpText('after', EXAMPLES)
    // The flags stand after `rotate` as well, which takes them first.
    .action((_: StatusFlags, command: Command) => show(command.optsWithGlobals<StatusFlags>(), context));
}

function show(flags: StatusFlags, context: CommandContext): Promise<void> {
  return withCluster(flags, context, async (cluster) => {
    const status = await readStatus(cluster, context.signal);
    if (status === undefined) throw noStatus(cluster.namespace);
    const rotations = arrayAt(status, 'rotations');
    if (flags.output === 'json') return writeData(context, jsonText({ rotations }));
    if (rotations.length === 0) return say(context, 'no rotation is in course');
    await writeData(context, rotations.map((each) => rotationText(each, cluster.namespace)).join('\n'));
  });
}

/** Pure. */
export function rotationText(rotation: Json, namespace: string): string {
  const text = (...path: readonly string[]): string => harmless(stringAt(rotation, ...path) ?? '');
  const branch = text('pushed', 'branch');
  const pushed =
    branch === ''
      ? 'nothing by the agent'
      : `branch ${branch} of ${text('pushed', 'url')} at ${text('pushed', 'commit').slice(0, 12)}`;
  const until = text('until');
  const rows = [
    [
      'old key',
      `${text('old')} in Secret ${text('oldSecret')}: ${text('oldState')}${until === '' ? '' : `, until ${until}`}`,
    ],
    ['new key', `${text('made')} in Secret ${text('secret')}, since ${text('since') || 'an unknown time'}`],
    ['pushed', pushed],
    ['runs', RUNS[text('runs')] ?? text('runs')],
    ['next', harmless(nextOf(rotation, namespace))],
  ];
  return rows.map(([name = '', value = '']) => `${name.padEnd(9)}${value}\n`).join('');
}

const RUNS: Readonly<Record<string, string>> = {
  old: 'files that are for the old key',
  both: 'files for the old key and for the new one',
  new: 'files that are for the new key alone',
  neither: 'files that are for neither of the two keys',
  unknown: 'not known: a sync has not applied what it has read',
};

function nextOf(rotation: Json, namespace: string): string {
  const [runs, state] = [stringAt(rotation, 'runs'), stringAt(rotation, 'oldState')];
  const [branch, secret] = [stringAt(rotation, 'pushed', 'branch'), stringAt(rotation, 'oldSecret') ?? ''];
  const inNamespace = `-n ${shellWord(namespace)}`;
  if (state === 'decrypt-only')
    return `sotto keys retire ${shellWord(secret)} ${inNamespace}   (later: it refuses while a branch still needs the key)`;
  if (runs === 'unknown') return `sotto status ${inNamespace}`;
  if (runs === 'new' && memberAt(rotation, 'pushed') !== undefined) return 'the agent marks the old key by itself';
  if (runs === 'new' || runs === 'neither')
    return `kubectl annotate secret ${shellWord(secret)} ${inNamespace} sotto.dev/state=decrypt-only   (then: sotto keys retire)`;
  if (branch === undefined)
    return `sotto rotate --in-cluster ${inNamespace}, or from a checkout: sotto rotate --new-secret ${inNamespace}`;
  return `look at branch ${shellWord(harmless(branch))} and merge it; what still names the old key afterwards: sotto rotate --in-cluster ${inNamespace}`;
}
