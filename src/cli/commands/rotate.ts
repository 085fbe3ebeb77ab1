import { type Command, Option } from 'commander';
import { SottoError } from '../../core/errors.ts';
import { checkNewBranch } from '../../git/commit-files.ts';
import { type Checkout, openCheckout } from '../../git/checkout.ts';
import { pushTarget } from '../../git/push.ts';
import type { PushTarget } from '../../git/rotation-journal.ts';
import { parseDurationMs } from '../../settings/duration.ts';
import { sealingCertificate } from '../../sealed/certificate.ts';
import type { PgpKeyBlock } from '../../sops/pgp-key.ts';
import { checkRecipients } from '../../sops/recipients.ts';
import { confirmed } from '../ask.ts';
import { type Cluster, withCluster } from '../cluster.ts';
import type { CommandContext } from '../context.ts';
import { openBase } from '../keep/repository-file.ts';
import { servicesAtHand } from '../key-services.ts';
import {
  contextOption,
  keyFileOption,
  keyServiceOption,
  kubeconfigOption,
  outputOption,
  repeatable,
} from '../options.ts';
import { say, writeData } from '../output.ts';
import { publicKeys } from '../recipients.ts';
import { durationOf } from '../request-flags.ts';
import { type ClusterKeys, readClusterKeys } from '../rotate/cluster-keys.ts';
import { commitRotation, intoBranch, nothingToDo, ontoBranch, pushRecorded } from '../rotate/carry-out.ts';
import type { EncryptedDocuments } from '../../authoring/rotation/documents.ts';
import { readDocuments } from '../rotate/documents.ts';
import { finishRotation } from '../rotate/finish.ts';
import { newCertificate, oldRecipient } from '../rotate/goal.ts';
import { freeJournal, openJournal } from '../rotate/journal.ts';
import { registerExposed } from '../rotate/exposed-commands.ts';
import { exposeAtAgent, exposureOf, keysGivingWay, reasonLine, showExposure, toChange } from '../rotate/exposed.ts';
import { type ExposureReport, exposureJson } from '../rotate/exposure-report.ts';
import { newSealingKey } from '../rotate/cluster-sealing.ts';
import { lookAhead } from '../rotate/lookout.ts';
import { clusterKey, fileKey, type NewKey } from '../rotate/new-key.ts';
import { namedRecipients, planRotation, type RotationGoal, type RotationPlan } from '../../authoring/rotation/plan.ts';
import { checkOpens, type RotationKeys } from '../../authoring/rotation/prepare.ts';
import { planJson, planTable } from '../rotate/report.ts';
import { rotationRows } from '../../authoring/rotation/rows.ts';
import { readKeyFiles } from '../key-files.ts';
import { recoveryRecipients } from '../sealing-pin.ts';

interface RotateFlags {
  readonly keyFile?: readonly string[];
  readonly pgpKey?: readonly string[];
  readonly keyService?: readonly string[];
  readonly newKey?: string;
  readonly old?: string;
  readonly recovery?: readonly string[];
  readonly cert?: string;
  readonly newSecret?: true;
  readonly newSealing?: true;
  readonly namespace?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly keepOld: number;
  readonly branch?: string;
  readonly push?: true;
  readonly plan?: true;
  readonly resume?: true;
  readonly reason?: string;
  /** Described, and not built. */
  readonly inCluster?: true;
  readonly fingerprint?: true;
  readonly yes?: true;
  readonly output?: 'json';
}

const EXAMPLES = `
Changes the keys of everything encrypted in HEAD: an age recipient gives way to a new one in every .sops.yaml and every
SOPS file (--new-key), and SealedSecrets are sealed for a new certificate (--cert). Each SOPS file gets a new data key.
Every document is opened, encrypted, opened again and compared; only then one commit is made, signed where git is set up
so. Nothing but keys and ciphertext changes in a file. The checkout has to be clean, and on a branch.

The new identity is written to the file that --new-key names, or taken from it if it is there. With --recovery, or
sealing.recovery of sotto.yaml, a copy encrypted to those is written first, beside it.

With --new-secret the old keys are read from the agent's key Secrets, and the new one is made as another. Before anything
is encrypted for it, the running agent has to open a nonce made for it. With --push the agent is waited for, no workload
may have got another generation, and the old key is marked as one that only opens, with an end (--keep-old).

With --reason compromised (or "compromised: …") every value that the old key could open is listed, with the commit since
which it could. With --new-secret or --new-sealing the agent follows them until each is another value (sotto status);
expose asks for that alone, and accept says that one need not change.

With --new-key, whoever opens the files (the agent: a Secret with the label sotto.dev/use=keys) needs the new key before
it gets the commit. What was readable with the old key stays so in the history of Git.

Examples:
  sotto rotate --key-file old.txt --new-key /dev/shm/new.txt --plan
  sotto rotate --key-file old.txt --new-key /dev/shm/new.txt --branch rotate-keys --push
  sotto rotate --key-file sealing-keys.yaml --cert new-cert.pem
  sotto rotate --new-secret --reason compromised -n team-app --push
  sotto rotate --new-secret --new-sealing -n team-app --push      keys are made in the cluster and are in no file
  sotto rotate --resume                                 after an interruption, exactly what was begun

Exit code: 0 done or planned, 1 a file is not as .sops.yaml says, nothing to do, or a race was lost, 2 usage, checkout or
key files, 3 not pushed, 4 a file does not open, 6 interrupted: --resume.`;

