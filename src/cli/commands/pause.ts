import type { Command } from 'commander';
import { Option } from 'commander';
import { rfc3339, systemClock } from '../../core/clock.ts';
import { SottoError } from '../../core/errors.ts';
import { withCluster } from '../cluster.ts';
import type { CommandContext } from '../context.ts';
import { addRequestOptions, durationOf, request, type RequestFlags, targetFrom } from '../request-flags.ts';

interface PauseFlags extends RequestFlags {
  readonly sync?: string;
  readonly for?: number;
  readonly until?: string;
  readonly reason: string;
}

const EXAMPLES = `
A paused object is not changed, corrected or deleted; a paused sync makes no pass. The pause ends by itself: what was
changed by hand meanwhile is undone then, and what Git changed meanwhile is applied.

Examples:
  sotto pause deploy/web --for 1h --reason "debugging the memory leak"
  sotto pause --sync app --until 2027-01-31T18:00:00Z --reason "release freeze"

Exit code: 0 done, 1 refused, 2 usage, 3 cluster unreachable or no agent, 5 forbidden (the right is in Role
sotto-requests).`;

export function register(program: Command, context: CommandContext): void {
  const command = program
    .command('pause')
    .description('leave an object or a sync alone for a while')
    .argument('[object]', 'deploy/web, secret/db, apps/Deployment/web')
    .option('--sync <name>', 'everything of one sync')
    .addOption(new Option('--for <duration>', 'for how long: 30m, 8h, 3d').argParser(durationOf))
    .addOption(new Option('--until <time>', 'until when: 2027-01-31T12:00:00Z').conflicts('for'))
    .requiredOption('--reason <text>', 'why; shown in status and on the object')
    .option('--no-wait', 'ask and do not wait for the answer');
  addRequestOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((object: string | undefined, flags: PauseFlags) => {
      const until = endOf(flags);
      return withCluster(flags, context, async (cluster) => {
        const target = await targetFrom(object, flags.sync, cluster, context.signal);
        await request({ kind: 'pause', ...target, until, reason: flags.reason }, flags, cluster, context);
      });
    });
}

function endOf({ for: forMs, until }: PauseFlags): string {
  if (forMs !== undefined) return rfc3339(new Date(systemClock.now().getTime() + forMs + 999));
  if (until !== undefined && !Number.isNaN(Date.parse(until))) return rfc3339(new Date(until));
  throw new SottoError({
    code: 'SOTTO-CLI-051',
    what: until === undefined ? 'the pause has no end' : `${JSON.stringify(until)} is not a time`,
    why: 'a pause that nobody ends must end by itself',
    next: 'say for how long (--for 1h) or until when (--until 2027-01-31T12:00:00Z)',
  });
}
