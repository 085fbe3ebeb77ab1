import type { Command } from 'commander';
import { systemClock } from '../../core/clock.ts';
import { Transport } from '../../kube/transport.ts';
import { confirmed } from '../ask.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { type ClusterFlags, connectionFor } from '../cluster.ts';
import { deployManifests } from '../install/embedded.ts';
import { manifestsFor, shownObject } from '../install/manifests.ts';
import { type Remains, remainsLines, remainsOf, type Seen } from '../install/remains.ts';
import { findInstalled, type Installed, liveSettings, lookAround, remove, removeState } from '../install/removal.ts';
import type { Cluster } from '../install/steps.ts';
import { contextOption, errorFormOption, kubeconfigOption, namespaceOption } from '../options.ts';
import { say, writeData } from '../output.ts';
import { harmless, paintFor } from '../terminal.ts';

interface UninstallFlags extends ClusterFlags {
  readonly purge?: true;
  readonly dryRun?: true;
  readonly yes?: true;
}

const EXAMPLES = `
Removes what sotto install made: the Deployment first, its rights when the agent has ended. What the agent applied stays
as it is, and so do keys, credentials and what the agent wrote for itself; the command says how to remove each. With
--purge what it wrote for itself goes too: inventory, status and the fingerprint key. Objects that install did not make
are left alone.

Examples:
  sotto uninstall -n team-app --dry-run
  sotto uninstall -n team-app

Exit code: 0 done, 1 not wanted, 2 usage, 3 cluster unreachable, 5 forbidden, 6 partly done (run it again).`;

export function register(program: Command, context: CommandContext): void {
  program
    .command('uninstall')
    .description('take the agent out; what it applied stays')
    .addOption(namespaceOption())
    .addOption(kubeconfigOption())
    .addOption(contextOption())
    .option('--purge', 'also inventory, status and fingerprint key')
    .option('--dry-run', 'show what would be removed and what stays')
    .option('--yes', 'do not ask')
    .addOption(errorFormOption())
    .addHelpText('after', EXAMPLES)
    .action((flags: UninstallFlags) => uninstall(flags, context));
}

async function uninstall(flags: UninstallFlags, context: CommandContext): Promise<void> {
  const connection = await connectionFor(flags, context);
  const namespace = flags.namespace ?? connection.namespace;
  const transport = new Transport(connection, { clock: systemClock });
  try {
    const cluster = { transport, signal: context.signal };
    const seen = await lookAround(cluster, namespace, await liveSettings(cluster, namespace));
    const wanted = { namespace, targetNamespace: seen.targetNamespace, image: undefined, without: [], settings: '' };
    const installed = await findInstalled(cluster, manifestsFor(await deployManifests(), wanted));
    // State is taken from no agent that goes on running.
    const isAgentLeft = installed.some(({ object, isOurs }) => object['kind'] === 'Deployment' && !isOurs);
    const isPurge = flags.purge === true && !isAgentLeft;
    const removal = { installed, remains: remainsOf(seen), seen, isPurge };
    if (flags.purge === true && isAgentLeft)
      await say(context, 'the Deployment stays, so what its agent wrote for itself stays too');
    await writeData(context, `${harmless(connection.user)}, namespace ${namespace}\n${removalText(removal, context)}`);
    await carryOut(cluster, removal, flags, context);
  } finally {
    transport.close();
  }
}

interface Removal {
  readonly installed: readonly Installed[];
  readonly remains: Remains;
  readonly seen: Seen;
  readonly isPurge: boolean;
}

function removalText({ installed, remains, seen, isPurge }: Removal, context: CommandContext): string {
  const paint = paintFor(context, 'stdout');
  const objects = installed.map(({ object, isOurs }) => {
    const shown = harmless(shownObject(object, seen.namespace));
    return isOurs ? `${paint('red', '-')} ${shown}` : `= ${shown}, left: install did not make it`;
  });
  const state = isPurge
    ? remains.state.map(({ kind, name }) => `${paint('red', '-')} ${harmless(`${kind}/${name}`)}`)
    : [];
  const unknown =
    seen.secrets === undefined
      ? ['? Secrets may not be listed by you: keys, credentials and the fingerprint key stay']
      : [];
  const stays = remainsLines(remains, seen, isPurge).map((line) => harmless(line));
  return [...objects, ...state, ...stays, ...unknown].map((line) => `${line}\n`).join('');
}

async function carryOut(
  cluster: Cluster,
  removal: Removal,
  flags: UninstallFlags,
  context: CommandContext,
): Promise<void> {
  const { namespace } = removal.seen;
  const ours = removal.installed.filter(({ isOurs }) => isOurs);
  const state = removal.isPurge ? removal.remains.state : [];
  const total = ours.length + state.length;
  if (total === 0) return say(context, 'nothing to remove');
  if (flags.dryRun === true) return say(context, 'dry run: nothing was changed');
  const asked = { ...flags, command: `sotto uninstall -n ${namespace}` };
  if (!(await confirmed(context, `Remove ${total} objects?`, asked))) return context.exitWith(EXIT.findings);
  let done = 0;
  try {
    for (const each of ours) {
      const isGone = await remove(cluster, each);
      done += 1;
      await say(context, `removed ${shownObject(each.object, namespace)}${isGone ? '' : ' (its Pod is still ending)'}`);
    }
    for (const each of state) {
      await removeState(cluster, namespace, each);
      done += 1;
      await say(context, `removed ${each.kind}/${each.name}`);
    }
  } finally {
    if (done > 0 && done < total) {
      await say(context, `${done} of ${total} objects were removed; the same command goes on where it stopped`);
      context.exitWith(EXIT.partly);
    }
  }
}
