import { Option } from 'commander';
import type { Command } from 'commander';
import { SottoError } from '../core/errors.ts';
import { displayObject } from '../core/ids.ts';
import { parseDurationMs } from '../settings/duration.ts';
import type { RequestText } from '../plan/request.ts';
import { askAgent, newRequestId, writeRequest } from './ask-agent.ts';
import { addClusterOptions, type Cluster, type ClusterFlags, discoverKinds } from './cluster.ts';
import type { CommandContext } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { outputOption } from './options.ts';
import { say, writeData } from './output.ts';
import { kindsOf, readReference } from './object-reference.ts';
import { escaped, harmless } from './terminal.ts';
import { whoAmI } from './who.ts';

/** The flags of every command that asks the agent for something. */
export interface RequestFlags extends ClusterFlags {
  readonly timeout: number;
  /** False with --no-wait. */
  readonly wait?: boolean;
  readonly output?: 'json';
}

const DEFAULT_TIMEOUT = '5m';

/** `--no-wait` is left to the command, because `sync` has a `--wait` of its own. */
export function addRequestOptions(command: Command): Command {
  return addClusterOptions(command)
    .addOption(
      new Option('--timeout <duration>', 'how long to wait for the end of it')
        .argParser(durationOf)
        .default(parseDurationMs(DEFAULT_TIMEOUT), DEFAULT_TIMEOUT),
    )
    .addOption(outputOption(['json'], 'print the answer as JSON'));
}

export function durationOf(text: string): number {
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms > 0) return ms;
  throw new SottoError({
    code: 'SOTTO-CLI-051',
    what: `${JSON.stringify(text)} is not a duration`,
    why: 'a duration is a number with a unit, and above zero',
    next: 'for example 90s, 30m, 8h, 1h30m or 3d',
  });
}

/** One object or one sync, as a request names them. */
export async function targetFrom(
  object: string | undefined,
  sync: string | undefined,
  cluster: Cluster,
  signal: AbortSignal,
): Promise<Pick<RequestText, 'object' | 'sync'>> {
  if (object !== undefined && sync === undefined) {
    return { object: await fullName(object, cluster, signal) };
  }
  if (sync !== undefined && object === undefined) return { sync };
  throw new SottoError({
    code: 'SOTTO-CLI-050',
    what: object === undefined ? 'nothing is named' : 'an object and a sync are named',
    why: 'the command works on one object or on one sync',
    next: 'name an object (deploy/web), or a sync (--sync app)',
  });
}

/** `apps/Deployment/web`, as requests write it; the API server is asked for its kinds where the form is a shorter one. */
async function fullName(text: string, cluster: Cluster, signal: AbortSignal): Promise<string> {
  const reference = readReference([text]);
  if (text.split('/').length === 3) return text;
  const [{ group, kind }] = kindsOf(reference, await discoverKinds(cluster, signal));
  return displayObject({ group, kind, namespace: cluster.namespace, name: reference.name });
}

/** Asks, waits unless told not to, prints the answer. True when it was done. */
export async function request(
  text: Omit<RequestText, 'by'>,
  flags: RequestFlags,
  cluster: Cluster,
  context: CommandContext,
): Promise<boolean> {
  const whole: RequestText = { ...text, by: await whoAmI(cluster) };
  if (flags.wait === false) {
    const id = newRequestId(text.kind);
    await writeRequest(cluster, id, whole);
    await print({ id, outcome: 'asked', message: 'the agent has not been waited for' }, flags, context);
    return true;
  }
  const answer = await askAgent(cluster, whole, {
    signal: context.signal,
    timeoutMs: flags.timeout,
    onAccepted: () => void say(context, 'the agent is at it'),
  });
  await print(answer, flags, context);
  if (answer.outcome !== 'done') context.exitWith(EXIT.findings);
  return answer.outcome === 'done';
}

interface Printed {
  readonly id: string;
  readonly outcome: string;
  readonly message: string;
}

async function print({ id, outcome, message }: Printed, flags: RequestFlags, context: CommandContext): Promise<void> {
  const json = escaped(`${JSON.stringify({ id, outcome, message })}\n`);
  await writeData(context, flags.output === 'json' ? json : `${outcome}: ${harmless(message)}\n`);
}
