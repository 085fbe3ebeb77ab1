import { spawn } from 'node:child_process';
import { SottoError } from '../core/errors.ts';
import { shellWord } from '../core/shell-word.ts';
import { type CommitId, isCommitId } from './output.ts';

/** A clone with a working tree, of the person who runs the CLI: their configuration of git counts. */
export interface Checkout {
  /** Absolute: where the working tree begins. */
  readonly root: string;
  /** What git and the programs it starts get: without private keys, and without what points git elsewhere. */
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export interface CheckoutState {
  readonly commit: CommitId;
  /** Undefined: HEAD names a commit and no branch. */
  readonly branch: string | undefined;
  /** Tracked files that are not as in the commit, in the index or on the disk. Files git does not know do not count. */
  readonly changed: readonly string[];
}

export interface GitRun {
  readonly args: readonly string[];
  readonly input?: Uint8Array | string;
  readonly indexFile?: string;
  /** Whether hooks of the repository may run. */
  readonly hooks?: true;
}

export interface GitEnd {
  readonly ok: boolean;
  readonly output: Buffer;
  /** What git said on stderr: of a program on this machine, for the person who runs it. */
  readonly complaint: string;
}

/** What is read here is no screen: colours would stand in the names of files. */
const PLAIN = ['-c', 'color.ui=false', '-c', 'color.grep=false', '-c', 'color.diff=false'];
/** None of them may touch the index, or start a program that watches files. */
const QUIET = ['--no-pager', '--no-optional-locks', '--no-replace-objects', '-c', 'core.fsmonitor=false', ...PLAIN];
const NO_HOOKS = ['-c', 'core.hooksPath=/dev/null'];
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** The checkout that a folder is in. Throws SOTTO-CLI-190. */
export async function openCheckout(folder: string, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<Checkout> {
  const here: Checkout = { root: folder, env: environment(env), signal };
  const found = await runInCheckout(here, { args: ['rev-parse', '--show-toplevel'] });
  const root = textOf(found);
  if (root === '') throw notACheckout(folder, found.complaint);
  return { ...here, root };
}

/** Where HEAD stands and what is changed. Throws SOTTO-CLI-192 for a checkout without a commit. */
export async function readCheckout(checkout: Checkout): Promise<CheckoutState> {
  const head = textOf(await runInCheckout(checkout, { args: ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'] }));
  if (!isCommitId(head)) throw noCommit(head);
  const branch = await runInCheckout(checkout, { args: ['symbolic-ref', '--quiet', '--short', 'HEAD'] });
  const args = ['status', '--porcelain=v1', '-z', '--untracked-files=no', '--no-renames', '--ignore-submodules=all'];
  const changed = parseStatus(expectOutput(await runInCheckout(checkout, { args }), 'git status').toString('utf8'));
  return { commit: head, branch: textOf(branch) || undefined, changed };
}

/** The paths in the answer of `status --porcelain=v1 -z --no-renames`. */
export function parseStatus(text: string): string[] {
  return text.split('\0').flatMap((record) => (record.length > 3 ? [record.slice(3)] : []));
}

/** Runs git in the checkout; a failure is an answer too. Throws SOTTO-CLI-196 where git does not start. */
export function runInCheckout(checkout: Checkout, run: GitRun): Promise<GitEnd> {
  const args = [...QUIET, ...(run.hooks === true ? [] : NO_HOOKS), '-C', checkout.root, ...run.args];
  const env = { ...checkout.env, ...(run.indexFile === undefined ? {} : { GIT_INDEX_FILE: run.indexFile }) };
  return new Promise((resolve, reject) => {
    const child = spawn('git', args, { env, stdio: 'pipe', signal: checkout.signal });
    const output: Buffer[] = [];
    const complaint: Buffer[] = [];
    let bytes = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_OUTPUT_BYTES) child.kill('SIGKILL');
      else output.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => void (complaint.length < 64 && complaint.push(chunk)));
    // A command that ends before it has read everything says so by its exit code.
    child.stdin.on('error', () => undefined);
    child.once('error', (error) => reject(checkout.signal.aborted ? error : noGit()));
    child.once('close', (code) =>
      resolve({
        ok: code === 0,
        output: Buffer.concat(output),
        complaint: Buffer.concat(complaint).toString('utf8').trim(),
      }),
    );
    child.stdin.end(run.input);
  });
}

/** The output of a command that must not fail. Throws SOTTO-CLI-196. */
export function expectOutput(end: GitEnd, command: string): Buffer {
  if (end.ok) return end.output;
  throw gitFailed(command, end.complaint);
}

export function gitFailed(command: string, complaint: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-196',
    what: `${command} failed in this checkout`,
    why: firstLine(complaint) || 'it gave no reason',
    next: `mend the checkout (git status, git fsck), then run the command again`,
  });
}

export function firstLine(complaint: string): string {
  const lines = complaint.split('\n').map((line) => line.replace(/^(?:fatal|error):\s*/, '').trim());
  return (lines.find((line) => line !== '') ?? '').slice(0, 200);
}

export function textOf(end: GitEnd): string {
  return end.ok ? end.output.toString('utf8').replace(/\r?\n$/, '') : '';
}

/** Variables by which a hook, or somebody's shell, points git to another repository, index or object store. */
const ELSEWHERE = new Set(
  (
    'GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_COMMON_DIR ' +
    'GIT_NAMESPACE GIT_PREFIX GIT_SHALLOW_FILE GIT_GRAFT_FILE GIT_REPLACE_REF_BASE GIT_INTERNAL_SUPER_PREFIX'
  ).split(' '),
);

function environment(env: NodeJS.ProcessEnv): Record<string, string> {
  const kept = Object.entries(env).flatMap(([name, value]) =>
    value === undefined || ELSEWHERE.has(name) || /^(?:SOPS|SOTTO)_/.test(name) ? [] : [[name, value] as const],
  );
  // Neither a password nor an editor is asked for by what runs here; nothing is fetched either.
  return { ...Object.fromEntries(kept), GIT_TERMINAL_PROMPT: '0', GIT_EDITOR: 'false', GIT_NO_LAZY_FETCH: '1' };
}

function notACheckout(folder: string, complaint: string): SottoError {
  const isForeign = complaint.includes('dubious ownership');
  return new SottoError({
    code: 'SOTTO-CLI-190',
    what: 'the folder is not in a checkout of a Git repository',
    why: isForeign ? 'it belongs to another user, and git leaves such repositories alone' : firstLine(complaint),
    next: isForeign
      ? `git config --global --add safe.directory ${shellWord(folder)}`
      : 'run the command inside a clone of the repository that the agent applies',
    file: folder,
  });
}

function noCommit(head: string): SottoError {
  const isLonger = head !== '';
  return new SottoError({
    code: 'SOTTO-CLI-192',
    what: 'no branch can be made in this checkout',
    why: isLonger ? 'it is a SHA-256 repository, which sotto does not read' : 'it has no commit yet',
    next: isLonger ? 'use a clone with SHA-1 ids' : 'git pull, or commit the manifests first',
  });
}

function noGit(): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-196',
    what: 'git does not start',
    why: 'the program git was not found on PATH, or the folder is gone',
    next: 'install git 2.34 or newer and try `git --version`',
  });
}
