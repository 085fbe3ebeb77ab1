import { dirname, relative } from 'node:path';
import { type Command, Option } from 'commander';
import { handPatch } from '../../authoring/hand-patch.ts';
import { pausedFields } from '../../authoring/paused-fields.ts';
import { asSottoError, SottoError } from '../../core/errors.ts';
import { displayObject, type ObjectId } from '../../core/ids.ts';
import type { Json } from '../../core/json.ts';
import { fileWord, shellWord } from '../../core/shell-word.ts';
import { pointer } from '../../drift/pointer.ts';
import type { HandField } from '../../drift/undone-fields.ts';
import { checkNewBranch, commitFiles, diffOf } from '../../git/commit-files.ts';
import { getObject } from '../../kube/objects.ts';
import { parseSettings } from '../../settings/parse.ts';
import type { Settings, SyncSettings } from '../../settings/settings.ts';
import { confirmed } from '../ask.ts';
import {
  addClusterOptions,
  type Cluster,
  type ClusterFlags,
  discoverKinds,
  refusedReading,
  withCluster,
} from '../cluster.ts';
import type { CommandContext } from '../context.ts';
import { readInput, textOf } from '../files.ts';
import { liveSettings } from '../install/removal.ts';
import { readUndone, type UndoneByAgent } from '../keep/agent-page.ts';
import { idOfUndone, keepTable, type PausedObject, readPaused } from '../keep/keepable.ts';
import { kustomizationIn, whyRendered } from '../keep/kustomize-source.ts';
import { isUnmapped, manifestOf, withFields } from '../keep/plain-change.ts';
import { type Base, openBase, readApplied } from '../keep/repository-file.ts';
import { secretChange } from '../keep/secret-change.ts';
import { secretUnmapped, unmapped } from '../keep/unmapped.ts';
import { kindsOf, readReference } from '../object-reference.ts';
import { keyFileOption, outputOption } from '../options.ts';
import { say, writeData } from '../output.ts';
import { noStatus, readStatus } from '../status-document.ts';
import { escaped } from '../terminal.ts';
import { ontoBranch, whereTo } from '../up/branch.ts';
import { PUSH_WORDS } from '../up/push-words.ts';
import { findUpwards } from '../working-tree.ts';

interface KeepFlags extends ClusterFlags {
  readonly branch?: string;
  readonly push?: true;
  readonly page?: string;
  readonly cert?: string;
  readonly keyFile?: readonly string[];
  readonly dryRun?: true;
  readonly yes?: true;
  readonly output?: 'json';
}

const EXAMPLES = `
Makes a branch in this checkout with one commit, in which the file that an object comes from says what somebody had made
of the object by hand. Nothing else in the file changes; working tree, index and the branch you are on stay as they are.
Without a number it lists what can be kept: changes that the agent has undone since it started, and paused objects.

Of a Secret only what stands there while it is paused can be kept: pause, edit, keep. Its values are read from the
cluster and encrypted into its SOPS file (a key that opens it is needed) or its SealedSecret (--cert).

Examples:
  sotto keep -n team-app                              what there is
  sotto keep 3 -n team-app                            an undone change, by its number in the list
  sotto keep deploy/web -n team-app                   a paused object, else its newest undone change
  sotto keep secret/db -n team-app --key-file keys.txt --branch rotate-db
  sotto keep 3 -n team-app --push                     and where a pull request can be opened
  sotto keep 3 --page http://127.0.0.1:8081           beside your own kubectl port-forward

Exit code: 0 done or listed, 1 nothing to keep, or no place for it, 2 usage or the checkout, 3 cluster, agent or
remote unreachable, 4 no key opens the file, 5 forbidden.`;

export function register(program: Command, context: CommandContext): void {
  addClusterOptions(program.command('keep').description('make a branch of what was changed by hand'))
    .argument('[change...]', 'number in the list, or object: deploy/web, secret/db')
    .option('--branch <name>', 'of the new branch (default: sotto/keep-KIND-NAME)')
    .option('--push', 'push the branch, and say where a pull request can be opened')
    .option('--page <url>', 'where the agent serves /status.json (default: by kubectl port-forward)')
    .option('--cert <file>', 'sealing certificate, for a SealedSecret')
    .addOption(keyFileOption())
    .option('--dry-run', 'show the change and write nothing')
    .addOption(new Option('--yes', 'do not ask'))
    .addOption(outputOption(['json'], 'print the list as JSON'))
    .addHelpText('after', EXAMPLES)
    .action((words: readonly string[], flags: KeepFlags) =>
      withCluster(flags, context, (cluster) =>
        words.length === 0 ? list(cluster, flags, context) : keep(words, cluster, flags, context),
      ),
    );
}

