import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { fileWord } from '../../core/shell-word.ts';
import { checkNewBranch } from '../../git/commit-files.ts';
import { sealingCertificate } from '../../sealed/certificate.ts';
import { count } from '../../core/count.ts';
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
import { withProgress } from '../progress.ts';
import { publicKeys } from '../recipients.ts';
import { durationOf } from '../request-flags.ts';
import { type ClusterKeys, readClusterKeys } from '../rotate/cluster-keys.ts';
import { commitRotation, intoBranch, nothingToDo, ontoOwnBranch } from '../rotate/carry-out.ts';
import type { EncryptedDocuments } from '../../authoring/rotation/documents.ts';
import { readDocuments } from '../rotate/documents.ts';
import { rotateFingerprint } from '../rotate/fingerprint.ts';
import { rotateInCluster } from '../rotate/in-cluster.ts';
import { newCertificate, oldRecipient } from '../rotate/goal.ts';
import { freeJournal } from '../rotate/journal.ts';
import { registerExposed } from '../rotate/exposed-commands.ts';
import { exposeAtAgent, exposureOf, keysGivingWay, reasonLine, showExposure, toChange } from '../rotate/exposed.ts';
import { type ExposureReport, exposureJson } from '../rotate/exposure-report.ts';
import { newSealingKey } from '../rotate/cluster-sealing.ts';
import { followCommit, lookAhead, sayLater } from '../rotate/lookout.ts';
import { clusterKey, fileKey, type MadeKey, type NewKey } from '../rotate/new-key.ts';
import { namedRecipients, planRotation, type RotationGoal, type RotationPlan } from '../../authoring/rotation/plan.ts';
import { checkOpens, checkUnseals, type RotationKeys } from '../../authoring/rotation/prepare.ts';
import {
  checkFingerprintFlags,
  checkFlags,
  checkInCluster,
  checkPublic,
  checkResume,
  EXAMPLES,
  KEEP_OLD_MS,
  type RotateFlags,
} from '../rotate/flags.ts';
import { finishWithAgent, resumeRotation } from '../rotate/resume.ts';
import { registerStatus } from '../rotate/status.ts';
import { sayingWhereItStands } from '../rotate/interrupted.ts';
import { planJson, planTable } from '../rotate/report.ts';
import { seenRecipients } from '../../authoring/rotation/seen.ts';
import { rotationRows } from '../../authoring/rotation/rows.ts';
import { readKeyFiles } from '../key-files.ts';
import { whereTo } from '../up/branch.ts';
import { recoveryRecipients } from '../sealing-pin.ts';

