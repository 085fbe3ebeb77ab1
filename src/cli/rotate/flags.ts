import { SottoError } from '../../core/errors.ts';
import { isPrivateKey } from '../../core/private-key.ts';

/** What `sotto rotate` was called with. */
export interface RotateFlags {
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
  /** Milliseconds, as is `timeout`. */
  readonly keepOld?: number;
  readonly branch?: string;
  readonly push?: true;
  readonly fingerprint?: true;
  readonly plan?: true;
  readonly resume?: true;
  readonly inCluster?: true;
  readonly sync?: string;
  readonly timeout?: number;
  readonly reason?: string;
  readonly yes?: true;
  readonly output?: 'json';
}

/** For how long an old key of the agent opens, where nobody says: 90 days. */
export const KEEP_OLD_MS = 90 * 86_400_000;

/** Below the options of its help. */
export const EXAMPLES = `
Changes the keys of everything encrypted in HEAD: an age recipient gives way to a new one in every .sops.yaml and every
SOPS file (--new-key), and SealedSecrets are sealed for a new certificate (--cert). Each SOPS file gets a new data key.
Every document is opened, encrypted, opened again and compared; only then one commit is made, signed where git is set up
so. Nothing but keys and ciphertext changes in a file. The checkout has to be clean, and on a branch.

The new identity is written to the file that --new-key names, or taken from it if it is there. With --recovery, or
sealing.recovery of sotto.yaml, a copy encrypted to those is written first, beside it.

With --new-secret the old keys are read from the agent's key Secrets, and the new one is made as another. Before anything
is encrypted for it, the running agent has to open a nonce made for it. With --push the agent is waited for, no workload
may have got another generation, and the old key is marked as one that only opens, with an end (--keep-old).

With --in-cluster the agent does all of it: it shows what it would do, makes the key, encrypts in its memory and pushes a
branch with the credential of a Secret that is for writing (label sotto.dev/use=git-write). No checkout and no key is
needed here. Once the branch is merged and the agent runs it, the agent marks the old key itself.

--fingerprint changes no file: the agent makes another key for its digests (inventory, names of generated Secrets, restarts)
and says first which workloads that restarts. It is never done unasked.

With --reason compromised (or "compromised: …") every value that the old key could open is listed, with the commit since
which it could. With --new-secret, --new-sealing or --in-cluster the agent follows them until each is another value
(sotto status); expose asks for that alone, and accept says that one need not change.

With --new-key, whoever opens the files (the agent: a Secret with the label sotto.dev/use=keys) needs the new key before
it gets the commit. What was readable with the old key stays so in the history of Git.

Examples:
  sotto rotate --key-file old.txt --new-key /dev/shm/new.txt --plan
  sotto rotate --key-file old.txt --new-key /dev/shm/new.txt --branch rotate-keys --push
  sotto rotate --key-file sealing-keys.yaml --cert new-cert.pem
  sotto rotate --new-secret --new-sealing -n team-app --push      keys are made in the cluster and are in no file
  sotto rotate --new-secret --reason compromised -n team-app --push
  sotto rotate --in-cluster -n team-app --branch rotate-2027      by the agent, from anywhere
  sotto rotate status -n team-app                       rotations in course, and what comes next
  sotto rotate --resume                                 after an interruption, exactly what was begun
  sotto rotate --fingerprint -n team-app --plan         what another key of the agent's digests restarts and renames

Exit code: 0 done or planned, 1 a file is not as .sops.yaml says, nothing to do, a race was lost, a workload changed meanwhile,
or the agent refuses, 2 usage, checkout or key files, 3 not pushed, no cluster, or the agent has not shown that it holds the
new key, does not follow what is exposed, or does not run the commit in time, 4 a file does not open, 5 forbidden,
6 one that was interrupted is here: --resume, 130 stopped with Ctrl-C: it says whether --resume does the rest.`;

/** What is to be done is written down; how the cluster is reached may have changed since. */
export function checkResume(flags: RotateFlags): void {
  const known = ['resume', 'yes', 'timeout', 'kubeconfig', 'context'];
  if (Object.keys(flags).some((flag) => !known.includes(flag)))
    throw usage('--resume stands alone', 'what is to be done is written down');
}

/** It changes nothing in Git, so it goes with nothing that does. */
export function checkFingerprintFlags(flags: RotateFlags): void {
  const its = ['fingerprint', 'namespace', 'kubeconfig', 'context', 'plan', 'yes', 'output'];
  const other = Object.keys(flags).find((flag) => !its.includes(flag));
  if (other !== undefined)
    throw usage('--fingerprint stands alone', 'it changes a key of the agent and no file in Git');
  if (flags.output !== undefined && flags.plan !== true)
    throw usage('-o json is for --plan', 'what is done is told in words');
}

/** Keys in files and a checkout are what a rotation by the agent does without. */
export function checkInCluster(flags: RotateFlags): void {
  const local = ['keyFile', 'pgpKey', 'keyService', 'newKey', 'recovery', 'cert', 'push', 'output'] as const;
  const strange = local.find((name) => flags[name] !== undefined);
  if (strange === undefined) return;
  const flag = `--${strange.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  throw usage(`${flag} is not for --in-cluster`, 'the agent works with its own keys, settings and credentials');
}

export function checkFlags(flags: RotateFlags): void {
  const { newKey, newSecret, newSealing, cert, plan, output, sync } = flags;
  if (sync !== undefined) throw usage('--sync is for --in-cluster', 'here the repository is that of the checkout');
  if (output !== undefined && plan !== true) throw usage('-o json is for --plan', 'what is done is told in words');
  if (newKey !== undefined && newSecret === true)
    throw usage('there is one new key', '--new-key and --new-secret exclude each other');
  if (cert !== undefined && newSealing === true)
    throw usage('there is one new sealing key', '--cert and --new-sealing exclude each other');
  checkAgentFlags(flags);
  if (newKey !== undefined || newSecret === true || newSealing === true || cert !== undefined) return;
  throw new SottoError({
    code: 'SOTTO-ROTATE-009',
    what: 'nothing says what the new key is',
    why: 'a rotation is for a new age key (--new-key, --new-secret) or a new sealing key (--new-sealing, --cert)',
    next: 'sotto rotate --key-file old.txt --new-key /dev/shm/new.txt --plan',
  });
}

/** It would be asked for in a ConfigMap, told in the log and stand in messages. */
export function checkPublic(name: string | undefined): void {
  if (!isPrivateKey(name)) return;
  throw new SottoError({
    code: 'SOTTO-CLI-001',
    what: 'a private key stands where the name of one belongs',
    why: 'it was sent nowhere, but the list of processes and the history of the shell have it',
    next: 'age-keygen -y KEYFILE prints the recipient; then the same command with that',
  });
}

/** What speaks of the agent has to have something to do with it. */
function checkAgentFlags({ newSecret, newSealing, keepOld, timeout, push, branch }: RotateFlags): void {
  const isWithAgent = newSecret === true || newSealing === true;
  if (keepOld !== undefined && !isWithAgent)
    throw usage('--keep-old is for a new key in the cluster', 'keys in files have no end that anybody looks at');
  if (timeout !== undefined && !(isWithAgent && push === true && branch === undefined))
    throw usage(
      '--timeout is for waiting for the agent',
      'it is waited for with --in-cluster, and with --new-secret or --new-sealing once this branch is pushed (--push)',
    );
}

function usage(what: string, why: string): SottoError {
  return new SottoError({ code: 'SOTTO-CLI-001', what, why, next: 'sotto rotate --help' });
}