export function register(program: Command, context: CommandContext): void {
  // What stands behind a subcommand is its own: it has flags of the same names.
  const command = program.enablePositionalOptions().command('rotate').enablePositionalOptions();
  registerExposed(command, context);
  command
    .description('change the keys of everything encrypted in this repository')
    .addOption(keyFileOption())
    .addOption(repeatable('--pgp-key <file>', 'public OpenPGP keys (.asc) that files name beside the old key'))
    .addOption(keyServiceOption())
    .option('--new-key <file>', 'the new age identity: made and written there, or taken from there')
    .option('--old <recipient>', 'which age recipient gives way (default: the one whose identity is at hand)')
    .addOption(repeatable('--recovery <recipient>', 'who can get the new key back (default: sealing.recovery)'))
    .option('--cert <file>', 'new sealing certificate: SealedSecrets are sealed for it')
    .option('--new-secret', 'make the new age key as a Secret of the agent, and let it show that it holds it')
    .option('--new-sealing', 'let the agent make a new sealing key, and seal SealedSecrets for it')
    .option('-n, --namespace <namespace>', 'of the agent, and of SealedSecrets that name none')
    .addOption(kubeconfigOption())
    .addOption(contextOption())
    .addOption(
      new Option('--keep-old <duration>', 'how long the old key is to open older commits (with --new-secret)')
        .argParser(durationOf)
        .default(parseDurationMs('90d'), '90d'),
    )
    .option('--branch <name>', 'make the commit on a new branch; this one and the files stay as they are')
    .option('--push', 'push the branch, again from its new state when others were faster')
    .option('--reason <text>', 'goes into the commit; compromised also reports what the old key could open')
    .option('--plan', 'show every encrypted document and what would change, and change nothing')
    .option('--resume', 'go on with what was interrupted')
    .addOption(new Option('--in-cluster').hideHelp())
    .addOption(new Option('--fingerprint').hideHelp())
    .addOption(new Option('--yes', 'do not ask'))
    .addOption(outputOption(['json'], 'the plan as JSON'))
    .addHelpText('after', EXAMPLES)
    .action((flags: RotateFlags) => {
      refuseLater(flags);
      if (flags.resume === true) return resume(flags, context);
      checkFlags(flags);
      if (flags.newSecret !== true && flags.newSealing !== true) return rotate(flags, context);
      return withCluster(flags, context, (cluster) => rotate(flags, context, cluster));
    });
}

