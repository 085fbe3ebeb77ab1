import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { EncryptedDocuments } from '../../authoring/rotation/documents.ts';
import { type Rehearsal, rehearse } from '../../agent/preview/rehearse.ts';
import { asSottoError, SottoError } from '../../core/errors.ts';
import { type Checkout, openCheckout, readCheckout } from '../../git/checkout.ts';
import type { CommitId } from '../../git/output.ts';
import { listCommit, pathsHolding, readFiles } from '../../git/read-commit.ts';
import { LIMITS } from '../../core/limits.ts';
import { parseSettings } from '../../settings/parse.ts';
import type { Settings } from '../../settings/settings.ts';
import { askAgent } from '../ask-agent.ts';
import { addClusterOptions, type Cluster, type ClusterFlags, discoverKinds, withCluster } from '../cluster.ts';
import { commitTree } from '../commit-tree.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { readFileBytes, readInput } from '../files.ts';
import { liveSettings } from '../install/removal.ts';
import {
  BACKUP_WORDS,
  type BackupFile,
  type BackupKeys,
  backupKeys,
  type KeySource,
  recoverySources,
} from '../keys/key-sources.ts';
import { rehearsalJson, rehearsalText, type Rehearsed } from '../keys/rehearsal-view.ts';
import { committedSettings } from '../keys/rehearsal-settings.ts';
import { openings } from '../keys/verify.ts';
import { keyFileOption, outputOption, repeatable } from '../options.ts';
import { say, writeData } from '../output.ts';
import { rendererAtHand, workFolder } from '../renderer-at-hand.ts';
import { readDocuments } from '../rotate/documents.ts';
import { readWorkingTree } from '../working-tree.ts';
import { whoAmI } from '../who.ts';

interface RehearseFlags extends ClusterFlags {
  readonly keyFile?: readonly string[];
  readonly backup?: readonly string[];
  readonly config?: string;
  readonly offline?: true;
  /** False with --no-record. */
  readonly record: boolean;
  readonly output?: 'json';
}

export function addRehearse(keys: Command, context: CommandContext): void {
  addClusterOptions(
    keys
      .command('rehearse')
      .description('prove that everything comes back from the repository and a recovery identity alone'),
  )
    .addOption(keyFileOption())
    .addOption(repeatable('--backup <file>', 'backup of keys beside those in the repository'))
    .option('--config <file>', 'settings to use; default: those in the repository, else ConfigMap sotto')
    .option('--offline', 'only open the documents, without a cluster')
    .option('--no-record', 'do not tell the agent that it succeeded')
    .addOption(outputOption(['json'], 'one JSON document'))
    .action((flags: RehearseFlags) =>
      flags.offline === true
        ? rehearseOffline(flags, context)
        : withCluster(flags, context, (cluster) => rehearseAll(cluster, flags, context)),
    );
}

interface Given {
  readonly checkout: Checkout;
  readonly commit: CommitId;
  readonly documents: EncryptedDocuments;
  readonly sources: readonly KeySource[];
  readonly backups: BackupKeys;
}

async function rehearseOffline(flags: RehearseFlags, context: CommandContext): Promise<void> {
  const given = await read(flags, context);
  const settings = await repositorySettings(given, flags, context).catch((thrown: unknown) => {
    // They only say in which namespace SealedSecrets are.
    if (asSottoError(thrown).code === 'SOTTO-KEYS-082') return undefined;
    throw thrown;
  });
  const found = await openings(given.documents, given.sources, settings?.targetNamespace ?? flags.namespace ?? '');
  await report(
    { commit: given.commit, recovery: recoveryOf(given), openings: found, rehearsal: undefined },
    false,
    flags,
    context,
  );
}

async function rehearseAll(cluster: Cluster, flags: RehearseFlags, context: CommandContext): Promise<void> {
  const given = await read(flags, context);
  const settings = await settingsFor(given, cluster, flags, context);
  const found = await openings(given.documents, given.sources, settings.targetNamespace ?? cluster.namespace);
  if (!given.backups.secretNames.has(settings.fingerprintSecret)) await say(context, noFingerprint(settings));
  const rehearsal = await tryObjects(given, settings, cluster, context);
  const result: Rehearsed = { commit: given.commit, recovery: recoveryOf(given), openings: found, rehearsal };
  const isRecorded = flags.record && isWhole(result) && (await record(result, cluster, context));
  await report(result, isRecorded, flags, context);
}

