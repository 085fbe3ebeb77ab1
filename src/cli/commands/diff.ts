import { dirname, relative, resolve, sep } from 'node:path';
import type { Command } from 'commander';
import { preview } from '../../agent/preview/preview.ts';
import type { Preview, RecipientChange } from '../../agent/preview/previewed.ts';
import type { SyncFiles } from '../../agent/preview/sync-files.ts';
import { asSottoError, SottoError } from '../../core/errors.ts';
import { arrayAt, stringAt } from '../../core/json.ts';
import { LIMITS } from '../../core/limits.ts';
import type { OpenKeys } from '../../open/opener.ts';
import { parseSettings } from '../../settings/parse.ts';
import type { Settings, SyncSettings } from '../../settings/settings.ts';
import { findAgeIdentities } from '../age-identities.ts';
import { addClusterOptions, type Cluster, type ClusterFlags, discoverKinds, withCluster } from '../cluster.ts';
import type { CommandContext } from '../context.ts';
import { type CommitTree, commitTree } from '../commit-tree.ts';
import { diffJson } from '../diff-json.ts';
import { diffMarkdown } from '../diff-markdown.ts';
import { diffText, exitOfChange } from '../diff-view.ts';
import { diskTree } from '../disk-tree.ts';
import { EXIT } from '../exit-codes.ts';
import { readFileBytes } from '../files.ts';
import { readKeyFiles } from '../key-files.ts';
import { servicesAtHand } from '../key-services.ts';
import { recipientChanges } from '../recipient-changes.ts';
import { rendererAtHand, workFolder } from '../renderer-at-hand.ts';
import { readStatus } from '../status-document.ts';
import { outputOption, repeatable } from '../options.ts';
import { say, writeData } from '../output.ts';
import { escaped, paintFor } from '../terminal.ts';
import { findUpwards, readWorkingTree } from '../working-tree.ts';

interface DiffFlags extends ClusterFlags {
  readonly config?: string;
  readonly sync?: string;
  readonly keyFile?: readonly string[];
  readonly rev?: string;
  readonly output?: 'json' | 'markdown';
}

const EXAMPLES = `
Compares the working tree with the live namespace, as the API server would store it (a dry run; nothing is written).
Values of Secrets are never shown: their keys are named, and with a decryption key at hand whether a value differs.

Examples:
  sotto diff -n team-app
  sotto diff ../infra -n team-app --key-file keys.txt
  sotto diff -n team-app --sync app -o json
  sotto diff -n team-app --rev origin/main           what another revision would change
  sotto diff -n team-app -o markdown > comment.md    for a pull request

Exit code: 0 nothing to do (without a key: as far as structure tells), 1 findings, 2 usage or settings, 3 cluster
unreachable, 4 no key at hand opens some values, 5 forbidden.`;

export function register(program: Command, context: CommandContext): void {
  addClusterOptions(program.command('diff').description('what a pass would change, values never shown'))
    .argument('[path]', 'a folder of the repository', '.')
    .option('--config <file>', 'settings to use; default: sotto.yaml from the folder upwards')
    .option('--sync <name>', 'only this sync, and without what left Git')
    .addOption(repeatable('--key-file <file>', 'age identities or key Secrets, to compare values'))
    .option('--rev <revision>', 'a commit, branch or tag of this clone instead of the working tree')
    .addOption(outputOption(['json', 'markdown'], 'print the changes as JSON, or for a comment on a pull request'))
    .addHelpText('after', EXAMPLES)
    .action((path: string, flags: DiffFlags) => diff(resolve(context.cwd, path), flags, context));
}

async function diff(folder: string, flags: DiffFlags, context: CommandContext): Promise<void> {
  const { file, name, root } = await findSettings(folder, flags, context);
  const commit = flags.rev === undefined ? undefined : await commitTree(root, flags.rev, context.env);
  const tree = commit ?? diskTree(root);
  const parsed = parseSettings(await settingsText({ file, name, root }, commit, flags), name);
  if (!parsed.ok) return await tellProblems(parsed.problems, flags, context);
  const { settings } = parsed;
  const syncs = chosen(settings, flags.sync);
  const trees = await Promise.all(syncs.map(async (sync) => ({ sync, ...(await readWorkingTree(tree, sync)) })));
  const found = await compare(settings, trees, root, flags, context);
  for (const warning of found.warnings) await say(context, `warning: ${warning.text()}`);
  await writeData(context, shown(found, commit, flags, context));
  for (const change of found.changes) context.exitWith(exitOfChange(change, found.hasKeys));
}