async function rotate(flags: RotateFlags, context: CommandContext, cluster?: Cluster): Promise<void> {
  const base = await openBase(context);
  const { checkout } = base;
  const journal = await freeJournal(checkout);
  if (flags.branch !== undefined) await checkNewBranch(checkout, flags.branch);
  const target = flags.push === true ? await whereTo(checkout, flags.branch ?? base.branch) : undefined;
  const documents = await readDocuments(checkout, base.commit);
  const clusterKeys = cluster && (await readClusterKeys(cluster, context.signal));
  const newKey = await newKeyOf(flags, context, checkout.root, cluster, clusterKeys);
  const planned = await plannedRotation(flags, context, documents, newKey, clusterKeys);
  const report = await exposureOf({ ...planned, checkout, documents }, flags.reason, context);
  await show(planned, newKey, documents, report, flags, context);
  if (flags.plan === true) return;
  const question = `Rotate ${counts(planned.plan)}?`;
  if (!(await confirmed(context, question, { command: 'sotto rotate …', ...flags }))) return;
  const recovery = await recoveryOf(flags, context, clusterKeys);
  const until = new Date(Date.now() + flags.keepOld);
  const withSealing =
    flags.newSealing === true && cluster && clusterKeys
      ? await withNewSealing(planned, cluster, clusterKeys, documents, until, context)
      : planned;
  const withKeys = await withNewKey(withSealing, newKey, documents, recovery, context);
  const rotation = { ...withKeys, checkout, reason: reasonLine(flags.reason) };
  const proving = {
    age: rotation.goal.age,
    certificate: flags.newSealing === true ? rotation.keys.certificate : undefined,
  };
  const lookout = cluster && clusterKeys && (await lookAhead(cluster, clusterKeys, proving, until, context));
  if (report !== undefined && cluster && clusterKeys)
    await exposeAtAgent(cluster, keysGivingWay(rotation, clusterKeys), flags.reason ?? '', context);
  const made = await commitRotation(rotation, base.commit, documents);
  if (flags.branch !== undefined) {
    await ontoBranch(flags.branch, { checkout, made, base, target }, context);
    await lookout?.later();
    return toChange(report, cluster !== undefined, context);
  }
  const commit = await intoBranch({ ...rotation, made, base, journal, target }, context);
  await (target === undefined ? lookout?.later() : lookout?.follow(commit));
  await toChange(report, cluster !== undefined, context);
}

async function newKeyOf(
  { newKey, newSecret }: RotateFlags,
  context: CommandContext,
  root: string,
  cluster: Cluster | undefined,
  clusterKeys: ClusterKeys | undefined,
): Promise<NewKey | undefined> {
  if (newKey !== undefined) return fileKey(context, newKey, root);
  return newSecret === true && cluster && clusterKeys ? clusterKey(cluster, clusterKeys) : undefined;
}

/** Those that are named, else those of the agent's settings, else those of sotto.yaml here. */
async function recoveryOf(
  { recovery }: RotateFlags,
  context: CommandContext,
  clusterKeys: ClusterKeys | undefined,
): Promise<readonly string[]> {
  if (recovery !== undefined) return checkRecipients(recovery);
  return clusterKeys?.settings.sealing.recovery ?? (await recoveryRecipients(context));
}

interface Planned {
  readonly plan: RotationPlan;
  readonly goal: RotationGoal;
  readonly keys: RotationKeys;
}

/** Stands where the new recipient will, as long as there is none: it is in no file. */
const NOT_MADE = 'age1-not-made-yet';

async function plannedRotation(
  flags: RotateFlags,
  context: CommandContext,
  documents: EncryptedDocuments,
  newKey: NewKey | undefined,
  clusterKeys: ClusterKeys | undefined,
): Promise<Planned> {
  const given = await readKeyFiles(context, flags.keyFile ?? []);
  const held = clusterKeys?.secrets ?? [];
  const identities = [...given.identities, ...held.flatMap((each) => [...each.ageIdentities, ...each.pgpIdentities])];
  const unsealKeys = [...given.unsealKeys, ...held.flatMap(({ sealingKey }) => sealingKey ?? [])];
  const pgpKeys: PgpKeyBlock[] = [];
  for (const name of flags.pgpKey ?? []) pgpKeys.push(...(await publicKeys(context, name)));
  const now = new Date();
  const certificate = flags.cert === undefined ? undefined : await newCertificate(context, flags.cert, unsealKeys, now);
  const named = namedRecipients(documents);
  const old = newKey && oldRecipient(flags.old, identities, named, newKey.given?.recipient);
  const made = old === undefined ? undefined : newKey?.find(old);
  const age = old === undefined ? undefined : { old, made: made?.recipient ?? NOT_MADE };
  const goal = { age, seals: certificate !== undefined || flags.newSealing === true };
  const namespace = flags.namespace ?? clusterKeys?.settings.targetNamespace ?? '';
  const all = made === undefined ? identities : [...identities, made];
  const services = servicesAtHand(context, flags.keyService);
  const keys = { identities: all, services, unsealKeys, pgpKeys, certificate, namespace };
  return { plan: planRotation(documents, goal), goal, keys };
}

async function withNewSealing(
  { plan, goal, keys }: Planned,
  cluster: Cluster,
  clusterKeys: ClusterKeys,
  documents: EncryptedDocuments,
  until: Date,
  context: CommandContext,
): Promise<Planned> {
  if (plan.sops.length + plan.sealed.length === 0) throw nothingToDo();
  await checkOpens(plan, keys);
  const { namespace } = keys;
  const key = await newSealingKey(cluster, clusterKeys, documents, { until, namespace }, context);
  const certificate = sealingCertificate(key.certificatePem, new Date());
  return { plan, goal, keys: { ...keys, certificate, unsealKeys: [...keys.unsealKeys, key] } };
}

