import type { Command } from 'commander';
import { SottoError } from '../../core/errors.ts';
import { arrayAt, type Json, stringAt } from '../../core/json.ts';
import { type Cluster, withCluster } from '../cluster.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { followStatus } from '../follow-status.ts';
import { say } from '../output.ts';
import { addRequestOptions, request, type RequestFlags } from '../request-flags.ts';

const EXAMPLES = `
Examples:
  sotto sync -n team-app                 every sync, without waiting for their interval
  sotto sync app -n team-app --wait      until everything is ready

Exit code: 0 done, 1 it was refused, failed or (--wait) did not become Ready, 2 usage, 3 cluster unreachable or no
agent, 5 forbidden (the right is in Role sotto-requests).`;

export function register(program: Command, context: CommandContext): void {
  const command = program
    .command('sync')
    .description('ask Git now and apply, and wait for the end of that pass')
    .argument('[sync]', 'name of a sync; default: all')
    .option('--wait', 'wait until everything is ready, too')
    .option('--no-wait', 'ask and do not wait for the answer');
  addRequestOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((sync: string | undefined, flags: RequestFlags) =>
      withCluster(flags, context, async (cluster) => {
        const isDone = await request({ kind: 'sync', sync }, flags, cluster, context);
        if (isDone && flags.wait === true) await untilReady(sync, flags, cluster, context);
      }),
    );
}

/** The answer says that the pass has ended; what it applied may still be on its way to ready. */
async function untilReady(
  sync: string | undefined,
  { timeout }: RequestFlags,
  cluster: Cluster,
  context: CommandContext,
): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  let last: readonly Json[] = [];
  const timer = setTimeout(() => stop.abort(), timeout);
  const onStatus = (status: Json | undefined): void => {
    last = arrayAt(status, 'syncs').filter((each) => sync === undefined || stringAt(each, 'name') === sync);
    if (last.every((each) => stringAt(each, 'state') !== 'Progressing')) stop.abort();
  };
  await followStatus(cluster, { signal, onStatus, onNote: (note) => void say(context, note) });
  clearTimeout(timer);
  context.signal.throwIfAborted();
  const unready = last.filter((each) => !['Ready', 'Suspended'].includes(stringAt(each, 'state') ?? ''));
  for (const each of unready) {
    await say(context, `${stringAt(each, 'name')}: ${stringAt(each, 'state')}, ${stringAt(each, 'message')}`);
  }
  if (last.length === 0) throw noSuchSync(sync ?? '');
  if (unready.length > 0) context.exitWith(EXIT.findings);
}

function noSuchSync(name: string): SottoError {
  return new SottoError({
    code: 'SOTTO-PLAN-041',
    what: `there is no sync ${name}`,
    why: 'the status document does not have it',
    next: 'sotto status',
  });
}