function shown(found: Preview, commit: CommitTree | undefined, { output }: DiffFlags, context: CommandContext): string {
  if (output === 'json') return escaped(diffJson(found));
  if (output === undefined) return diffText(found, paintFor(context, 'stdout'));
  const of = commit === undefined ? '' : ` of ${commit.commit.slice(0, 12)}`;
  return diffMarkdown(found, `sotto diff${of}`);
}

/** The settings of a revision are those that it has, unless a file was named. */
async function settingsText(
  { file, name, root }: FoundSettings,
  commit: CommitTree | undefined,
  { config }: DiffFlags,
): Promise<string> {
  if (commit === undefined || config !== undefined)
    return Buffer.from(await readFileBytes(file, name)).toString('utf8');
  const path = relative(root, file).split(sep).join('/');
  const bytes = await commit.read(path, LIMITS.maxFileBytes);
  if (bytes instanceof Uint8Array) return Buffer.from(bytes).toString('utf8');
  throw noSettings(`${path} at ${commit.commit.slice(0, 12)}: ${bytes}`);
}

/** All of them, as `sotto agent` does: one mistake seldom comes alone. */
async function tellProblems(problems: readonly SottoError[], flags: DiffFlags, context: CommandContext): Promise<void> {
  for (const problem of problems)
    await say(context, flags.output === 'json' ? JSON.stringify(problem) : problem.text());
  context.exitWith(EXIT.usage);
}

async function compare(
  settings: Settings,
  trees: readonly SyncFiles[],
  root: string,
  flags: DiffFlags,
  context: CommandContext,
): Promise<Preview> {
  const keys = await keysAtHand(flags.keyFile ?? [], context);
  await using work = trees.some(({ kustomize }) => kustomize !== undefined) ? await workFolder(context) : undefined;
  const renderer = work && (await rendererAtHand(work.path, context));
  const { signal } = context;
  return await withCluster(flags, context, async (cluster) => {
    const { transport, namespace: agentNamespace, connection } = cluster;
    const catalog = await discoverKinds(cluster, signal);
    const isWhole = flags.sync === undefined;
    const common = { settings, keys, renderer, signal, isWhole, random: Math.random };
    const found = await preview(trees, { ...common, transport, catalog, agentNamespace, user: connection.user });
    return { ...found, recipients: await recipientsSince(trees, root, cluster, context) };
  });
}

/** Against the commit that the agent says is applied; nothing where that is not told, or not in this clone. */
async function recipientsSince(
  trees: readonly SyncFiles[],
  root: string,
  cluster: Cluster,
  { env, signal }: CommandContext,
): Promise<RecipientChange[]> {
  try {
    const syncs = arrayAt(await readStatus(cluster, signal), 'syncs');
    const changes = trees.map(async ({ sync, files }) => {
      const status = syncs.find((each) => stringAt(each, 'name') === sync.name);
      const commit = /@sha1:([0-9a-f]{40})$/.exec(stringAt(status, 'appliedRevision') ?? '')?.[1];
      return commit === undefined ? [] : recipientChanges(files, await commitTree(root, commit, env));
    });
    return (await Promise.all(changes)).flat();
  } catch (thrown) {
    asSottoError(thrown);
    return [];
  }
}

/** Files are read once: one may be a pipe. */
async function keysAtHand(keyFiles: readonly string[], context: CommandContext): Promise<OpenKeys> {
  const given = await readKeyFiles(context, keyFiles);
  const { identities } = await findAgeIdentities(context, []);
  const services = servicesAtHand(context);
  return { ageIdentities: [...given.identities, ...identities], sealingKeys: given.unsealKeys, services };
}

interface FoundSettings {
  readonly file: string;
  /** As messages call it. */
  readonly name: string;
  /** Of the repository. */
  readonly root: string;
}

async function findSettings(folder: string, flags: DiffFlags, context: CommandContext): Promise<FoundSettings> {
  const repository = await findUpwards(folder, '.git');
  if (flags.config !== undefined) {
    const file = resolve(context.cwd, flags.config);
    return { file, name: flags.config, root: repository ?? dirname(file) };
  }
  const settingsFolder = await findUpwards(folder, 'sotto.yaml');
  if (settingsFolder === undefined) throw noSettings(folder);
  const file = resolve(settingsFolder, 'sotto.yaml');
  return { file, name: relative(context.cwd, file), root: repository ?? settingsFolder };
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
