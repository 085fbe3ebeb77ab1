import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { type Preview, preview } from '../../agent/preview.ts';
import { systemClock } from '../../core/clock.ts';
import { SottoError } from '../../core/errors.ts';
import { loadConnection } from '../../kube/connection.ts';
import { discover } from '../../kube/discovery.ts';
import { kubeError } from '../../kube/errors.ts';
import { CONFIG_MAPS } from '../../kube/resource.ts';
import { Transport } from '../../kube/transport.ts';
import { parseSettings } from '../../settings/parse.ts';
import type { Settings, SyncSettings } from '../../settings/settings.ts';
import { findAgeIdentities } from '../age-identities.ts';
import type { CommandContext } from '../context.ts';
import { diffText } from '../diff-view.ts';
import { EXIT } from '../exit-codes.ts';
import { readKeyFiles } from '../key-files.ts';
import { contextOption, kubeconfigOption, namespaceOption, outputOption, repeatable } from '../options.ts';
import { say, writeData } from '../output.ts';
import { escaped, paintFor } from '../terminal.ts';
import { findUpwards, readWorkingTree } from '../working-tree.ts';

interface DiffFlags {
  readonly namespace?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly config?: string;
  readonly sync?: string;
  readonly keyFile?: readonly string[];
  readonly output?: 'json';
}

const EXAMPLES = `
Compares the working tree with the live namespace, as the API server would store it (a dry run; nothing is written).
Values of Secrets are never shown: keys that come and go are named, and with a key at hand whether any value differs.

Examples:
  sotto diff -n team-app
  sotto diff ../infra -n team-app --key-file keys.txt
  sotto diff -n team-app --sync app -o json

Exit code: 0 nothing to do, 1 findings, 2 usage or settings, 3 cluster unreachable, 5 forbidden.`;

export function register(program: Command, context: CommandContext): void {
  program
    .command('diff')
    .description('what a pass would change, values never shown')
    .argument('[path]', 'a folder of the repository', '.')
    .addOption(namespaceOption())
    .addOption(kubeconfigOption())
    .addOption(contextOption())
    .option('--config <file>', 'settings to use; default: sotto.yaml from the folder upwards')
    .option('--sync <name>', 'only this sync')
    .addOption(repeatable('--key-file <file>', 'age identities or key Secrets, to compare values'))
    .addOption(outputOption(['json'], 'print the changes as JSON'))
    .addHelpText('after', EXAMPLES)
    .action((path: string, flags: DiffFlags) => diff(resolve(context.cwd, path), flags, context));
}

async function diff(folder: string, flags: DiffFlags, context: CommandContext): Promise<void> {
  const { settings, root } = await readSettings(folder, flags, context);
  const syncs = chosen(settings, flags.sync);
  const trees = await Promise.all(syncs.map(async (sync) => ({ sync, files: await readWorkingTree(root, sync) })));
  const found = await compare(settings, trees, flags, context);
  const text =
    flags.output === 'json'
      ? escaped(
          `${JSON.stringify(found, (_key, value: unknown) => (typeof value === 'bigint' ? Number(value) : value))}\n`,
        )
      : diffText(found, paintFor(context, 'stdout'));
  await writeData(context, text);
  if (found.changes.length > 0) context.exitWith(EXIT.findings);
}

type Trees = Parameters<typeof preview>[0];

async function compare(settings: Settings, trees: Trees, flags: DiffFlags, context: CommandContext): Promise<Preview> {
  const { kubeconfig, context: contextName } = flags;
  const connection = await loadConnection({ kubeconfig, context: contextName, env: context.env, clock: systemClock });
  for (const warning of connection.warnings) await say(context, `warning: ${warning}`);
  const keyFiles = flags.keyFile ?? [];
  const { identities } = await findAgeIdentities(context, keyFiles);
  const { unsealKeys } = await readKeyFiles(context, keyFiles);
  const transport = new Transport(connection, { clock: systemClock });
  try {
    const agentNamespace = flags.namespace ?? connection.namespace;
    const catalog = await discover(transport, context.signal);
    if (!catalog.ok)
      throw kubeError(catalog.failure, { verb: 'get', resource: CONFIG_MAPS, namespace: agentNamespace });
    return await preview(trees, {
      transport,
      catalog: catalog.value,
      agentNamespace,
      settings,
      keys: { ageIdentities: identities, sealingKeys: unsealKeys },
      random: Math.random,
      isWhole: flags.sync === undefined,
    });
  } finally {
    transport.close();
  }
}

async function readSettings(
  folder: string,
  flags: DiffFlags,
  context: CommandContext,
): Promise<{ readonly settings: Settings; readonly root: string }> {
  const settingsFolder = flags.config === undefined ? await findUpwards(folder, 'sotto.yaml') : undefined;
  if (flags.config === undefined && settingsFolder === undefined) throw noSettings(folder);
  const file =
    flags.config === undefined ? resolve(settingsFolder ?? '', 'sotto.yaml') : resolve(context.cwd, flags.config);
  const text = await readFile(file, 'utf8').catch(() => {
    throw noSettings(file);
  });
  const parsed = parseSettings(text, file);
  if (!parsed.ok) throw parsed.problems[0] ?? noSettings(file);
  const root = (await findUpwards(folder, '.git')) ?? settingsFolder ?? dirname(file);
  return { settings: parsed.settings, root };
}

function chosen(settings: Settings, name: string | undefined): readonly SyncSettings[] {
  const syncs = settings.syncs.filter((sync) => name === undefined || sync.name === name);
  if (syncs.length > 0) return syncs;
  throw new SottoError({
    code: 'SOTTO-CLI-001',
    what: `there is no sync ${name ?? ''}`,
    why: `sotto.yaml has: ${settings.syncs.map((sync) => sync.name).join(', ')}`,
    next: 'sotto diff --sync NAME',
  });
}

function noSettings(where: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CONF-012',
    what: 'there are no settings',
    why: `no sotto.yaml was found (${where} and upwards)`,
    next: 'run the command inside the repository, or name the file: sotto diff --config FILE',
  });
}
