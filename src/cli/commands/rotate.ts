import { type Command, Option } from 'commander';
import { SottoError } from '../../core/errors.ts';
import { checkNewBranch } from '../../git/commit-files.ts';
import { type Checkout, openCheckout } from '../../git/checkout.ts';
import { pushTarget } from '../../git/push.ts';
import type { PushTarget } from '../../git/rotation-journal.ts';
import type { PgpKeyBlock } from '../../sops/pgp-key.ts';
import { checkRecipients } from '../../sops/recipients.ts';
import { confirmed } from '../ask.ts';
import type { CommandContext } from '../context.ts';
import { openBase } from '../keep/repository-file.ts';
import { servicesAtHand } from '../key-services.ts';
import { keyFileOption, keyServiceOption, outputOption, repeatable } from '../options.ts';
import { say, writeData } from '../output.ts';
import { publicKeys } from '../recipients.ts';
import { commitRotation, intoBranch, nothingToDo, ontoBranch, pushRecorded } from '../rotate/carry-out.ts';
import { type EncryptedDocuments, readDocuments } from '../rotate/documents.ts';
import { finishRotation } from '../rotate/finish.ts';
import { newCertificate, oldRecipient } from '../rotate/goal.ts';
import { freeJournal, openJournal } from '../rotate/journal.ts';
import { findNewKey, makeNewKey, type NewKeyFile, recoveryPath } from '../rotate/new-key.ts';
import { namedRecipients, planRotation, type RotationGoal, type RotationPlan } from '../rotate/plan.ts';
import { checkOpens, type RotationKeys } from '../rotate/prepare.ts';
import { planJson, planTable, rotationRows } from '../rotate/report.ts';
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
  readonly namespace?: string;
  readonly branch?: string;
  readonly push?: true;
  readonly plan?: true;
  readonly resume?: true;
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

Whoever opens the files (the agent: a Secret with the label sotto.dev/use=keys) needs the new key before it gets the
commit. What was readable with the old key stays so in the history of Git.

Examples:
  sotto rotate --key-file old.txt --new-key /dev/shm/new.txt --plan
  sotto rotate --key-file old.txt --new-key /dev/shm/new.txt --branch rotate-keys --push
  sotto rotate --key-file sealing-keys.yaml --cert new-cert.pem
  sotto rotate --resume                                 after an interruption, exactly what was begun

