import type { Command } from 'commander';
import { Option } from 'commander';
import { type Tool, TOOLS } from '../../apply/former-owner.ts';
import { SottoError } from '../../core/errors.ts';
import { arrayAt, type Json, stringAt } from '../../core/json.ts';
import type { RequestText } from '../../plan/request.ts';
import { type Cluster, withCluster } from '../cluster.ts';
import { confirmed } from '../ask.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { leaveController } from '../leave.ts';
import { say } from '../output.ts';
import { askAboutOrphans } from '../orphans.ts';
import { readStatus } from '../status-document.ts';
import { addRequestOptions, request, type RequestFlags, targetFrom } from '../request-flags.ts';

interface AdoptFlags extends RequestFlags {
  readonly sync?: string;
  readonly all?: true;
  readonly orphans?: true;
  readonly yes?: true;
  readonly from?: Tool | 'sealed-secrets';
}

const EXAMPLES = `
An object that existed before sotto and differs from Git is left alone (SOTTO-PLAN-001) until somebody says to take it
over. Its fields become what Git says; what others have added to it stays. What waits is listed with the fields that
differ before anything is asked for; sotto diff shows the values.

--from TOOL takes over what another tool marked (SOTTO-PLAN-006). End that tool's care of it first, or the two undo each
other. The tool's marks and its entries in managedFields are taken off, so that it does not delete the object when it is
removed (Helm does all the same: remove the release's own Secrets, not the release), and what Git lets go of goes.
--from kubectl does that for objects applied by hand: the annotation with the last applied configuration goes.

--orphans is for objects that carry this agent's label and that no sync has (SOTTO-PLAN-082), after a lost inventory: they
come under the sync again (--sync where there are several), and what Git does not have is pruned by the rules of prune.

--from sealed-secrets leaves the SealedSecrets controller: for each SealedSecret whose Secret the agent waits for
(SOTTO-PLAN-006, once its keys have opened the file in Git) the owner is taken off the Secret, the resource is deleted
without its dependents, and the agent takes the Secret over. There is no moment without the Secret. When it is
interrupted, the same command goes on.

Examples:
  sotto adopt deploy/web
  sotto adopt --from flux --all          everything that waits and carries Flux's marks
  sotto adopt --from kubectl deploy/web svc/web
  sotto adopt --from sealed-secrets      every Secret that the controller made and the agent waits for
  sotto adopt --from sealed-secrets db   this one
  sotto adopt --sync app --yes           every object of the sync that waits for it

Exit code: 0 done, 1 refused, failed or no yes, 2 usage or nobody to ask, 3 cluster unreachable or no agent, 5 forbidden (the right is
in Role sotto-requests).`;

export function register(program: Command, context: CommandContext): void {
  const command = program
    .command('adopt')
    .description('take over objects that existed before')
    .argument('[object...]', 'deploy/web, secret/db, apps/Deployment/web')
    .option('--sync <name>', 'every object of one sync that waits for it')
    .option('--all', 'every object that waits for it')
    .option('--orphans', 'what the agent applied once and no sync has, into the inventory of a sync again')
    .addOption(new Option('--from <tool>', 'take objects over from a tool').choices([...TOOLS, 'sealed-secrets']))
    .option('--yes', 'do not ask')
    .option('--no-wait', 'ask and do not wait for the answer');
  addRequestOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((objects: readonly string[], flags: AdoptFlags) =>
      withCluster(flags, context, (cluster) => adopt(objects, flags, cluster, context)),
    );
}

type Target = Pick<RequestText, 'object' | 'sync'>;

async function adopt(
  objects: readonly string[],
  flags: AdoptFlags,
  cluster: Cluster,
  context: CommandContext,
): Promise<void> {
  const { from } = flags;
  if (flags.orphans === true) return askAboutOrphans('adopt', flags, cluster, context);
  if (from === 'sealed-secrets') return leaveController(objects[0], flags, cluster, context);
  const status = await readStatus(cluster, context.signal);
  const targets = await targetsOf(objects, flags, status, cluster, context);
  for (const line of waitingLines(status, targets, from)) await say(context, line);
  const what = objects.length > 0 ? objects.join(' ') : flags.all === true ? '--all' : `--sync ${flags.sync}`;
  const asking = { ...flags, command: `sotto adopt ${from === undefined ? '' : `--from ${from} `}${what}` };
  if (!(await confirmed(context, 'Take it over?', asking))) return context.exitWith(EXIT.findings);
  for (const target of targets) await request({ kind: 'adopt', ...target, from }, flags, cluster, context);
}

async function targetsOf(
  objects: readonly string[],
  { sync, all }: AdoptFlags,
  status: Json | undefined,
  cluster: Cluster,
  context: CommandContext,
): Promise<Target[]> {
  if (all === true) {
    if (sync !== undefined || objects.length > 0) throw allAndMore();
    const names = arrayAt(status, 'syncs').map((each) => stringAt(each, 'name') ?? '');
    return names.filter((name) => waitingOf(status, { sync: name }).length > 0).map((name) => ({ sync: name }));
  }
  const [first, ...more] = objects;
  const found = [await targetFrom(first, sync, cluster, context.signal)];
  for (const object of more) found.push(await targetFrom(object, sync, cluster, context.signal));
  return found;
}

function allAndMore(): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-050',
    what: '--all and something else are named',
    why: 'the command works on objects, on one sync, or on everything',
    next: 'name objects (deploy/web), a sync (--sync app), or --all',
  });
}

const WAITS: ReadonlySet<string> = new Set(['SOTTO-PLAN-001', 'SOTTO-PLAN-006']);

/** What the status says of objects that exist and are not ours. */
function waitingOf(status: Json | undefined, { object, sync }: Target): Json[] {
  return arrayAt(status, 'syncs')
    .filter((each) => sync === undefined || stringAt(each, 'name') === sync)
    .flatMap((each) => arrayAt(each, 'attention'))
    .filter((item) => WAITS.has(stringAt(item, 'code') ?? ''))
    .filter((item) => object === undefined || stringAt(item, 'object') === object);
}

function waitingLines(status: Json | undefined, targets: readonly Target[], from: Tool | undefined): string[] {
  const items = targets.flatMap((target) => waitingOf(status, target));
  const lines = items.map((item) => `  ${stringAt(item, 'object') ?? ''}: ${stringAt(item, 'message') ?? ''}`);
  const marks = from === undefined ? '' : `, and the marks of ${from} are taken off`;
  const head = `fields become what Git says${marks} (sotto diff shows the values)`;
  return [...(lines.length === 0 ? ['nothing is known to wait for it'] : lines), head];
}