async function list(cluster: Cluster, flags: KeepFlags, context: CommandContext): Promise<void> {
  const status = (await readStatus(cluster, context.signal)) ?? missing(cluster);
  const paused = await readPaused(cluster, status, context.signal);
  let undone: UndoneByAgent[] = [];
  try {
    undone = await readUndone(cluster, flags, context);
  } catch (thrown) {
    // What is paused is told all the same.
    if (paused.length === 0) throw thrown;
    await say(context, asSottoError(thrown).text());
  }
  if (flags.output === 'json') {
    const shown = {
      undone,
      paused: paused.map(({ id, sync, file, until }) => ({ object: displayObject(id), sync, file, until })),
    };
    return writeData(
      context,
      escaped(`${JSON.stringify(shown, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value))}\n`),
    );
  }
  if (undone.length + paused.length === 0) return say(context, 'nothing was changed by hand that could be kept');
  return writeData(context, keepTable(undone, paused));
}

/** What is kept: of which object, from which file, as of which revision. */
type Subject =
  | { readonly kind: 'undone'; readonly id: ObjectId; readonly edit: UndoneByAgent }
  | { readonly kind: 'paused'; readonly id: ObjectId; readonly paused: PausedObject };

async function keep(
  words: readonly string[],
  cluster: Cluster,
  flags: KeepFlags,
  context: CommandContext,
): Promise<void> {
  const base = await openBase(context);
  const subject = await subjectOf(words, cluster, flags, context);
  const { id } = subject;
  const branch = flags.branch ?? `sotto/keep-${id.kind.toLowerCase()}-${id.name}`;
  if (flags.dryRun !== true) await checkNewBranch(base.checkout, branch);
  const target = flags.push === true ? await whereTo(base.checkout, branch) : undefined;
  const changed = await change(subject, base, cluster, flags, context);
  if (changed === undefined)
    throw nothing(words.join(' '), 'the file says it already', `sotto status -n ${cluster.namespace}`);
  const { path, text, what } = changed;
  const isSecret = id.kind === 'Secret';
  const content = Buffer.from(text);
  await writeData(
    context,
    isSecret ? `${path}: ${what}\n` : escapedLines(await diffOf(base.checkout, base.commit, path, content)),
  );
  if (flags.dryRun === true) return;
  const question = `Make branch ${branch} with this change of ${path}?`;
  if (!(await confirmed(context, question, { command: `sotto keep ${words.map(shellWord).join(' ')}`, ...flags })))
    return;
  const files = new Map([[path, content]]);
  const commit = await commitFiles(base.checkout, { parent: base.commit, files, message: messageOf(subject, what) });
  const made = { name: branch, commit, base: base.branch, target, command: 'sotto keep', words: PUSH_WORDS };
  await ontoBranch(base.checkout, made, context);
}

async function subjectOf(
  words: readonly string[],
  cluster: Cluster,
  flags: KeepFlags,
  context: CommandContext,
): Promise<Subject> {
  const [first = ''] = words;
  if (words.length === 1 && /^\d{1,9}$/.test(first)) {
    const edit = (await readUndone(cluster, flags, context)).find(({ n }) => n === Number(first));
    if (edit === undefined) throw nothing(first, 'the agent remembers no undone change of that number', 'sotto keep');
    return { kind: 'undone', id: idOfUndone(edit), edit };
  }
  const reference = readReference(words);
  const kinds = kindsOf(reference, await discoverKinds(cluster, context.signal));
  const isMeant = (id: ObjectId): boolean =>
    id.name === reference.name && kinds.some(({ group, kind }) => group === id.group && kind === id.kind);
  const status = (await readStatus(cluster, context.signal)) ?? missing(cluster);
  const paused = (await readPaused(cluster, status, context.signal)).find(({ id }) => isMeant(id));
  if (paused !== undefined) return { kind: 'paused', id: paused.id, paused };
  const isSecret = kinds[0].secret;
  const object = words.join('/');
  const next = `sotto pause ${shellWord(object)} --for 1h --reason TEXT, then edit it, then keep it`;
  if (isSecret) throw nothing(object, 'it is not paused, and of a Secret nothing is remembered that was undone', next);
  const edit = (await readUndone(cluster, flags, context)).find((each) => isMeant(idOfUndone(each)));
  if (edit === undefined) throw nothing(object, 'it is not paused, and no change of it is remembered', next);
  return { kind: 'undone', id: idOfUndone(edit), edit };
}

interface Change {
  readonly path: string;
  readonly text: string;
  readonly what: string;
}

