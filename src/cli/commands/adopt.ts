import type { Command } from 'commander';
import { Option } from 'commander';
import { withCluster } from '../cluster.ts';
import { confirmed } from '../ask.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { leaveController } from '../leave.ts';
import { say } from '../output.ts';
import { addRequestOptions, request, type RequestFlags, targetFrom } from '../request-flags.ts';

interface AdoptFlags extends RequestFlags {
  readonly sync?: string;
  readonly yes?: true;
  readonly from?: 'sealed-secrets';
}

const EXAMPLES = `
An object that existed before sotto and differs from Git is left alone (SOTTO-PLAN-001) until somebody says to take it
over. Its fields become what Git says; what others have added to it stays. sotto diff shows the difference.

--from sealed-secrets leaves the SealedSecrets controller: for each SealedSecret whose Secret the agent waits for
(SOTTO-PLAN-006, once its keys have opened the file in Git) the owner is taken off the Secret, the resource is deleted
without its dependents, and the agent takes the Secret over. There is no moment without the Secret. When it is
interrupted, the same command goes on.

Examples:
  sotto adopt deploy/web
  sotto adopt --from sealed-secrets      every Secret that the controller made and the agent waits for
  sotto adopt --from sealed-secrets db   this one
  sotto adopt --sync app --yes           every object of the sync that waits for it

Exit code: 0 done, 1 refused, failed or no yes, 2 usage or nobody to ask, 3 cluster unreachable or no agent, 5 forbidden (the right is
in Role sotto-requests).`;

export function register(program: Command, context: CommandContext): void {
  const command = program
    .command('adopt')
    .description('take over objects that existed before')
    .argument('[object]', 'deploy/web, secret/db, apps/Deployment/web')
    .option('--sync <name>', 'every object of one sync that waits for it')
    .addOption(new Option('--from <controller>', 'take Secrets over from a controller').choices(['sealed-secrets']))
    .option('--yes', 'do not ask')
    .option('--no-wait', 'ask and do not wait for the answer');
  addRequestOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((object: string | undefined, flags: AdoptFlags) =>
      withCluster(flags, context, async (cluster) => {
        if (flags.from !== undefined) return leaveController(object, flags, cluster, context);
        const target = await targetFrom(object, flags.sync, cluster, context.signal);
        await say(
          context,
          `${target.object ?? `everything that waits in sync ${target.sync}`}: its fields become what Git says (sotto diff shows them)`,
        );
        const asking = { ...flags, command: `sotto adopt ${object ?? `--sync ${flags.sync}`}` };
        if (!(await confirmed(context, 'Take it over?', asking))) return context.exitWith(EXIT.findings);
        await request({ kind: 'adopt', ...target }, flags, cluster, context);
      }),
    );
}
