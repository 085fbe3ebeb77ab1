import type { Command } from 'commander';
import { dump } from 'js-yaml';
import { systemClock } from '../../core/clock.ts';
import { SottoError } from '../../core/errors.ts';
import { arrayAt, type JsonObject } from '../../core/json.ts';
import { Transport } from '../../kube/transport.ts';
import type { Settings } from '../../settings/settings.ts';
import { confirmed } from '../ask.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { type ClusterFlags, connectionFor } from '../cluster.ts';
import { findSettings, type FoundSettings } from '../install/context.ts';
import { deployManifests } from '../install/embedded.ts';
import { type DeployManifests, isAgentRole, manifestsFor, resourceWords, shownObject } from '../install/manifests.ts';
import { planText } from '../install/plan-view.ts';
import { liveSettings } from '../install/removal.ts';
import { NEEDED_RESOURCES } from '../install/rights.ts';
import { carryOut, type Cluster, type InstallStep, planInstall } from '../install/steps.ts';
import { contextOption, errorFormOption, kubeconfigOption, namespaceOption, repeatable } from '../options.ts';
import { say, writeData } from '../output.ts';
import { escaped, harmless, paintFor } from '../terminal.ts';

interface InstallFlags extends ClusterFlags {
  readonly image?: string;
  readonly config?: string;
  readonly without?: readonly string[];
  readonly print?: true;
  readonly dryRun?: true;
  readonly yes?: true;
}

const EXAMPLES = `
Puts the agent into a namespace: account, Role, Deployment and what belongs to them, and sotto.yaml (from the working
directory upwards) as its settings. Shows what it would do and asks. Makes no namespace and no Secret. With
targetNamespace in the settings it makes a Role there as well. Run again, it brings everything up to date.

Examples:
  sotto install -n team-app --image images.example.com/sotto@sha256:…
  sotto install -n team-app --dry-run
  sotto install -n team-app --print > agent.yaml
  sotto install -n team-app --without ingresses.networking.k8s.io

Exit code: 0 done, 1 not wanted, 2 usage or settings, 3 cluster unreachable, 5 forbidden, 6 partly done (run it again).`;

export function register(program: Command, context: CommandContext): void {
  program
    .command('install')
    .description('put the agent into a namespace, or bring it up to date')
    .addOption(namespaceOption())
    .addOption(kubeconfigOption())
    .addOption(contextOption())
    .option('--image <image>', 'image of the agent, best by digest (default: sotto:VERSION)')
    .option(
      '--config <file>',
      'settings to put into the cluster; default: sotto.yaml from the working directory upwards',
    )
    .addOption(repeatable('--without <resource>', 'a kind for which the agent gets no rights'))
    .option('--print', 'print the manifests and change nothing')
    .option('--dry-run', 'show what would be done, as the API server says, and change nothing')
    .option('--yes', 'do not ask')
    .addOption(errorFormOption())
    .addHelpText('after', EXAMPLES)
    .action((flags: InstallFlags) => install(flags, context));
}

async function install(flags: InstallFlags, context: CommandContext): Promise<void> {
  if (flags.image !== undefined) checkImage(flags.image);
  const [deploy, found] = await Promise.all([deployManifests(), findSettings(flags.config, context)]);
  checkWithout(deploy, flags.without ?? []);
  if (flags.print === true) {
    const namespace = flags.namespace ?? (await connectionFor(flags, context)).namespace;
    return writeData(context, yamlOf(wantedFor(deploy, namespace, flags, found, found?.settings)));
  }
  const connection = await connectionFor(flags, context);
  const namespace = flags.namespace ?? connection.namespace;
  const transport = new Transport(connection, { clock: systemClock });
  try {
    const cluster = { transport, signal: context.signal };
    const settings = found?.settings ?? (await liveSettings(cluster, namespace));
    const steps = await planInstall(cluster, wantedFor(deploy, namespace, flags, found, settings));
    await writeData(
      context,
      `${harmless(connection.user)}, namespace ${namespace}\n${planText(steps, namespace, paintFor(context, 'stdout'))}`,
    );
    if (found === undefined)
      await say(
        context,
        'no sotto.yaml was found from here upwards: the settings in the cluster stay as they are, and without any the agent waits',
      );
    await carryOutPlan(cluster, steps, namespace, flags, context);
  } finally {
    transport.close();
  }
}

function wantedFor(
  deploy: DeployManifests,
  namespace: string,
  { image, without }: InstallFlags,
  found: FoundSettings | undefined,
  settings: Settings | undefined,
): readonly JsonObject[] {
  return manifestsFor(deploy, {
    namespace,
    targetNamespace: settings?.targetNamespace ?? namespace,
    image,
    without: without ?? [],
    settings: found?.text,
  });
}

async function carryOutPlan(
  cluster: Cluster,
  steps: readonly InstallStep[],
  namespace: string,
  flags: InstallFlags,
  context: CommandContext,
): Promise<void> {
  const todo = steps.filter((step) => step.kind === 'create' || step.kind === 'change');
  if (todo.length === 0) return say(context, 'nothing to do');
  if (flags.dryRun === true) return say(context, 'dry run: nothing was changed');
  if (
    !(await confirmed(context, `Apply ${todo.length} objects?`, { ...flags, command: `sotto install -n ${namespace}` }))
  )
    return context.exitWith(EXIT.findings);
  let done = 0;
  try {
    for (const step of todo) {
      context.signal.throwIfAborted();
      await carryOut(cluster, step);
      done += 1;
      await say(context, `applied ${shownObject(step.object, namespace)}`);
    }
  } finally {
    if (done > 0 && done < todo.length) {
      await say(context, `${done} of ${todo.length} objects were applied; the same command goes on where it stopped`);
      context.exitWith(EXIT.partly);
    }
  }
  await say(
    context,
    `look at it: kubectl -n ${namespace} rollout status deploy/sotto, then: sotto status -n ${namespace}`,
  );
}

/** Settings keep their lines; only a text that could act on a terminal is written in quotes, with escapes. */
export function yamlOf(objects: readonly JsonObject[]): string {
  const plain = { lineWidth: -1, noRefs: true };
  const quoted = { ...plain, forceQuotes: true, quoteStyle: 'double' } as const;
  const texts = objects.map((object) => {
    const text = dump(object, plain);
    return escaped(text) === text ? text : escaped(dump(object, quoted));
  });
  return texts.join('---\n');
}

/** What a registry may be asked for: no blanks, no control characters, no scheme. */
function checkImage(image: string): void {
  if (/^[\w][\w.:/@-]{0,500}$/.test(image) && !image.includes('://')) return;
  throw new SottoError({
    code: 'SOTTO-CLI-062',
    what: 'the image cannot be used',
    why: 'it must be NAME, NAME:TAG or NAME@sha256:DIGEST, without a scheme',
    next: 'sotto install --image images.example.com/sotto@sha256:…',
  });
}

function checkWithout(deploy: DeployManifests, without: readonly string[]): void {
  const rules = deploy.base.filter(isAgentRole).flatMap((role) => arrayAt(role, 'rules'));
  const known = rules.flatMap(resourceWords).filter((word) => !NEEDED_RESOURCES.includes(word));
  const wrong = without.find((word) => !known.includes(word));
  if (wrong === undefined) return;
  throw new SottoError({
    code: 'SOTTO-CLI-063',
    what: `${wrong} cannot be left out`,
    why: NEEDED_RESOURCES.includes(wrong) ? 'the agent does not work without it' : `the Role has: ${known.join(', ')}`,
    next: 'sotto check --pre',
  });
}
