import type { Command } from 'commander';
import { SottoError } from '../../core/errors.ts';
import { arrayAt, type Json, memberAt, numberAt, stringAt } from '../../core/json.ts';
import { type Cluster, withCluster } from '../cluster.ts';
import { confirmed } from '../ask.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { say } from '../output.ts';
import { readStatus } from '../status-document.ts';
import { addRequestOptions, request, type RequestFlags } from '../request-flags.ts';

interface ApproveFlags extends RequestFlags {
  readonly yes?: true;
}

const EXAMPLES = `
A yes covers exactly one plan: the commit and the steps that status shows under that id. When Git or the settings have
moved on meanwhile, it is refused.

Examples:
  sotto approve 3f9c0d2a51b7e864
  sotto approve 3f9c0d2a51b7e864 --yes

Exit code: 0 done, 1 refused, not done as a whole, or no yes, 2 usage or
nobody to ask, 3 cluster unreachable or no agent, 5 forbidden
(the right is in Role sotto-requests).`;

export function register(program: Command, context: CommandContext): void {
  const command = program
    .command('approve')
    .description('say yes to a plan that is held')
    .argument('<plan>', 'id of the plan, from sotto status')
    .option('--yes', 'do not ask')
    .option('--no-wait', 'ask and do not wait for the answer');
  addRequestOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((plan: string, flags: ApproveFlags) =>
      withCluster(flags, context, async (cluster) => {
        const { sync, pending } = await pendingPlan(plan, cluster, context.signal);
        await show(sync, pending, context);
        const asking = { ...flags, command: `sotto approve ${plan}` };
        if (!(await confirmed(context, 'Do it?', asking))) return context.exitWith(EXIT.findings);
        await request({ kind: 'approve', plan, sync }, flags, cluster, context);
      }),
    );
}

async function pendingPlan(
  planId: string,
  cluster: Cluster,
  signal: AbortSignal,
): Promise<{ readonly sync: string; readonly pending: Json }> {
  const status = await readStatus(cluster, signal);
  const plans = arrayAt(status, 'syncs').flatMap((each) =>
    arrayAt(each, 'pending').map((pending) => ({ sync: stringAt(each, 'name') ?? '', pending })),
  );
  const plan = plans.find(({ pending }) => stringAt(pending, 'planId') === planId);
  if (plan !== undefined) return plan;
  const ids = plans.map(({ sync, pending }) => `${stringAt(pending, 'planId') ?? ''} (${sync})`);
  throw new SottoError({
    code: 'SOTTO-PLAN-042',
    what: `plan ${JSON.stringify(planId)} is not pending`,
    why: ids.length === 0 ? 'no plan waits for a yes' : `pending are: ${ids.join(', ')}`,
    next: `sotto status -n ${cluster.namespace}`,
  });
}

async function show(sync: string, pending: Json, context: CommandContext): Promise<void> {
  const [creates, prunes] = [numberAt(pending, 'creates') ?? 0, numberAt(pending, 'prunes') ?? 0];
  await say(context, `sync ${sync}: ${stringAt(pending, 'why') ?? ''}`);
  await say(context, `it creates ${creates} and deletes ${prunes} objects${prunes === 0 ? '' : ':'}`);
  const pruned = arrayAt(pending, 'pruned').filter((object) => typeof object === 'string');
  for (const object of pruned) await say(context, `  - ${object}`);
  const more = prunes - pruned.length;
  if (more > 0 && memberAt(pending, 'pruned') !== undefined) await say(context, `  … and ${more} more`);
}
