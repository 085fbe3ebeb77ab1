import type { Command } from 'commander';
import { withCluster } from '../cluster.ts';
import type { CommandContext } from '../context.ts';
import { addRequestOptions, request, type RequestFlags, targetFrom } from '../request-flags.ts';

interface ResumeFlags extends RequestFlags {
  readonly sync?: string;
}

const EXAMPLES = `
What was changed by hand during the pause is undone, and what Git changed meanwhile is applied.

Examples:
  sotto resume deploy/web
  sotto resume --sync app

Exit code: 0 done, 1 refused (nothing of it is paused), 2 usage, 3 cluster unreachable or no agent, 5 forbidden (the
right is in Role sotto-requests).`;

export function register(program: Command, context: CommandContext): void {
  const command = program
    .command('resume')
    .description('end a pause')
    .argument('[object]', 'deploy/web, secret/db, apps/Deployment/web')
    .option('--sync <name>', 'a paused sync')
    .option('--no-wait', 'ask and do not wait for the answer');
  addRequestOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((object: string | undefined, flags: ResumeFlags) =>
      withCluster(flags, context, async (cluster) => {
        const target = await targetFrom(object, flags.sync, cluster, context.signal);
        await request({ kind: 'resume', ...target }, flags, cluster, context);
      }),
    );
}
