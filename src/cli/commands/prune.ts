import type { Command } from 'commander';
import { withCluster } from '../cluster.ts';
import type { CommandContext } from '../context.ts';
import { SottoError } from '../../core/errors.ts';
import { askAboutOrphans, type OrphanFlags } from '../orphans.ts';
import { addRequestOptions } from '../request-flags.ts';

const EXAMPLES = `
What left Git is pruned by itself. After the inventory was lost, or a sync left the settings, objects may be left that this
agent applied and that no sync has (SOTTO-PLAN-082). --orphans lists them, asks, and deletes them: workloads first, no
PersistentVolumeClaim, and nothing that a live workload of the agent refers to. A yes covers exactly the objects shown.

Examples:
  sotto prune --orphans -n team-app
  sotto prune --orphans --yes

Exit code: 0 done, or there are none, 1 refused, some are left, or no yes, 2 usage or nobody to ask, 3 cluster unreachable
or no agent, 5 forbidden (the right is in Role sotto-requests).`;

export function register(program: Command, context: CommandContext): void {
  const command = program
    .command('prune')
    .description('delete what the agent applied once and no sync has')
    .option('--orphans', 'the objects that sotto status names')
    .option('--yes', 'do not ask')
    .option('--no-wait', 'ask and do not wait for the answer');
  addRequestOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((flags: OrphanFlags) =>
      withCluster(flags, context, (cluster) => {
        if (flags.orphans !== true) throw nothingNamed();
        return askAboutOrphans('prune', flags, cluster, context);
      }),
    );
}

function nothingNamed(): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-050',
    what: 'nothing is named',
    why: 'what left Git is pruned by itself; only objects that no sync has are deleted by hand',
    next: 'sotto prune --orphans',
  });
}
