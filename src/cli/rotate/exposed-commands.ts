import type { Command } from 'commander';
import { SottoError } from '../../core/errors.ts';
import { withCluster } from '../cluster.ts';
import type { CommandContext } from '../context.ts';
import { addRequestOptions, request, type RequestFlags } from '../request-flags.ts';
import { checkPublic } from './flags.ts';

interface ExposedFlags extends RequestFlags {
  readonly reason: string;
  readonly all?: true;
}

/** `sotto rotate expose` and `sotto rotate accept`: what the agent follows until it is another value. */
export function registerExposed(rotate: Command, context: CommandContext): void {
  addRequestOptions(
    rotate
      .command('expose')
      .description('a key is in wrong hands: let the agent follow what it could open')
      .argument('<key>', 'its recipient, or the fingerprint of the sealing certificate')
      .requiredOption('--reason <text>', 'what happened: sotto status shows it'),
  ).action((key: string, flags: ExposedFlags) => {
    checkPublic(key);
    return withCluster(flags, context, async (cluster) => {
      await request({ kind: 'expose', key, reason: flags.reason }, flags, cluster, context);
    });
  });
  addRequestOptions(
    rotate
      .command('accept')
      .description('an exposed value stays as it is: it is no secret, or it is settled')
      .argument('[file]', 'from the root of the repository, as sotto status has it')
      .argument('[key]', 'stringData.user')
      .option('--all', 'everything that is exposed')
      .requiredOption('--reason <text>', 'why: the agent logs it'),
  ).action((file: string | undefined, key: string | undefined, flags: ExposedFlags) =>
    withCluster(flags, context, async (cluster) => {
      const named = file !== undefined && key !== undefined;
      if (named === (flags.all === true) || (file !== undefined && !named)) throw whichValue();
      await request({ kind: 'accept', file, key, reason: flags.reason }, flags, cluster, context);
    }),
  );
}

function whichValue(): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-001',
    what: 'it is not said what is accepted',
    why: 'one value is named by file and key, everything by --all',
    next: 'sotto rotate accept deploy/db.yaml stringData.user --reason "a name, no secret"',
  });
}
