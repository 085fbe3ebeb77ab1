import { execFile } from 'node:child_process';
import type { Surroundings } from './context.ts';

/** The repository of the person, with their configuration: who they are, whether they sign. */
export interface OwnGit {
  /** The work tree. */
  readonly root: string;
  /** Where Git keeps its own things: of this work tree. */
  readonly gitFolder: string;
  run(args: readonly string[], options?: GitOptions): Promise<GitResult>;
}

export interface GitOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
}

export interface GitResult {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Keys in the environment of sotto are not for git and what it starts. */
const PASSED =
  /^(?:PATH|HOME|USER|LOGNAME|TMPDIR|LANG|LC_\w+|XDG_\w+|GNUPGHOME|GPG_TTY|SSH_AUTH_SOCK|EMAIL|GIT_(?:AUTHOR|COMMITTER|CONFIG)_?\w*)$/;
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;

/** Undefined outside of a repository with a work tree, or without git. */
export async function ownGit(around: Pick<Surroundings, 'env' | 'cwd'>, folder: string): Promise<OwnGit | undefined> {
  const env = passedOn(around.env);
  const found = await runIn(folder, ['rev-parse', '--show-toplevel', '--absolute-git-dir'], { env });
  const [root = '', gitFolder = ''] = found.exit === 0 ? found.stdout.split('\n') : [];
  if (root === '' || gitFolder === '') return undefined;
  return {
    root,
    gitFolder,
    run: (args, options = {}) => runIn(root, args, { ...options, env: { ...env, ...options.env } }),
  };
}

function passedOn(env: Surroundings['env']): Record<string, string> {
  const passed = Object.entries(env).flatMap(([name, value]): [string, string][] =>
    PASSED.test(name) && value !== undefined ? [[name, value]] : [],
  );
  return { ...Object.fromEntries(passed), GIT_LITERAL_PATHSPECS: '1', GIT_OPTIONAL_LOCKS: '0' };
}

function runIn(
  folder: string,
  args: readonly string[],
  { env, input }: { readonly env: Readonly<Record<string, string>>; readonly input?: string | Uint8Array },
): Promise<GitResult> {
  return new Promise((resolve) => {
    const options = { cwd: folder, env: { ...env }, maxBuffer: MAX_OUTPUT_BYTES, encoding: 'utf8' as const };
    const child = execFile('git', [...args], options, (error, stdout, stderr) => {
      const exit = error === null ? 0 : typeof error.code === 'number' ? error.code : 127;
      resolve({ exit, stdout, stderr });
    });
    // A git that ended early has said why.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input ?? '');
  });
}
