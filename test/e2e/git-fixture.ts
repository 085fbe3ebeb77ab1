import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SottoError } from '../../src/core/errors.ts';
import { Sensitive } from '../../src/core/sensitive.ts';
import { type GitServer, startGitServer, type TestRepository } from '../../src/demo/git-server.ts';
import type { GitAccess } from '../../src/git/credential.ts';
import { createGitSource, type GitSource, type GitSourceOptions } from '../../src/source/git-source.ts';
import type { Snapshot } from '../../src/source/snapshot.ts';

export const PASSWORD = 'canary-Vq7hR2mXw9';
export const PASSWORD_BASE64 = Buffer.from(`bot:${PASSWORD}`).toString('base64');

export interface WantedSource extends Partial<GitSourceOptions> {
  readonly access?: GitAccess;
  readonly programPath?: string;
  readonly signal?: AbortSignal;
}

/** A Git server that wants a password, a folder that stands for the memory volume, and sources between them. */
export interface GitFixture {
  readonly server: GitServer;
  readonly volume: string;
  /** A name that nothing else has. */
  unique(prefix: string): string;
  /** What the server lets in. */
  accessWith(password?: string): GitAccess;
  repositoryWith(files: Parameters<TestRepository['commit']>[0]): Promise<TestRepository>;
  /** Of branch `main` and path `deploy`, unless wanted otherwise. */
  sourceOf(repository: TestRepository, wanted?: WantedSource): Promise<GitSource>;
  /** Why a pull of a new source fails. */
  pullError(repository: TestRepository, wanted?: WantedSource): Promise<SottoError>;
  stop(): Promise<void>;
}

export async function startGitFixture(): Promise<GitFixture> {
  const server = await startGitServer({ kind: 'basic', username: 'bot', password: PASSWORD });
  const volume = await mkdtemp(join(tmpdir(), 'sotto-git-e2e-'));
  let count = 0;
  const unique = (prefix: string): string => `${prefix}-${++count}`;
  const accessWith = (password = PASSWORD): GitAccess => {
    const credential = { kind: 'basic', username: sensitive('bot'), password: sensitive(password) } as const;
    return { credential, caCertificate: Buffer.from(server.caPem) };
  };
  const sourceOf: GitFixture['sourceOf'] = (repository, wanted = {}) => {
    const { access = accessWith(), programPath, signal, ...options } = wanted;
    const workDir = join(volume, unique('work'));
    const defaults = { branch: 'main', path: 'deploy', ignore: [], requireFastForward: false, timeoutMs: 20_000 };
    return createGitSource(
      { url: server.url(repository), workDir, ...defaults, ...options },
      { access: async () => access, programPath, signal },
    );
  };
  return {
    server,
    volume,
    unique,
    accessWith,
    sourceOf,
    async repositoryWith(files) {
      const repository = await server.createRepository(unique('repo'));
      await repository.commit(files, 'one');
      return repository;
    },
    async pullError(repository, wanted) {
      await using source = await sourceOf(repository, wanted);
      // Awaited here: the source is closed on the way out.
      return await errorOf(source.pull());
    },
    async stop() {
      await server.stop();
      await rm(volume, { recursive: true, force: true });
    },
  };
}

export function sensitive(text: string): Sensitive {
  return Sensitive.copyOf(Buffer.from(text));
}

export async function errorOf(task: Promise<unknown>): Promise<SottoError> {
  const thrown: unknown = await task.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (thrown instanceof SottoError) return thrown;
  throw new Error('not a coded error', { cause: thrown });
}

export function contents(snapshot: Snapshot): Record<string, string> {
  return Object.fromEntries(snapshot.files.map((file) => [file.path, Buffer.from(file.bytes).toString()]));
}

/** Arguments and environment of every process whose environment or arguments name the folder. */
export async function processesIn(folder: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const all = await Promise.all(
    pids.map(async (pid) => `${await readProc(pid, 'cmdline')}\0${await readProc(pid, 'environ')}`),
  );
  return all.filter((text) => text.includes(folder));
}

function readProc(pid: string, file: string): Promise<string> {
  return readFile(`/proc/${pid}/${file}`, 'latin1').catch(() => '');
}
