import type { Command } from 'commander';
import { count } from '../../core/count.ts';
import { SottoError } from '../../core/errors.ts';
import { arrayAt, type Json, stringAt } from '../../core/json.ts';
import { type Checkout, openCheckout } from '../../git/checkout.ts';
import { type BranchLine, branchLine } from '../../git/naming-commits.ts';
import type { UnsealKey } from '../../sealed/sealing-key.ts';
import { addClusterOptions, type Cluster, type ClusterFlags, withCluster } from '../cluster.ts';
import type { CommandContext } from '../context.ts';
import {
  followedHeads,
  keyListJson,
  keyListText,
  type KeyCommits,
  type ListedKey,
  commitsNaming,
} from '../keys/key-list.ts';
import { filesNaming, filesSealedFor, type HeadDocuments, readHeads } from '../keys/needs.ts';
import { outputOption } from '../options.ts';
import { say, writeData } from '../output.ts';
import { readClusterKeys } from '../rotate/cluster-keys.ts';
import { noStatus, readStatus } from '../status-document.ts';

interface ListFlags extends ClusterFlags {
  readonly sealed?: true;
  readonly output?: 'json';
}

export function addList(keys: Command, context: CommandContext): void {
  addClusterOptions(keys.command('list').description('what keys the agent has, and who still needs them'))
    .option('--sealed', 'try sealing keys on SealedSecrets: reads the key Secrets')
    .addOption(outputOption(['json'], 'one JSON document'))
    .action((flags: ListFlags) => withCluster(flags, context, (cluster) => list(cluster, flags, context)));
}

interface Repository {
  readonly checkout: Checkout;
  readonly heads: readonly HeadDocuments[];
  readonly lines: readonly { readonly branch: string; readonly line: BranchLine }[];
}

async function list(cluster: Cluster, { sealed, output }: ListFlags, context: CommandContext): Promise<void> {
  const status = await readStatus(cluster, context.signal);
  if (status === undefined) throw noStatus(cluster.namespace);
  const repository = await repositoryHere(status, context);
  const unsealing = sealed === true ? await sealingKeys(cluster, context) : undefined;
  const found: ListedKey[] = [];
  for (const key of arrayAt(status, 'keys')) found.push(await listed(key, repository, unsealing));
  const now = new Date();
  await writeData(context, output === 'json' ? keyListJson(found, now) : keyListText(found, now));
  const cut = repository?.lines.find(({ line }) => !line.isWhole);
  if (cut !== undefined)
    await say(
      context,
      `note: of ${cut.branch} only the newest ${count(cut.line.commits.length, 'commit')} were looked at; in a clone that was cut short: git fetch --unshallow`,
    );
  if (output !== 'json' && sealed !== true && found.some(({ kind }) => kind === 'sealing'))
    await say(context, 'note: no SealedSecret says its key; --sealed tries each, for who may read the key Secrets');
}

async function listed(
  key: Json,
  repository: Repository | undefined,
  unsealing: Unsealing | undefined,
): Promise<ListedKey> {
  const text = (field: string): string => stringAt(key, field) ?? '';
  const kind = text('kind');
  const base = {
    kind,
    id: text('id'),
    state: text('state'),
    since: text('since'),
    until: text('until'),
    secret: text('secret'),
    origin: text('origin'),
  };
  if (repository === undefined) return { ...base, files: undefined, commits: undefined };
  const { checkout, heads, lines } = repository;
  if (kind === 'sealing') {
    const own = unsealing?.keys.get(base.id);
    const files = own && filesSealedFor(heads, own, unsealing?.namespace ?? '');
    return { ...base, files, commits: undefined };
  }
  const isPgp = kind === 'pgp';
  if (!isPgp && kind !== 'age') return { ...base, files: undefined, commits: undefined };
  const commits: KeyCommits[] = [];
  for (const { branch, line } of lines) {
    const naming = await commitsNaming(checkout, line, isPgp ? 'fp' : 'recipient', base.id);
    if (naming !== undefined) commits.push({ branch, ...naming });
  }
  return { ...base, files: filesNaming(heads, isPgp ? `pgp ${base.id}` : base.id), commits };
}

async function repositoryHere(status: Json, context: CommandContext): Promise<Repository | undefined> {
  const checkout = await checkoutHere(context);
  if (checkout === undefined) return undefined;
  const heads = await readHeads(checkout);
  const lines = [];
  for (const { branch, commit } of followedHeads(status, heads))
    lines.push({ branch, line: await branchLine(checkout, commit) });
  return { checkout, heads, lines };
}

async function checkoutHere({ cwd, env, signal }: CommandContext): Promise<Checkout | undefined> {
  try {
    return await openCheckout(cwd, env, signal);
  } catch (thrown) {
    if (thrown instanceof SottoError) return undefined;
    throw thrown;
  }
}

interface Unsealing {
  readonly keys: ReadonlyMap<string, UnsealKey>;
  /** Which items of SealedSecrets are bound to. */
  readonly namespace: string;
}

async function sealingKeys(cluster: Cluster, { signal }: CommandContext): Promise<Unsealing> {
  const { secrets, settings } = await readClusterKeys(cluster, signal);
  const keys = secrets.flatMap(({ sealingKey }) => (sealingKey === undefined ? [] : [sealingKey]));
  return {
    keys: new Map(keys.map((key) => [key.fingerprint, key])),
    namespace: settings.targetNamespace ?? cluster.namespace,
  };
}