/** What is left after a disaster: the repository, the recovery identity, and backups that it opens. */
async function read(flags: RehearseFlags, context: CommandContext): Promise<Given> {
  const { keyFile = [], backup = [] } = flags;
  if (keyFile.length + backup.length === 0) throw noKeys();
  const checkout = await openCheckout(context.cwd, context.env, context.signal);
  const { commit, changed } = await readCheckout(checkout);
  if (changed.length > 0) await say(context, `note: ${changed.length} changed files are not in it: HEAD counts`);
  const recovery = await recoverySources(context, keyFile);
  const files = [...(await givenBackups(context, backup)), ...(await committedBackups(checkout, commit))];
  const backups = await backupKeys(context, files, recovery);
  for (const note of backups.notes) await say(context, `note: ${note}`);
  const documents = await readDocuments(checkout, commit);
  return { checkout, commit, documents, sources: [...recovery, ...backups.sources], backups };
}

function recoveryOf({ sources }: Given): string {
  const [first] = sources.flatMap(({ keys }) => keys.identities.filter(({ kind }) => kind === 'age'));
  return first?.recipient ?? 'RECIPIENT';
}

async function givenBackups(context: CommandContext, names: readonly string[]): Promise<BackupFile[]> {
  const files: BackupFile[] = [];
  for (const name of names) files.push({ name, bytes: (await readInput(context, name)).bytes, isGiven: true });
  return files;
}

/** SOPS files hold such texts too; what is a backup is looked at later. */
async function committedBackups(checkout: Checkout, commit: CommitId): Promise<BackupFile[]> {
  const paths = await pathsHolding(checkout, commit, BACKUP_WORDS);
  const files = (await listCommit(checkout, commit)).filter(
    ({ path, sizeBytes }) => paths.has(path) && sizeBytes <= LIMITS.maxLocalFileBytes,
  );
  const contents = await readFiles(checkout, files);
  return [...contents].map(([name, bytes]) => ({ name, bytes: new Uint8Array(bytes), isGiven: false }));
}

async function settingsFor(
  given: Given,
  cluster: Cluster,
  flags: RehearseFlags,
  context: CommandContext,
): Promise<Settings> {
  const committed = await repositorySettings(given, { ...flags, namespace: cluster.namespace }, context);
  if (committed !== undefined) return committed;
  const live = await liveSettings({ transport: cluster.transport, signal: context.signal }, cluster.namespace);
  if (live === undefined) throw noSettings(cluster.namespace);
  await say(
    context,
    'warning: the settings are those of ConfigMap sotto in the cluster: the repository has none, and the cluster would be gone',
  );
  return live;
}

async function repositorySettings(
  { checkout, commit }: Given,
  { config, namespace }: RehearseFlags,
  { cwd }: CommandContext,
): Promise<Settings | undefined> {
  const committed =
    config === undefined
      ? await committedSettings(checkout, commit, { cwd, namespace })
      : { name: config, text: Buffer.from(await readFileBytes(resolve(cwd, config), config)).toString('utf8') };
  if (committed === undefined) return undefined;
  const parsed = parseSettings(committed.text, committed.name);
  if (parsed.ok) return parsed.settings;
  const [problem] = parsed.problems;
  throw problem ?? new TypeError('settings without a problem');
}

async function tryObjects(
  { checkout, commit, sources }: Given,
  settings: Settings,
  cluster: Cluster,
  context: CommandContext,
): Promise<Rehearsal> {
  const { transport, namespace: agentNamespace, connection } = cluster;
  const { signal } = context;
  const tree = await commitTree(checkout.root, commit, context.env);
  const trees = await Promise.all(
    settings.syncs.map(async (sync) => ({ sync, ...(await readWorkingTree(tree, sync)) })),
  );
  await using work = trees.some(({ kustomize }) => kustomize !== undefined) ? await workFolder(context) : undefined;
  const renderer = work && (await rendererAtHand(work.path, context));
  const catalog = await discoverKinds(cluster, signal);
  const keys = {
    ageIdentities: sources.flatMap((source) => source.keys.identities),
    sealingKeys: sources.flatMap((source) => source.keys.unsealKeys),
  };
  // The folder must outlive what is built in it.
  return await rehearse(trees, {
    settings,
    keys,
    renderer,
    signal,
    random: Math.random,
    transport,
    catalog,
    agentNamespace,
    user: connection.user,
  });
}