export function register(program: Command, context: CommandContext): void {
  // What stands behind a subcommand is its own: it has flags of the same names.
  const command = program
    .enablePositionalOptions()
    .command('rotate')
    .enablePositionalOptions()
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
      new Option(
        '--keep-old <duration>',
        'how long an old key of the agent is to open older commits (default: 90d)',
      ).argParser(durationOf),
    )
    .option('--fingerprint', 'let the agent change the key of its own digests, and of nothing in Git')
    .option('--branch <name>', 'make the commit on a new branch; this one and the files stay as they are')
    .option('--push', 'push the branch, again from its new state when others were faster')
    .option('--reason <text>', 'goes into the commit; compromised also reports what the old key could open')
    .option('--plan', 'show every encrypted document and what would change, and change nothing')
    .option('--resume', 'go on with what was interrupted')
    .option('--in-cluster', 'let the agent do all of it and push a branch: no private key leaves its namespace')
    .option('--sync <name>', 'whose repository the agent rotates (with --in-cluster; default: the only one)')
    .addOption(
      new Option(
        '--timeout <duration>',
        'how long to wait for the agent (default: 5m, with --in-cluster 30m)',
      ).argParser(durationOf),
    )
    .addOption(new Option('--yes', 'do not ask'))
    .addOption(outputOption(['json'], 'the plan as JSON'))
    .addHelpText('after', EXAMPLES)
    .action((flags: RotateFlags) => {
      checkPublic(flags.old);
      if (flags.fingerprint === true) {
        checkFingerprintFlags(flags);
        return withCluster(flags, context, (cluster) => rotateFingerprint(flags, cluster, context));
      }
      if (flags.resume === true) {
        checkResume(flags);
        return sayingWhereItStands(context, () => resumeRotation(flags, context));
      }
      if (flags.inCluster === true) {
        checkInCluster(flags);
        return withCluster(flags, context, (cluster) => rotateInCluster(flags, cluster, context));
      }
      checkFlags(flags);
      return sayingWhereItStands(context, () => {
        if (flags.newSecret !== true && flags.newSealing !== true) return rotate(flags, context);
        return withCluster(flags, context, (cluster) => rotate(flags, context, cluster));
      });
    });
  registerStatus(command, context);
  registerExposed(command, context);
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
  const recovery = newKey === undefined ? [] : await recoveryOf(flags, context, clusterKeys);
  await show(planned, newKey, documents, report, flags, context);
  if (flags.plan === true) return;
  const question = `Rotate ${counts(planned.plan)}?`;
  if (!(await confirmed(context, question, { command: 'sotto rotate …', ...flags }))) return;
  const until = new Date(Date.now() + (flags.keepOld ?? KEEP_OLD_MS));
  const withSealing =
    flags.newSealing === true && cluster && clusterKeys
      ? await withNewSealing(planned, cluster, clusterKeys, documents, until, context)
      : planned;
  const withKeys = await withNewKey(withSealing, newKey, documents, recovery, context);
  const rotation = { ...withKeys, checkout, reason: reasonLine(flags.reason) };
  const proving = {
    age: rotation.goal.age,
    certificate: flags.newSealing === true ? rotation.keys.certificate : undefined,
    until,
    flags: { ...flags, ...(flags.kubeconfig && { kubeconfig: resolve(context.cwd, flags.kubeconfig) }) },
  };
  const agent = cluster && clusterKeys && (await lookAhead(cluster, clusterKeys, proving, context));
  if (report !== undefined && cluster && clusterKeys)
    await exposeAtAgent(cluster, keysGivingWay(rotation, clusterKeys), flags.reason ?? '', context);
  const made = await commitRotation(rotation, base.commit, documents, context);
  const newKeyNote = newKeyNoteOf(flags);
  if (flags.branch !== undefined) {
    await ontoOwnBranch(flags.branch, { checkout, made, base, target, newKeyNote }, context);
    await toChange(report, cluster !== undefined, context);
    return agent && sayLater(agent, context);
  }
  const seen = rotation.goal.age && seenRecipients(documents, rotation.plan, rotation.goal.age);
  const commit = await intoBranch({ ...rotation, made, base, journal, target, seen, agent, newKeyNote }, context);
  await toChange(report, cluster !== undefined, context);
  if (agent === undefined || cluster === undefined) return;
  if (target === undefined) return sayLater(agent, context);
  await finishWithAgent(journal, () =>
    followCommit(cluster, { checkout, commit, target, agent, timeoutMs: flags.timeout }, context),
  );
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
  /** The new key, where it is there already: whoever looks at the plan can tell whether it is theirs. */
  readonly found?: MadeKey | undefined;
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
  const age = old === undefined ? undefined : { old, made: made?.identity.recipient ?? NOT_MADE };
  const goal = { age, seals: certificate !== undefined || flags.newSealing === true };
  const namespace = flags.namespace ?? clusterKeys?.settings.targetNamespace ?? '';
  const all = made === undefined ? identities : [...identities, made.identity];
  const services = servicesAtHand(context, flags.keyService);
  const keys = { identities: all, services, unsealKeys, pgpKeys, certificate, namespace };
  return { plan: planRotation(documents, goal), goal, keys, found: made };
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
  await opensAll(plan, keys, context);
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
  await opensAll(plan, keys, context);
  const { identity, said } = await newKey.make(goal.age.old, recovery, new Date());
  await say(context, `new key ${identity.recipient}, ${said}`);
  const changed = { ...goal, age: { ...goal.age, made: identity.recipient } };
  const identities = [...keys.identities, identity];
  return { plan: planRotation(documents, changed), goal: changed, keys: { ...keys, identities } };
}

async function show(
  { plan, goal, keys, found }: Planned,
  newKey: NewKey | undefined,
  documents: EncryptedDocuments,
  report: ExposureReport | undefined,
  flags: RotateFlags,
  context: CommandContext,
): Promise<void> {
  const { plan: isPlan, output } = flags;
  const rows = await withProgress(context, 'opening: file', documents.sops.length, (step) =>
    rotationRows(plan, documents, keys, step),
  );
  if (isPlan === true && output === 'json')
    return writeData(context, planJson(rows, report && exposureJson(goal.age?.old, report)));
  await writeData(context, planTable(rows, goal.age?.old));
  if (report !== undefined) await showExposure(report, context);
  if (newKey !== undefined && goal.age?.made === NOT_MADE)
    await say(context, `the new key will be made: ${newKey.where}`);
  if (found !== undefined) await say(context, `the new key is there: ${found.identity.recipient}, ${found.said}`);
  if (flags.newKey !== undefined && flags.push === true && flags.branch === undefined)
    await say(context, `${newKeyNoteOf(flags) ?? ''}   (--branch NAME leaves time for that)`);
}

/** A key in a file gets nowhere by itself. */
function newKeyNoteOf({ newKey, namespace }: RotateFlags): string | undefined {
  if (newKey === undefined) return undefined;
  const add = `sotto keys add ${fileWord(newKey)} -n ${namespace ?? 'NAMESPACE'}`;
  return `note: whoever opens these files needs the new key before the commit; the agent: ${add}`;
}

/** Before a new key is made. Throws SottoError for the first document that does not open. */
async function opensAll(plan: RotationPlan, keys: RotationKeys, context: CommandContext): Promise<void> {
  await withProgress(context, 'opening: file', plan.sops.length, (step) => checkOpens(plan, keys, step));
  await checkUnseals(plan, keys);
}

function counts({ sops, sealed }: RotationPlan): string {
  return `${count(sops.length, 'SOPS file')} and ${count(sealed.length, 'file')} with SealedSecrets`;
}
