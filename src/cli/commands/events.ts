import type { Command } from 'commander';
import { systemClock } from '../../core/clock.ts';
import type { Json } from '../../core/json.ts';
import { stringifyJson } from '../../core/json.ts';
import { failureOf } from '../../kube/failure.ts';
import { listObjects } from '../../kube/lists.ts';
import type { OpenResource } from '../../kube/resource.ts';
import { watchResource } from '../../kube/watch.ts';
import {
  addClusterOptions,
  type Cluster,
  type ClusterFlags,
  discoverKinds,
  refusedReading,
  withCluster,
} from '../cluster.ts';
import type { CommandContext } from '../context.ts';
import { eventLine, eventTable, inOrder, isAbout, isOwnEvent, seenAt } from '../events-view.ts';
import { EXIT } from '../exit-codes.ts';
import { kindsOf, readReference } from '../object-reference.ts';
import { outputOption } from '../options.ts';
import { say, writeData } from '../output.ts';
import { escaped, paintFor } from '../terminal.ts';

interface EventsFlags extends ClusterFlags {
  readonly output?: 'json';
  readonly watch?: true;
}

const EVENTS: OpenResource = {
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
  verbs: ['get', 'list', 'watch'],
  secret: false,
};

const EXAMPLES = `
The Events of the agent on the objects it keeps: what it undid, refused or pruned. The newest is last. The API server
drops an Event an hour after it was seen last. Where the agent applies to another namespace, -n names that one.

Examples:
  sotto events -n team-app
  sotto events deploy/web -n team-app --watch
  sotto events -n team-app -o json        one Event as JSON a line

Exit code: 0, 2 usage, 3 cluster unreachable, 5 forbidden, 130 --watch ended by Ctrl-C.`;

export function register(program: Command, context: CommandContext): void {
  addClusterOptions(program.command('events').description('what the agent did on objects, newest last'))
    .argument('[object...]', 'only of this one: KIND/NAME, GROUP/KIND/NAME, or KIND NAME')
    .option('-w, --watch', 'go on and show what comes')
    .addOption(outputOption(['json'], 'print each Event as one line of JSON'))
    .addHelpText('after', EXAMPLES)
    .action((words: readonly string[], flags: EventsFlags) =>
      withCluster(flags, context, async (cluster) => {
        const isWanted = await wanted(cluster, words, context);
        if (flags.watch === true) await watch(cluster, isWanted, flags, context);
        else await list(cluster, isWanted, flags, context);
      }),
    );
}

type IsWanted = (event: Json) => boolean;

async function wanted(cluster: Cluster, words: readonly string[], context: CommandContext): Promise<IsWanted> {
  if (words.length === 0) return isOwnEvent;
  const reference = readReference(words);
  const kinds = kindsOf(reference, await discoverKinds(cluster, context.signal));
  const { name } = reference;
  return (event) => isOwnEvent(event) && kinds.some(({ group, kind }) => isAbout(event, { group, kind, name }));
}

async function list(cluster: Cluster, isWanted: IsWanted, flags: EventsFlags, context: CommandContext): Promise<void> {
  const { transport, namespace } = cluster;
  const found = await listObjects(transport, EVENTS, { namespace, signal: context.signal });
  if (!found.ok) throw refusedReading(cluster, found.failure, { resource: EVENTS, verb: 'list' });
  const events = inOrder(found.value.items.filter(isWanted));
  if (flags.output === 'json') return writeData(context, events.map(jsonLine).join(''));
  if (events.length === 0) return say(context, `no Events of the agent in namespace ${namespace}`);
  return writeData(context, eventTable(events, paintFor(context, 'stdout')));
}

async function watch(cluster: Cluster, isWanted: IsWanted, flags: EventsFlags, context: CommandContext): Promise<void> {
  const { transport, namespace } = cluster;
  const stop = new AbortController();
  const print = flags.output === 'json' ? jsonLine : eventLine;
  let refused: Error | undefined;
  let initial: Json[] = [];
  let lastSeen = '';
  let writing: Promise<void> = Promise.resolve();
  const show = (events: readonly Json[]): void => {
    for (const event of events) if (seenAt(event) > lastSeen) lastSeen = seenAt(event);
    const text = events.map(print).join('');
    writing = writing.then(() => writeData(context, text));
  };
  await watchResource({
    mode: 'full',
    resource: EVENTS,
    transport,
    namespace,
    signal: AbortSignal.any([context.signal, stop.signal]),
    clock: systemClock,
    random: Math.random,
    onEvent: (event) => {
      if ((event.type === 'added' || event.type === 'modified') && isWanted(event.object)) {
        if (event.initial) initial.push(event.object);
        else show([event.object]);
      }
      if (event.type === 'synced') {
        // After a broken connection everything is listed again: only what is newer was not shown.
        show(inOrder(initial).filter((each) => seenAt(each) > lastSeen));
        initial = [];
      }
      if (event.type !== 'state' || event.state === 'live') return;
      if (event.state === 'stale') {
        writing = writing.then(() => say(context, `the API server does not answer (${event.why}): trying again`));
        return;
      }
      refused = refusedWatch(cluster, event.state);
      stop.abort();
    },
  });
  await writing;
  if (refused !== undefined) throw refused;
  context.exitWith(EXIT.interrupted);
}

function refusedWatch(cluster: Cluster, state: 'forbidden' | 'gone'): Error {
  const failure = failureOf(
    state === 'forbidden' ? { kind: 'forbidden', status: 403 } : { kind: 'no-resource', status: 404 },
  );
  return refusedReading(cluster, failure, { resource: EVENTS, verb: 'watch' });
}

function jsonLine(event: Json): string {
  return `${escaped(stringifyJson(event))}\n`;
}