Exit code: 0 done or planned, 1 a file is not as .sops.yaml says, nothing to do, or a race was lost, 2 usage, checkout or
key files, 3 not pushed, 4 a file does not open, 6 interrupted: --resume.`;

export function register(program: Command, context: CommandContext): void {
  program
    .command('rotate')
    .description('change the keys of everything encrypted in this repository')
    .addOption(keyFileOption())
    .addOption(repeatable('--pgp-key <file>', 'public OpenPGP keys (.asc) that files name beside the old key'))
    .addOption(keyServiceOption())
    .option('--new-key <file>', 'the new age identity: made and written there, or taken from there')
    .option('--old <recipient>', 'which age recipient gives way (default: the one whose identity is at hand)')
    .addOption(repeatable('--recovery <recipient>', 'who can get the new key back (default: sealing.recovery)'))
    .option('--cert <file>', 'new sealing certificate: SealedSecrets are sealed for it')
    .option('-n, --namespace <namespace>', 'namespace of SealedSecrets that name none')
    .option('--branch <name>', 'make the commit on a new branch; this one and the files stay as they are')
    .option('--push', 'push the branch, again from its new state when others were faster')
    .option('--plan', 'show every encrypted document and what would change, and change nothing')
    .option('--resume', 'go on with what was interrupted')
    .addOption(new Option('--yes', 'do not ask'))
    .addOption(outputOption(['json'], 'the plan as JSON'))
    .addHelpText('after', EXAMPLES)
    .action((flags: RotateFlags) => (flags.resume === true ? resume(flags, context) : rotate(flags, context)));
}

async function rotate(flags: RotateFlags, context: CommandContext): Promise<void> {
  checkFlags(flags);
  const base = await openBase(context);
  const { checkout } = base;
  const journal = await freeJournal(checkout);
  if (flags.branch !== undefined) await checkNewBranch(checkout, flags.branch);
  const target = flags.push === true ? await whereTo(checkout, flags.branch ?? base.branch) : undefined;
  const documents = await readDocuments(checkout, base.commit);
  const newKey = flags.newKey === undefined ? undefined : await findNewKey(context, flags.newKey, checkout.root);
  const planned = await plannedRotation(flags, context, documents, newKey);
  await show(planned, documents, newKey, flags, context);
  if (flags.plan === true) return;
  const question = `Rotate ${counts(planned.plan)}?`;
  if (!(await confirmed(context, question, { command: 'sotto rotate …', ...flags }))) return;
  const rotation = { ...(await withNewKey(planned, newKey, documents, flags, context)), checkout };
  const made = await commitRotation(rotation, base.commit, documents);
  if (flags.branch === undefined) await intoBranch({ ...rotation, made, base, journal, target }, context);
  else await ontoBranch(flags.branch, { checkout, made, base, target }, context);
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
  newKey: NewKeyFile | undefined,
): Promise<Planned> {
  const { identities, unsealKeys } = await readKeyFiles(context, flags.keyFile ?? []);
  const pgpKeys: PgpKeyBlock[] = [];
  for (const name of flags.pgpKey ?? []) pgpKeys.push(...(await publicKeys(context, name)));
  const now = new Date();
  const certificate = flags.cert === undefined ? undefined : await newCertificate(context, flags.cert, unsealKeys, now);
  const made = newKey?.identity?.recipient;
  const age =
    newKey === undefined
      ? undefined
      : {
          old: oldRecipient(flags.old, identities, namedRecipients(documents), made),
          made: made ?? NOT_MADE,
        };
  const goal = { age, seals: certificate !== undefined };
  const held = newKey?.identity === undefined ? identities : [...identities, newKey.identity];
  const services = servicesAtHand(context, flags.keyService);
  const keys = { identities: held, services, unsealKeys, pgpKeys, certificate, namespace: flags.namespace ?? '' };
  return { plan: planRotation(documents, goal), goal, keys };
}

/** From here on something is made: the key first, and its copy before it. */
async function withNewKey(
  { plan, goal, keys }: Planned,
  newKey: NewKeyFile | undefined,
  documents: EncryptedDocuments,
  flags: RotateFlags,
  context: CommandContext,
): Promise<Planned> {
  if (plan.sops.length + plan.sealed.length + plan.policies.length === 0) throw nothingToDo();
  if (newKey === undefined || newKey.identity !== undefined || goal.age === undefined) return { plan, goal, keys };
  const recovery = flags.recovery === undefined ? await recoveryRecipients(context) : checkRecipients(flags.recovery);
  await checkOpens(plan, keys);
  const identity = await makeNewKey(newKey, recovery, new Date());
  const copy = recovery.length === 0 ? 'there is no other copy of it' : `a copy is in ${recoveryPath(newKey.name)}`;
  await say(context, `new key ${identity.recipient}, written to ${newKey.name}; ${copy}`);
  const age = { ...goal.age, made: identity.recipient };
  const changed = { ...goal, age };
  return {
    plan: planRotation(documents, changed),
    goal: changed,
    keys: { ...keys, identities: [...keys.identities, identity] },
  };
}

async function resume(flags: RotateFlags, context: CommandContext): Promise<void> {
  const others = Object.keys(flags).filter((flag) => flag !== 'resume' && flag !== 'yes');
  if (others.length > 0) throw usage('--resume stands alone', 'what is to be done is written down');
  const checkout = await openCheckout(context.cwd, context.env, context.signal);
  const { path, journal } = await openJournal(checkout);
  await pushRecorded(checkout, path, journal, context);
  await finishRotation(checkout, path, journal);
  await say(context, `done: branch ${journal.branch} is at ${journal.to.slice(0, 12)}, as are files and index`);
}

async function show(
  { plan, keys }: Planned,
  documents: EncryptedDocuments,
  newKey: NewKeyFile | undefined,
  { plan: isPlan, output }: RotateFlags,
  context: CommandContext,
): Promise<void> {
  const rows = await rotationRows(plan, documents, keys);
  if (isPlan === true && output === 'json') return writeData(context, planJson(rows));
  await writeData(context, planTable(rows));
  const isMade = newKey !== undefined && newKey.identity === undefined;
  if (isMade) await say(context, `the new key will be made and written to ${newKey.name}`);
}

function counts({ sops, sealed }: RotationPlan): string {
  return `${sops.length} SOPS files and ${sealed.length} files with SealedSecrets`;
}

function checkFlags({ newKey, cert, plan, output }: RotateFlags): void {
  if (output !== undefined && plan !== true) throw usage('-o json is for --plan', 'what is done is told in words');
  if (newKey !== undefined || cert !== undefined) return;
  throw new SottoError({
    code: 'SOTTO-ROTATE-009',
    what: 'not in this version: a rotation whose keys are made in the cluster',
    why: 'neither --new-key nor --cert says what the new key is',
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
