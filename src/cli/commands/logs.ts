import type { Command } from 'commander';
import { Option } from 'commander';
import { SottoError } from '../../core/errors.ts';
import { failureFromAnswer, failureWithoutAnswer } from '../../kube/failure.ts';
import { type OpenResource, resourcePath } from '../../kube/resource.ts';
import { type LinesEnd, type OpenedStream, readLines } from '../../kube/stream.ts';
import { parseDurationMs } from '../../settings/duration.ts';
import { type AgentPod, findAgentPod, PODS } from '../agent-pod.ts';
import { addClusterOptions, type Cluster, type ClusterFlags, refusedReading, withCluster } from '../cluster.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { isAtLeast, LOG_LEVELS, type LogLevel, prettyLine, rawLine, readLogLine } from '../log-line.ts';
import { outputOption } from '../options.ts';
import { writeData } from '../output.ts';
import { paintFor } from '../terminal.ts';

interface LogsFlags extends ClusterFlags {
  readonly output?: 'json';
  readonly follow?: true;
  readonly since?: string;
  readonly level: LogLevel;
}

const EXAMPLES = `
Finds the Pod by label app.kubernetes.io/name=sotto, by Deployment sotto, or as the inventory names it. An agent outside
of the cluster writes its log to its own standard output.

Examples:
  sotto logs -n team-app
  sotto logs -n team-app -f --level warn
  sotto logs -n team-app --since 10m -o json        the lines as the agent wrote them

Exit code: 0, 1 no Pod or not to be read, 2 usage, 3 cluster unreachable, 5 forbidden, 130 -f ended by Ctrl-C.`;

export function register(program: Command, context: CommandContext): void {
  addClusterOptions(program.command('logs').description('the log of the agent'))
    .option('-f, --follow', 'go on with what comes')
    .option('--since <duration>', 'only what is younger, such as 10m or 1h')
    .addOption(new Option('--level <level>', 'least severe level that is shown').choices(LOG_LEVELS).default('debug'))
    .addOption(outputOption(['json'], 'the lines as they are, one JSON object each'))
    .addHelpText('after', EXAMPLES)
    .action((flags: LogsFlags) => logs(flags, context));
}

async function logs(flags: LogsFlags, context: CommandContext): Promise<void> {
  const sinceSeconds = flags.since === undefined ? undefined : secondsOf(flags.since);
  await withCluster(flags, context, async (cluster) => {
    const pod = await findAgentPod(cluster, context.signal);
    const stream = await openLog(cluster, pod, { follow: flags.follow === true, sinceSeconds }, context.signal);
    try {
      await print(cluster, stream, flags, context);
    } finally {
      stream.close();
    }
  });
  if (context.signal.aborted) context.exitWith(EXIT.interrupted);
}

const POD_LOG: OpenResource = { ...PODS, plural: 'pods/log' };

async function openLog(
  cluster: Cluster,
  pod: AgentPod,
  asked: { readonly follow: boolean; readonly sinceSeconds: number | undefined },
  signal: AbortSignal,
): Promise<OpenedStream> {
  const query = new URLSearchParams({ follow: String(asked.follow) });
  if (pod.container !== undefined) query.set('container', pod.container);
  if (asked.sinceSeconds !== undefined) query.set('sinceSeconds', String(asked.sinceSeconds));
  const reply = await cluster.transport.open({
    verb: 'get',
    method: 'GET',
    path: `${resourcePath(PODS, cluster.namespace, pod.name, 'log')}?${query.toString()}`,
    resource: PODS,
    accept: '*/*',
    signal,
  });
  if (reply.kind === 'stream') return reply;
  const failure = reply.kind === 'none' ? failureWithoutAnswer(reply) : failureFromAnswer(reply, false);
  throw refusedReading(cluster, failure, { resource: POD_LOG, verb: 'get', name: pod.name });
}

/** A line of the agent is some kilobytes at most. */
const MAX_LINE_BYTES = 1024 * 1024;
/** Silence is no fault of a log. The longest a timer can wait. */
const NEVER_MS = 2_147_483_647;

async function print(cluster: Cluster, stream: OpenedStream, flags: LogsFlags, context: CommandContext): Promise<void> {
  const paint = paintFor(context, 'stdout');
  let writing: Promise<void> = Promise.resolve();
  const end = await readLines<never>(stream, {
    maxLineBytes: MAX_LINE_BYTES,
    silenceMs: () => NEVER_MS,
    wipe: false,
    onLine: (bytes) => {
      const line = readLogLine(bytes.toString('utf8'));
      if (!isAtLeast(line, flags.level)) return undefined;
      const text = flags.output === 'json' ? rawLine(line) : prettyLine(line, paint);
      writing = writing.then(() => writeData(context, `${text}\n`));
      return undefined;
    },
  });
  await writing;
  if (end.kind !== 'closed' && !context.signal.aborted) throw cutShort(cluster.namespace, end);
}

function cutShort(namespace: string, end: LinesEnd<never>): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-084',
    what: 'the log could not be read to its end',
    why:
      end.kind === 'broken' ? `the connection broke (${end.detail})` : `a line is longer than ${MAX_LINE_BYTES} bytes`,
    next: `sotto logs -n ${namespace} --since 5m`,
  });
}

function secondsOf(since: string): number {
  const ms = parseDurationMs(since);
  if (ms !== undefined && ms > 0) return Math.max(1, Math.ceil(ms / 1000));
  throw new SottoError({
    code: 'SOTTO-CLI-001',
    what: '--since has a value that cannot be used',
    why: 'it must be a duration such as 30s, 10m or 1h',
    next: 'sotto logs --since 10m',
  });
}