/** From here on something is made: the key first, and its copy before it. */
async function withNewKey(
  { plan, goal, keys }: Planned,
  newKey: NewKey | undefined,
  documents: EncryptedDocuments,
  recovery: readonly string[],
  context: CommandContext,
): Promise<Planned> {
  if (plan.sops.length + plan.sealed.length + plan.policies.length === 0) throw nothingToDo();
  if (newKey === undefined || goal.age?.made !== NOT_MADE) return { plan, goal, keys };
  await checkOpens(plan, keys);
  const { identity, said } = await newKey.make(goal.age.old, recovery, new Date());
  await say(context, `new key ${identity.recipient}, ${said}`);
  const changed = { ...goal, age: { ...goal.age, made: identity.recipient } };
  const identities = [...keys.identities, identity];
  return { plan: planRotation(documents, changed), goal: changed, keys: { ...keys, identities } };
}

async function resume(flags: RotateFlags, context: CommandContext): Promise<void> {
  const others = Object.keys(flags).filter((flag) => !['resume', 'yes', 'keepOld'].includes(flag));
  if (others.length > 0) throw usage('--resume stands alone', 'what is to be done is written down');
  const checkout = await openCheckout(context.cwd, context.env, context.signal);
  const { path, journal } = await openJournal(checkout);
  await pushRecorded(checkout, path, journal, context);
  await finishRotation(checkout, path, journal);
  await say(context, `done: branch ${journal.branch} is at ${journal.to.slice(0, 12)}, as are files and index`);
}

async function show(
  { plan, goal, keys }: Planned,
  newKey: NewKey | undefined,
  documents: EncryptedDocuments,
  report: ExposureReport | undefined,
  { plan: isPlan, output }: RotateFlags,
  context: CommandContext,
): Promise<void> {
  const rows = await rotationRows(plan, documents, keys);
  if (isPlan === true && output === 'json')
    return writeData(context, planJson(rows, report && exposureJson(goal.age?.old, report)));
  await writeData(context, planTable(rows));
  if (report !== undefined) await showExposure(report, context);
  if (newKey !== undefined && goal.age?.made === NOT_MADE)
    await say(context, `the new key will be made: ${newKey.where}`);
}

function counts({ sops, sealed }: RotationPlan): string {
  return `${sops.length} SOPS files and ${sealed.length} files with SealedSecrets`;
}

/** What the interface describes and this version does not do is refused by name. */
function refuseLater({ inCluster, fingerprint }: RotateFlags): void {
  const later = [
    {
      flag: '--in-cluster',
      isAsked: inCluster,
      next: 'rotate from a checkout: sotto rotate --new-secret -n NAMESPACE',
    },
    {
      flag: '--fingerprint',
      isAsked: fingerprint,
      next: 'leave the fingerprint key as it is; it is in every sotto keys backup',
    },
  ].find(({ isAsked }) => isAsked === true);
  if (later === undefined) return;
  const { flag, next } = later;
  throw new SottoError({
    code: 'SOTTO-CLI-003',
    what: `not in this version: sotto rotate ${flag}`,
    why: 'it is described but not built yet',
    next,
  });
}

function checkFlags({ newKey, newSecret, newSealing, cert, plan, output }: RotateFlags): void {
  if (output !== undefined && plan !== true) throw usage('-o json is for --plan', 'what is done is told in words');
  if (newKey !== undefined && newSecret === true)
    throw usage('there is one new key', '--new-key and --new-secret exclude each other');
  if (cert !== undefined && newSealing === true)
    throw usage('there is one new sealing key', '--cert and --new-sealing exclude each other');
  if (newKey !== undefined || newSecret === true || newSealing === true || cert !== undefined) return;
  throw new SottoError({
    code: 'SOTTO-ROTATE-009',
    what: 'nothing says what the new key is',
    why: 'a rotation is for a new age key (--new-key, --new-secret) or a new sealing key (--new-sealing, --cert)',
    next: 'sotto rotate --key-file old.txt --new-key /dev/shm/new.txt --plan',
  });
}

async function whereTo(checkout: Checkout, branch: string): Promise<PushTarget> {
  const target = await pushTarget(checkout, branch);
  if (target !== undefined) return target;
  throw usage('--push has no remote', `git remote lists none that branch ${branch} would go to`);
}

function usage(what: string, why: string): SottoError {
  return new SottoError({ code: 'SOTTO-CLI-001', what, why, next: 'sotto rotate --help' });
}
