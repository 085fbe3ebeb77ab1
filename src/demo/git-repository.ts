import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** What a path holds after a commit: a file, something special, or nothing (`null` removes it). */
export type FileContent = string | Uint8Array | null | SpecialFile;

export interface SpecialFile {
  /** `120000` symbolic link, `100755` executable, `160000` submodule (content is its commit). */
  readonly mode: '100644' | '100755' | '120000' | '160000';
  readonly content: string | Uint8Array;
}

export interface CommitOptions {
  readonly branch?: string;
  /** `null` starts a history of its own; without it the branch's head is the parent. */
  readonly parent?: string | null;
}

/** A bare repository that commits are put into without a work tree. Every answer is a commit id. */
export interface TestRepository {
  readonly name: string;
  readonly folder: string;
  readonly branch: string;
  commit(files: Readonly<Record<string, FileContent>>, message: string, options?: CommitOptions): Promise<string>;
  /** Points the branch somewhere else, as a force push does. */
  forceTo(commit: string, branch?: string): Promise<void>;
  /** Replaces the newest commit by another one on the same parent: a rewritten branch. */
  rewrite(files: Readonly<Record<string, FileContent>>, message: string): Promise<string>;
  head(branch?: string): Promise<string>;
  /** Any git command in the repository, with the isolated configuration. */
  git(args: readonly string[], input?: string | Uint8Array): Promise<Buffer>;
}

/** Where programs are found when the caller does not hand in a PATH. */
export const STANDARD_PROGRAM_PATH = '/usr/local/bin:/usr/bin:/bin';

/** No configuration, no hooks and no credentials of the person who runs the tests. Dates are fixed: equal input, equal ids. */
export function isolatedGitEnv(home: string, programPath: string = STANDARD_PROGRAM_PATH): NodeJS.ProcessEnv {
  const date = '2026-01-01T00:00:00Z';
  return {
    PATH: programPath,
    HOME: home,
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_AUTHOR_NAME: 'Test',
    GIT_AUTHOR_EMAIL: 'test@example.com',
    GIT_AUTHOR_DATE: date,
    GIT_COMMITTER_NAME: 'Test',
    GIT_COMMITTER_EMAIL: 'test@example.com',
    GIT_COMMITTER_DATE: date,
  };
}

export async function createRepository(
  root: string,
  home: string,
  name: string,
  branch: string,
  programPath: string = STANDARD_PROGRAM_PATH,
): Promise<TestRepository> {
  const folder = join(root, `${name}.git`);
  await mkdir(folder, { recursive: true });
  const env = isolatedGitEnv(home, programPath);
  const git: TestRepository['git'] = (args, input) => runGit(args, { cwd: folder, env, input });
  const line = async (args: readonly string[], input?: string | Uint8Array): Promise<string> =>
    (await git(args, input)).toString().trim();
  await git(['init', '--quiet', '--bare', `--initial-branch=${branch}`, '.']);
  await git(['config', 'http.receivepack', 'true']);
  // A shallow fetch of a commit that a rewritten branch no longer reaches is allowed by the big hosts too.
  await git(['config', 'uploadpack.allowAnySHA1InWant', 'true']);
  await git(['config', 'uploadpack.allowFilter', 'true']);

  const tipOf = async (of: string): Promise<string | undefined> =>
    (await line(['for-each-ref', '--format=%(objectname)', `refs/heads/${of}`])) || undefined;
  const commit: TestRepository['commit'] = async (files, message, options = {}) => {
    const onto = options.branch ?? branch;
    const parent = options.parent === undefined ? await tipOf(onto) : (options.parent ?? undefined);
    const tree = await writeTree({ folder, env, parent, files });
    const parents = parent === undefined ? [] : ['-p', parent];
    const id = await line(['commit-tree', tree, ...parents, '-m', message]);
    await git(['update-ref', `refs/heads/${onto}`, id]);
    return id;
  };
  return {
    name,
    folder,
    branch,
    git,
    commit,
    async forceTo(id, of = branch) {
      await git(['update-ref', `refs/heads/${of}`, id]);
    },
    async rewrite(files, message) {
      const parents = await line(['rev-list', '--parents', '-n', '1', branch]);
      return commit(files, message, { parent: parents.split(' ')[1] ?? null });
    },
    head: (of = branch) => line(['rev-parse', '--verify', `refs/heads/${of}`]),
  };
}

interface TreeRequest {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly parent: string | undefined;
  readonly files: Readonly<Record<string, FileContent>>;
}

/** Builds the tree in an index of its own, so that two commits at once do not meet. */
async function writeTree({ folder, env, parent, files }: TreeRequest): Promise<string> {
  const index = join(folder, `index-${randomBytes(6).toString('hex')}`);
  const inIndex = { cwd: folder, env: { ...env, GIT_INDEX_FILE: index } };
  try {
    await runGit(parent === undefined ? ['read-tree', '--empty'] : ['read-tree', parent], inIndex);
    const entries: string[] = [];
    for (const [path, content] of Object.entries(files)) {
      entries.push(`${await indexEntry(content, inIndex)}\t${path}\0`);
    }
    await runGit(['update-index', '-z', '--index-info'], { ...inIndex, input: entries.join('') });
    return (await runGit(['write-tree', '--missing-ok'], inIndex)).toString().trim();
  } finally {
    await rm(index, { force: true });
  }
}

async function indexEntry(content: FileContent, at: { cwd: string; env: NodeJS.ProcessEnv }): Promise<string> {
  if (content === null) return `0 ${'0'.repeat(40)}`;
  const file: SpecialFile =
    typeof content === 'string' || content instanceof Uint8Array ? { mode: '100644', content } : content;
  if (file.mode === '160000') return `160000 ${Buffer.from(file.content).toString()}`;
  const id = await runGit(['hash-object', '-w', '--stdin'], { ...at, input: file.content });
  return `${file.mode} ${id.toString().trim()}`;
}

interface GitCall {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly input?: string | Uint8Array | undefined;
}

export async function runGit(args: readonly string[], { cwd, env, input }: GitCall): Promise<Buffer> {
  const child = spawn('git', args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] });
  const output: Buffer[] = [];
  const complaint: Buffer[] = [];
  child.stdout.on('data', (piece: Buffer) => output.push(piece));
  child.stderr.on('data', (piece: Buffer) => complaint.push(piece));
  // git may end without reading its input.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input ?? '');
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) {
    throw new Error(`git ${args.join(' ')} ended with ${String(code)}: ${Buffer.concat(complaint).toString()}`);
  }
  return Buffer.concat(output);
}