function isWhole({ openings: opened, rehearsal }: Rehearsed): boolean {
  return (
    opened.every(({ by }) => by !== undefined) &&
    rehearsal !== undefined &&
    rehearsal.objects.length > 0 &&
    rehearsal.objects.every(({ outcome }) => outcome === 'taken')
  );
}

const ANSWER_MS = 60_000;

/** Whether it was. A rehearsal that succeeded has succeeded, whoever knows of it. */
async function record(
  { openings: opened, rehearsal }: Rehearsed,
  cluster: Cluster,
  context: CommandContext,
): Promise<boolean> {
  const counts = { documents: opened.length, objects: rehearsal?.objects.length ?? 0 };
  const request = { kind: 'rehearsed', ...counts, by: await whoAmI(cluster) } as const;
  const asking = { signal: context.signal, timeoutMs: ANSWER_MS, onAccepted: () => undefined };
  try {
    const { outcome, message } = await askAgent(cluster, request, asking);
    await say(context, outcome === 'done' ? `the agent has ${message}` : `warning: not recorded: ${message}`);
    return outcome === 'done';
  } catch (thrown) {
    await say(context, `warning: not recorded: ${asSottoError(thrown).text()}`);
    return false;
  }
}

async function report(
  result: Rehearsed,
  isRecorded: boolean,
  { output }: RehearseFlags,
  context: CommandContext,
): Promise<void> {
  for (const warning of result.rehearsal?.warnings ?? []) await say(context, `warning: ${warning.text()}`);
  await writeData(context, output === 'json' ? rehearsalJson(result, isRecorded) : rehearsalText(result));
  const closed = result.openings.filter(({ by }) => by === undefined).length;
  const objects = result.rehearsal?.objects ?? [];
  const failed = objects.filter(({ outcome }) => outcome !== 'taken').length;
  if (failed > 0) context.exitWith(EXIT.findings);
  if (closed > 0) throw notAllOpen(closed, result);
  if (failed > 0) throw notAllTaken(failed, objects.length);
  if (result.rehearsal !== undefined && objects.length === 0) throw nothingThere();
  const taken = result.rehearsal === undefined ? '' : `, and the API server would take all ${objects.length} objects`;
  await say(context, `${result.commit.slice(0, 12)}: all ${result.openings.length} encrypted files open${taken}`);
}

function noKeys(): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-001',
    what: 'nothing was rehearsed, because there is nothing to open with',
    why: 'a rehearsal needs the recovery identity, or a backup behind a passphrase',
    next: 'sotto keys rehearse --key-file recovery.txt -n NAMESPACE',
  });
}

function noFingerprint({ fingerprintSecret }: Settings): string {
  return `warning: no backup has the fingerprint key (Secret ${fingerprintSecret}): an agent that starts without it prunes nothing until it has applied everything again; sotto keys backup takes it along`;
}

function noSettings(namespace: string): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-082',
    what: 'nothing was rehearsed, because there are no settings',
    why: `neither the commit has any, nor ConfigMap sotto in namespace ${namespace} that can be read`,
    next: 'name the file: sotto keys rehearse --key-file recovery.txt --config sotto.yaml',
  });
}

function notAllOpen(closed: number, { openings: all, recovery }: Rehearsed): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-080',
    what: `${closed} of ${all.length} encrypted files do not come back`,
    why: 'neither the recovery identity opens them, nor the keys of backups that it opens, or they were changed: each says above which',
    next: `sotto keys backup --recipient ${recovery} --out keys.age, or sotto recipients add ${recovery}; then rehearse again, with --backup keys.age`,
  });
}

function notAllTaken(failed: number, total: number): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-081',
    what: `${failed} of ${total} objects would not come back`,
    why: 'each says above why it was not rendered, or why the API server would not take it',
    next: 'mend them in Git; the same command again',
  });
}

function nothingThere(): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-081',
    what: 'nothing would come back',
    why: 'the paths of the syncs hold no object in this commit',
    next: 'check path of each sync in the settings, and that this is the clone of their repository',
  });
}