async function change(
  subject: Subject,
  base: Base,
  cluster: Cluster,
  flags: KeepFlags,
  context: CommandContext,
): Promise<Change | undefined> {
  const { id } = subject;
  const { sync, file: path, revision } = subject.kind === 'undone' ? subject.edit : subject.paused;
  const settings = await syncSettings(sync, cluster, context);
  if (id.kind === 'Secret' && id.group === '') {
    if (subject.kind === 'undone')
      throw secretUnmapped(displayObject(id), 'what was undone is gone', 'pause it, edit it, then keep it');
    const rendered = await whyRendered(base.tree, settings.path, path);
    if (rendered !== undefined)
      throw secretUnmapped(displayObject(id), rendered, `sotto secret set ${fileWord(path)} PATH`, path);
    const file = await readApplied(base, path, revision, context);
    const isRendered = await isKustomize(base, settings);
    const root = base.checkout.root;
    const { keyFile, cert } = flags;
    const made = await secretChange({ id, file, root, isRendered, keyFile, cert }, cluster, context);
    return made && { path, text: made.text, what: `entries ${made.entries.join(', ')} encrypted anew` };
  }
  let fields: readonly HandField[] = subject.kind === 'undone' ? subject.edit.fields : [];
  const withheld = subject.kind === 'undone' ? subject.edit.withheld : [];
  try {
    const rendered = await whyRendered(base.tree, settings.path, path);
    if (rendered !== undefined && subject.kind === 'undone') throw unmapped(displayObject(id), rendered, path);
    const file = await readApplied(base, path, revision, context);
    if (rendered !== undefined)
      throw unmapped(displayObject(id), `${rendered}, so what was changed cannot be told from what was rendered`, path);
    const found = manifestOf(file, id, { isRendered: await isKustomize(base, settings) });
    if (subject.kind === 'paused') fields = await fieldsOfPaused(subject.paused, found.manifest, cluster, context);
    const text = withFields(file, found, fields, { id, hasVariables: settings.postBuild !== undefined });
    for (const each of withheld)
      await say(context, `note: ${each} is not kept: it may hold a secret, and was not remembered`);
    return text === undefined ? undefined : { path, text, what: fields.map(({ field }) => pointer(field)).join(', ') };
  } catch (thrown) {
    if (isUnmapped(thrown) && fields.length > 0)
      await writeData(context, escapedLines(handPatch(patched(subject), fields)));
    throw thrown;
  }
}

function patched(subject: Subject): { apiVersion: string; kind: string; name: string } {
  const { apiVersion } = subject.kind === 'undone' ? subject.edit : subject.paused;
  return { apiVersion, kind: subject.id.kind, name: subject.id.name };
}

async function fieldsOfPaused(
  { id, apiVersion, tolerated }: PausedObject,
  manifest: Json,
  cluster: Cluster,
  context: CommandContext,
): Promise<readonly HandField[]> {
  const resource = (await discoverKinds(cluster, context.signal)).find(apiVersion, id.kind);
  if (resource === undefined || resource.secret)
    throw nothing(displayObject(id), 'the API server does not serve its kind', 'kubectl api-resources');
  const found = await getObject(cluster.transport, {
    resource,
    namespace: id.namespace,
    name: id.name,
    signal: context.signal,
  });
  if (!found.ok) throw refusedReading(cluster, found.failure, { resource, verb: 'get', name: id.name });
  if (found.value === undefined)
    throw nothing(displayObject(id), 'it was deleted: take it out of Git by hand', 'sotto status');
  return pausedFields({ live: found.value, manifest, accepted: tolerated });
}

async function isKustomize(base: Base, { path }: SyncSettings): Promise<boolean> {
  return (await kustomizationIn(base.tree, path)) !== undefined;
}

/** As they are in the cluster; an agent with --config has them in the repository only. */
async function syncSettings(name: string, cluster: Cluster, context: CommandContext): Promise<SyncSettings> {
  const live = await liveSettings({ transport: cluster.transport, signal: context.signal }, cluster.namespace);
  const settings = live ?? (await settingsAbove(context));
  const found = settings?.syncs.find((sync) => sync.name === name);
  if (found !== undefined) return found;
  throw nothing(
    `sync ${name}`,
    'neither the cluster nor a sotto.yaml upwards from here has settings of it',
    'run the command inside the repository',
  );
}

async function settingsAbove(context: CommandContext): Promise<Settings | undefined> {
  const folder = await findUpwards(context.cwd, 'sotto.yaml');
  if (folder === undefined) return undefined;
  const path = `${folder}/sotto.yaml`;
  const parsed = parseSettings(textOf(await readInput(context, path)), relative(dirname(context.cwd), path));
  return parsed.ok ? parsed.settings : undefined;
}

function messageOf(subject: Subject, what: string): string {
  const { kind, name } = subject.id;
  const how =
    subject.kind === 'undone'
      ? `Made by hand by ${subject.edit.manager}, and undone at ${subject.edit.at} as Git had it at ${subject.edit.revision}.`
      : 'Made by hand while the object was paused.';
  return `Keep a change of ${kind} ${name}\n\n${what}\n\n${how}\n`;
}

/** A diff of files that others wrote, on a terminal. */
function escapedLines(text: string): string {
  return text
    .split('\n')
    .map((line) => escaped(line).replaceAll(/(?!\t)\p{Cc}(?!$)/gu, '?'))
    .join('\n');
}

function missing(cluster: Cluster): never {
  throw noStatus(cluster.namespace);
}

function nothing(what: string, why: string, next: string): SottoError {
  return new SottoError({ code: 'SOTTO-CLI-198', what: `there is nothing to keep: ${what}`, why, next });
}
