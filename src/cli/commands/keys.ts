import { existsSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { SottoError } from '../../core/errors.ts';
import { shellWord } from '../../core/shell-word.ts';
import { fetchBranches } from '../../git/branch-heads.ts';
import { openCheckout, readCheckout } from '../../git/checkout.ts';
import { keyLife } from '../../keys/key-state.ts';
import { keyIds } from '../../keys/parse-keys.ts';
import { checkRecipients } from '../../sops/recipients.ts';
import { confirmed } from '../ask.ts';
import { addClusterOptions, type Cluster, type ClusterFlags, withCluster } from '../cluster.ts';
import type { CommandContext } from '../context.ts';
import { reasonOf } from '../files.ts';
import { wipeEntries } from '../../keys/key-secret.ts';
import { type FileKeys, keysOfContent } from '../key-files.ts';
import type { SecretContent } from '../../kube/secret-reader.ts';
import { backupList, openBackup, sealBackup, secretsIn } from '../keys/backup.ts';
import { type KeyNeed, needsOf, needsText, readHeads } from '../keys/needs.ts';
import { clusterReceiptKey } from '../keys/receipt-key.ts';
import { restoreSecrets } from '../keys/restore.ts';
import { unopened } from '../keys/verify.ts';
import { keyFileOption, repeatable } from '../options.ts';
import { say, table, writeData } from '../output.ts';
import { markState, readClusterKeys } from '../rotate/cluster-keys.ts';
import { readDocuments } from '../rotate/documents.ts';
import { recoveryRecipients } from '../sealing-pin.ts';
import { addAdd } from './keys-add.ts';
import { addList } from './keys-list.ts';
import { addRehearse } from './keys-rehearse.ts';

const EXAMPLES = `
list shows what the agent says of its keys, and, inside a checkout, how many files of which branches still name each, and
which commits of the branches that are followed: to these a revert needs the key. -o json names the files.
add puts a private key into a Secret of its own, with a copy for sealing.recovery, and waits until the agent holds it.
retire keeps a key and opens nothing with it any more; it refuses while the head of a branch has a file that only this
key opens. export prints public halves. backup and restore are for whoever may read key Secrets: a backup is an age file
that stock age opens, and holds the fingerprint Secret too; restore makes what is missing and writes over nothing.
rehearse opens every document of HEAD with the recovery identity and the keys of backups that it opens, those in the
repository too, and sends each object of every sync as a dry run, as into an empty namespace. The key Secrets of the
cluster do not count. When all succeeded, the agent is told the date.

Examples:
  sotto keys list -n team-app
  sotto keys add new.txt -n team-app
  age-keygen | sotto keys add - -n team-app                          in no file at all
  sotto keys backup -n team-app --recipient age1… --out keys.age
  sotto keys backup --verify keys.age --key-file recovery.txt        every document of HEAD, with those keys alone
  sotto keys restore keys.age --key-file recovery.txt -n team-app
  sotto keys retire sops-age -n team-app
  sotto keys rehearse --key-file recovery.txt -n team-app            what if the cluster were gone

Exit code: 0 done, 1 a key is still needed, a document does not open, a Secret differs, 2 usage, 3 cluster or remote
unreachable, 4 the backup does not open, 5 forbidden.`;

export function register(program: Command, context: CommandContext): void {
  const keys = program
    .command('keys')
    .description('keys of the agent: list, add, retire, export, backup, restore, rehearse')
    .addHelpText('after', EXAMPLES);
  addList(keys, context);
  addClusterOptions(keys.command('retire').description('open nothing with a key any more, and keep it'))
    .argument('<key>', 'name of its Secret, or the recipient or fingerprint')
    .option('--no-fetch', 'take the branches of remotes as they were fetched last')
    .option('--yes', 'do not ask')
    .action((key: string, flags: RetireFlags) =>
      withCluster(flags, context, (cluster) => retire(key, cluster, flags, context)),
    );
  addClusterOptions(
    keys.command('export').description('print public halves: recipients, certificates, the key of receipts'),
  ).action((flags: ClusterFlags) => withCluster(flags, context, (cluster) => exportPublic(cluster, context)));
  addClusterOptions(
    keys.command('backup').description('encrypt every key Secret and the fingerprint Secret into a file'),
  )
    .addOption(repeatable('--recipient <recipient>', 'for whom (default: sealing.recovery)'))
    .option('--passphrase', 'behind a passphrase instead, which is asked for')
    .option('--out <file>', 'where it is written; it must not exist')
    .option('--verify <file>', 'open every document of HEAD with the keys of that backup alone')
    .addOption(keyFileOption())
    .action((flags: BackupFlags) =>
      flags.verify === undefined
        ? withCluster(flags, context, (cluster) => backup(cluster, flags, context))
        : verify(flags.verify, flags, context),
    );
  addRehearse(keys, context);
  addAdd(keys, context);
  addClusterOptions(keys.command('restore').description('make the key Secrets of a backup that are missing'))
    .argument('<file>', 'what sotto keys backup has made')
    .addOption(keyFileOption())
    .option('--yes', 'do not ask')
    .action((file: string, flags: RestoreFlags) =>
      withCluster(flags, context, (cluster) => restore(file, cluster, flags, context)),
    );
}

interface RetireFlags extends ClusterFlags {
  readonly fetch: boolean;
  readonly yes?: true;
}

async function retire(word: string, cluster: Cluster, flags: RetireFlags, context: CommandContext): Promise<void> {
  const checkout = await openCheckout(context.cwd, context.env, context.signal);
  const keys = await readClusterKeys(cluster, context.signal);
  const meant = keys.secrets.find((secret) => secret.mark.name === word || keyIds(secret).includes(word));
  if (meant === undefined) throw noSuchKey(word, cluster.namespace);
  const { name } = meant.mark;
  if (keyLife(meant.mark).state === 'retired') return say(context, `Secret ${name} is retired already`);
  if (flags.fetch && !(await fetchBranches(checkout))) throw notFetched();
  const heads = await readHeads(checkout);
  const namespace = keys.settings.targetNamespace ?? cluster.namespace;
  const needs = needsOf(meant, keys.secrets, heads, namespace);
  if (needs.length > 0) throw stillNeeded(name, needs);
  await say(
    context,
    `no head of ${heads.flatMap(({ branches }) => branches).length} branches needs the key of Secret ${name}`,
  );
  const command = `sotto keys retire ${shellWord(word)} -n ${cluster.namespace}`;
  if (!(await confirmed(context, 'Open nothing with it any more?', { ...flags, command }))) return;
  await markState(cluster, name, 'retired', undefined);
  await say(
    context,
    `Secret ${name} is retired: it is kept, and opens nothing. Undo: kubectl annotate secret ${name} -n ${cluster.namespace} sotto.dev/state-`,
  );
}

async function exportPublic(cluster: Cluster, context: CommandContext): Promise<void> {
  const { secrets, settings } = await readClusterKeys(cluster, context.signal);
  for (const secret of secrets) {
    await writeData(context, `# Secret ${secret.mark.name}, ${keyLife(secret.mark).state}\n`);
    for (const { recipient } of [...secret.ageIdentities, ...secret.pgpIdentities])
      await writeData(context, `${recipient}\n`);
    if (secret.sealingKey !== undefined) await writeData(context, secret.sealingKey.certificatePem);
  }
  const receiptKey = await clusterReceiptKey(cluster, settings.fingerprintSecret, context.signal);
  if (receiptKey !== undefined) await writeData(context, `# signs receipts: rotation.receiptKey\n${receiptKey}\n`);
}

interface BackupFlags extends ClusterFlags {
  readonly recipient?: readonly string[];
  readonly passphrase?: true;
  readonly out?: string;
  readonly verify?: string;
  readonly keyFile?: readonly string[];
}

async function backup(cluster: Cluster, flags: BackupFlags, context: CommandContext): Promise<void> {
  const { out, recipient, passphrase } = flags;
  if (out === undefined) throw usage('a backup needs a file', '--out says where it is written');
  if (existsSync(resolve(context.cwd, out))) throw isThere(out);
  if (recipient !== undefined && passphrase === true)
    throw usage('a backup is for recipients or behind a passphrase', 'age has no files for both');
  const keys = await readClusterKeys(cluster, context.signal);
  const { recovery } = keys.settings.sealing;
  const named = recipient ?? (recovery.length > 0 ? recovery : await recoveryRecipients(context));
  if (passphrase !== true && named.length === 0) throw forNobody();
  const recipients = passphrase === true ? ('passphrase' as const) : checkRecipients(named);
  const { list: secrets, names } = await backupList(cluster, keys, context.signal);
  using content = secrets;
  const sealed = await sealBackup(context, content, recipients);
  try {
    writeFileSync(resolve(context.cwd, out), sealed, { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') throw isThere(out);
    throw usage(`${out} was not written`, reasonOf(cause));
  }
  await say(context, `${out}: ${names.length} Secrets (${names.join(', ')})`);
  await say(context, `next: sotto keys backup --verify ${shellWord(out)} --key-file IDENTITY, inside the repository`);
}

async function verify(name: string, { keyFile, namespace }: BackupFlags, context: CommandContext): Promise<void> {
  const checkout = await openCheckout(context.cwd, context.env, context.signal);
  const { commit } = await readCheckout(checkout);
  const documents = await readDocuments(checkout, commit);
  const content = await openBackup(context, name, keyFile ?? []);
  try {
    const secrets = secretsIn(content, name);
    const count = secrets.length;
    const failed = await unopened(documents, keysOnceBack(context, secrets), namespace ?? '');
    const total = documents.sops.length + documents.sealed.length;
    if (failed.length > 0) {
      await writeData(
        context,
        table(
          ['FILE', 'CODE', 'WHY'],
          failed.map(({ file, code, why }) => [file, code, why]),
        ),
      );
      throw notAll(name, failed.length, total);
    }
    await say(
      context,
      `${name}: ${count} Secrets; all ${total} encrypted files of ${commit.slice(0, 12)} open with their keys alone`,
    );
  } finally {
    content.fill(0);
  }
}

/** What the agent opens with once they are restored; what is retired comes back retired. Wipes the entries. */
function keysOnceBack(context: CommandContext, secrets: readonly SecretContent[]): FileKeys {
  try {
    const used = secrets.filter((secret) => keyLife(secret).state !== 'retired');
    const keys = used.map((secret) => keysOfContent(context, secret));
    return { identities: keys.flatMap((each) => each.identities), unsealKeys: keys.flatMap((each) => each.unsealKeys) };
  } finally {
    for (const secret of secrets) wipeEntries(secret);
  }
}

interface RestoreFlags extends ClusterFlags {
  readonly keyFile?: readonly string[];
  readonly yes?: true;
}

async function restore(name: string, cluster: Cluster, flags: RestoreFlags, context: CommandContext): Promise<void> {
  const content = await openBackup(context, name, flags.keyFile ?? []);
  let secrets: ReturnType<typeof secretsIn> = [];
  try {
    secrets = secretsIn(content, name);
    const names = secrets.map((secret) => secret.name || '?').join(', ');
    const question = `Make those of ${names} that are missing in namespace ${cluster.namespace}?`;
    const command = `sotto keys restore ${shellWord(name)}`;
    if (!(await confirmed(context, question, { ...flags, command }))) return;
    const { made, present } = await restoreSecrets(cluster, secrets, context.signal);
    await say(
      context,
      `made: ${made.join(', ') || 'none'}; there already, and the same: ${present.join(', ') || 'none'}`,
    );
  } finally {
    for (const secret of secrets) wipeEntries(secret);
    content.fill(0);
  }
}

function forNobody(): SottoError {
  return new SottoError({
    code: 'SOTTO-AGE-009',
    what: 'the backup was not made, because nothing says for whom',
    why: 'no recipient was given, and sealing.recovery of the settings names none',
    next: 'name who shall open it: --recipient age1…, or --passphrase at a terminal',
  });
}

function isThere(out: string): SottoError {
  const next = 'the same command with --out and another name';
  return new SottoError({ code: 'SOTTO-CLI-001', what: `${out} was not written`, why: 'it exists already', next });
}

function usage(what: string, why: string): SottoError {
  return new SottoError({ code: 'SOTTO-CLI-001', what, why, next: 'sotto keys --help' });
}

function noSuchKey(word: string, namespace: string): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-066',
    what: `there is no key ${word}`,
    why: 'no key Secret that the agent would use is called so or holds it',
    next: `sotto keys list -n ${namespace}`,
  });
}

function notFetched(): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-065',
    what: 'the key was not retired, because a remote cannot be asked for its branches',
    why: 'git fetch --all failed, or does not bring every branch (a clone of one alone), and one there may still need it',
    next: "git remote set-branches origin '*' && git fetch --all, then again; or the same command with --no-fetch",
  });
}

function stillNeeded(name: string, needs: readonly KeyNeed[]): SottoError {
  const [first] = needs;
  return new SottoError({
    code: 'SOTTO-KEYS-064',
    what: `the key of Secret ${name} was not retired, because it is still needed`,
    why: `${needs.length} files need it: ${needsText(needs)}; the first is ${first?.file ?? ''} in ${first?.branches.join(', ') ?? ''}`,
    next: 'rotate, merge or delete those branches, then the same command again',
    object: `Secret/${name}`,
  });
}

function notAll(file: string, failed: number, total: number): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-063',
    what: `${failed} of ${total} encrypted files do not open with the backup`,
    why: 'it is older than their keys, they are for keys that the agent does not have, or these are retired',
    next: 'sotto keys backup --out NEW, and keep this one for old commits',
    file,
  });
}
