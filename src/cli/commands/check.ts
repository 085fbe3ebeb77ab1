import type { Command } from 'commander';
import { systemClock } from '../../core/clock.ts';
import { SottoError } from '../../core/errors.ts';
import type { JsonObject } from '../../core/json.ts';
import { getObject } from '../../kube/objects.ts';
import { Transport } from '../../kube/transport.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { type ClusterFlags, connectionFor } from '../cluster.ts';
import { findSettings } from '../install/context.ts';
import { isAsWanted } from '../install/difference.ts';
import { deployManifests } from '../install/embedded.ts';
import { isAgentRole, manifestsFor, shownObject } from '../install/manifests.ts';
import { liveSettings } from '../install/removal.ts';
import { missingNeeds } from '../install/review.ts';
import { type Need, needsOf, shownRight, type Verdict, verdictOf } from '../install/rights.ts';
import { type Cluster, targetOf } from '../install/steps.ts';
import { contextOption, kubeconfigOption, namespaceOption, outputOption } from '../options.ts';
import { say, writeData } from '../output.ts';
import { checkRotation } from '../rotate/review.ts';
import { escaped, harmless } from '../terminal.ts';
import { yamlOf } from './install.ts';

interface CheckFlags extends ClusterFlags {
  readonly pre?: true;
  readonly rotation?: string;
  readonly receiptKey?: string;
  readonly requireReceipt?: true;
  readonly config?: string;
  readonly output?: 'json';
}

const EXAMPLES = `
With --pre: asks the API server what you may do in the namespace, and says one of three: you can install; you can install without
some kinds; or what somebody with more rights has to apply first (manifests on stdout). Nothing is changed.

With --rotation: what a commit did to each encrypted file, its receipt included, as far as it shows without a key. It is read
from Git alone, and asks no cluster.

Examples:
  sotto check --pre -n team-app
  sotto check --pre -n team-app > for-the-admin.yaml
  sotto check --rotation HEAD                          for whoever reviews a rotation, or a pipeline
  sotto check --rotation HEAD --require-receipt        only rotations by the agent, whose key is pinned

Exit code: 0 you can install, or the commit is a rotation and nothing else; 1 not everything is allowed, or the commit has
findings; 2 usage, settings or no such commit, 3 cluster unreachable, 5 forbidden.`;

export function register(program: Command, context: CommandContext): void {
  program
    .command('check')
    .description('--pre: what you may do in a namespace, before an install; --rotation: what a commit did')
    .option('--pre', 'rights that an install needs')
    .option('--rotation <commit>', 'whether a commit changes keys and ciphertext and nothing else; no key is needed')
    .option('--receipt-key <key>', 'by whom its receipt has to be signed; default: rotation.receiptKey of sotto.yaml')
    .option('--require-receipt', 'a rotation without a receipt by that key is a finding')
    .addOption(namespaceOption())
    .addOption(kubeconfigOption())
    .addOption(contextOption())
    .option('--config <file>', 'settings; default: sotto.yaml from the working directory upwards')
    .addOption(outputOption(['json'], 'print the answer as JSON'))
    .addHelpText('after', EXAMPLES)
    .action((flags: CheckFlags) => check(flags, context));
}

async function check(flags: CheckFlags, context: CommandContext): Promise<void> {
  if (flags.rotation !== undefined) return checkRotation(flags.rotation, flags, context);
  if (flags.pre !== true) throw neitherOfBoth();
  const found = await findSettings(flags.config, context);
  const connection = await connectionFor(flags, context);
  const namespace = flags.namespace ?? connection.namespace;
  const transport = new Transport(connection, { clock: systemClock });
  try {
    const cluster = { transport, signal: context.signal };
    const settings = found?.settings ?? (await liveSettings(cluster, namespace));
    const manifests = manifestsFor(await deployManifests(), {
      namespace,
      targetNamespace: settings?.targetNamespace ?? namespace,
      image: undefined,
      without: [],
      settings: found?.text,
    });
    const left = await stillToDo(cluster, manifests);
    const missing = await missingNeeds(transport, needsOf(left), context.signal);
    const verdict = verdictOf(left, missing);
    if (flags.output === 'json') await writeData(context, jsonOf(verdict, missing, namespace));
    else await tell(verdict, missing, { namespace, user: harmless(connection.user) }, context);
    if (verdict.kind !== 'can') context.exitWith(EXIT.findings);
  } finally {
    transport.close();
  }
}

/** What somebody has applied already needs no right any more. */
async function stillToDo(
  { transport, signal }: Cluster,
  manifests: readonly JsonObject[],
): Promise<readonly JsonObject[]> {
  const left: JsonObject[] = [];
  for (const object of manifests) {
    const live = await getObject(transport, { ...targetOf(object), signal });
    if (!live.ok || !isAsWanted(object, live.value)) left.push(object);
  }
  return left;
}

interface Asked {
  readonly namespace: string;
  readonly user: string;
}

async function tell(
  verdict: Verdict,
  missing: readonly Need[],
  { namespace, user }: Asked,
  context: CommandContext,
): Promise<void> {
  const without = verdict.kind === 'can' ? '' : verdict.without.map((word) => ` --without ${word}`).join('');
  const command = `sotto install -n ${namespace}${without}`;
  if (verdict.kind === 'can') return writeData(context, `${user} can install in namespace ${namespace}: ${command}\n`);
  if (verdict.kind === 'can-without') {
    const kinds = verdict.without.join(', ');
    await writeData(context, `${user} can install in namespace ${namespace} without ${kinds}: ${command}\n`);
    return say(context, `who makes a Role must have what is in it; missing for the rest: ${shownMissing(missing)}`);
  }
  const objects = verdict.paste.map((object) => shownObject(object, namespace)).join(', ');
  await say(context, `${user} cannot install in namespace ${namespace} alone; missing: ${shownMissing(missing)}`);
  await say(
    context,
    `paste this to somebody who administers the namespace (kubectl apply --server-side -f FILE): ${objects}`,
  );
  // A Role that is pasted is pasted whole.
  const then = verdict.paste.some(isAgentRole) ? `sotto install -n ${namespace}` : command;
  await say(context, `and then: ${then}`);
  await writeData(context, yamlOf(verdict.paste));
}

const SHOWN_RIGHTS = 8;

function shownMissing(missing: readonly Need[]): string {
  const rights = [...new Set(missing.map(({ right }) => shownRight(right)))];
  const more = rights.length - SHOWN_RIGHTS;
  return `${rights.slice(0, SHOWN_RIGHTS).join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}

function jsonOf(verdict: Verdict, missing: readonly Need[], namespace: string): string {
  const rights = [...new Map(missing.map(({ right }) => [shownRight(right), right])).values()];
  const answer = {
    namespace,
    verdict: verdict.kind,
    without: verdict.kind === 'can' ? [] : verdict.without,
    missing: rights,
    paste: verdict.kind === 'cannot' ? verdict.paste : [],
  };
  return escaped(`${JSON.stringify(answer)}\n`);
}

function neitherOfBoth(): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-003',
    what: 'not in this version: sotto check without --pre or --rotation',
    why: 'your rights before an install are checked, and what a commit did; a repository as a whole is not yet',
    next: 'sotto check --pre -n NAMESPACE, or sotto check --rotation COMMIT; sotto diff for what a pass would change',
  });
}
