import { randomUUID } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import type { SimpleGit } from 'simple-git';

/** Where and how long git may work. */
export interface GitPlace {
  /** The bare repository. */
  readonly folder: string;
  /** An empty folder: no configuration of a user, no .netrc, no certificates. */
  readonly home: string;
  /** Where programs are looked for. */
  readonly programPath: string;
  readonly timeoutMs: number;
  /** Ends the command early when the agent ends. */
  readonly signal?: AbortSignal | undefined;
}

export interface GitCommand {
  readonly args: readonly string[];
  readonly input?: string;
  readonly maxOutputBytes: number;
  /** The private configuration of a command that talks to the server; all others may talk to nobody. */
  readonly configPath?: string;
  /** A folder that the command fills from outside, and by how much. */
  readonly download?: { readonly folder: string; readonly maxBytes: number };
}

/** How a command ended. Text of git stays in here and in failure.ts: a server writes part of it. */
export type GitOutcome<Output> =
  | { readonly kind: 'done'; readonly output: Output; readonly complaint: string }
  | { readonly kind: 'failed'; readonly complaint: string }
  | { readonly kind: 'ended'; readonly why: EndedWhy }
  | { readonly kind: 'absent' };

export type EndedWhy = 'timeout' | 'stopped' | 'output' | 'download';

/** Stands for the exit code of a process that a signal ended. */
const KILLED = 128;
const MAX_COMPLAINT_BYTES = 64 * 1024;
const DOWNLOAD_LOOK_MS = 200;
/** In the environment of a command and of every helper it starts. */
const MARK = 'SOTTO_GIT_COMMAND';

export function runGit(place: GitPlace, command: GitCommand): Promise<GitOutcome<string>> {
  return run(place, command, (git) => git.raw([...command.args]));
}

/** `git cat-file` with the given arguments: the one command whose output is bytes and not text. */
export function runCatFile(place: GitPlace, command: GitCommand): Promise<GitOutcome<Buffer>> {
  return run(place, command, async (git) => {
    const output: unknown = await git.binaryCatFile([...command.args]);
    return Buffer.isBuffer(output) ? output : Buffer.alloc(0);
  });
}

async function run<Output>(
  place: GitPlace,
  command: GitCommand,
  task: (git: SimpleGit) => Promise<Output>,
): Promise<GitOutcome<Output>> {
  if (place.signal?.aborted === true) return { kind: 'ended', why: 'stopped' };
  const mark = randomUUID();
  const complaint: Buffer[] = [];
  let exitCode = 0;
  const guard = watch(place, command, mark);
  try {
    const onExit = (code: number | null): void => void (exitCode = code ?? KILLED);
    const git = await prepare(place, command, mark, { signal: guard.signal, onExit });
    if (git === undefined) return { kind: 'absent' };
    const count = capped(command.maxOutputBytes, () => guard.end('output'));
    const keep = kept(complaint);
    git.outputHandler((_command, stdout, stderr) => void (stdout.on('data', count), stderr.on('data', keep)));
    const output = await task(git);
    await guard.stop();
    // What was ended may still have left with 0, its output cut.
    const why = guard.ended();
    return why === undefined ? { kind: 'done', output, complaint: textOf(complaint) } : { kind: 'ended', why };
  } catch (thrown) {
    const why = guard.ended();
    if (why !== undefined) return { kind: 'ended', why };
    // What git did not cause is a defect of ours. Below zero: the system could not start it.
    if (exitCode === 0) throw thrown;
    return exitCode < 0 ? { kind: 'absent' } : { kind: 'failed', complaint: textOf(complaint) };
  } finally {
    await guard.stop();
  }
}

function textOf(chunks: readonly Buffer[]): string {
  return Buffer.concat(chunks).toString('utf8');
}

/** What may end a command before it ends by itself. */
interface Guard {
  readonly signal: AbortSignal;
  end(why: EndedWhy): void;
  /** The first reason counts. */
  ended(): EndedWhy | undefined;
  /** Ends the watch, after a last look at the download: a fast server is done between two of them. */
  stop(): Promise<void>;
}

function watch(place: GitPlace, command: GitCommand, mark: string): Guard {
  const interrupt = new AbortController();
  let ended: EndedWhy | undefined;
  const end = (why: EndedWhy): void => {
    ended ??= why;
    interrupt.abort();
    void killMarked(mark);
  };
  const onStop = (): void => end('stopped');
  const look = lookAt(command.download, () => end('download'));
  const deadline = setTimeout(() => end('timeout'), place.timeoutMs);
  const timer = setInterval(() => void look(), DOWNLOAD_LOOK_MS);
  place.signal?.addEventListener('abort', onStop, { once: true });
  return {
    signal: interrupt.signal,
    end,
    ended: () => ended,
    async stop() {
      clearTimeout(deadline);
      clearInterval(timer);
      place.signal?.removeEventListener('abort', onStop);
      if (ended === undefined) await look();
    },
  };
}

/** git has no cap of its own on what a fetch receives. */
function lookAt(download: GitCommand['download'], over: () => void): () => Promise<void> {
  if (download === undefined) return async () => undefined;
  const before = folderBytes(download.folder);
  return async () => {
    if ((await folderBytes(download.folder)) - (await before) > download.maxBytes) over();
  };
}

interface Watcher {
  readonly signal: AbortSignal;
  onExit(code: number | null): void;
}

async function prepare(
  place: GitPlace,
  command: GitCommand,
  mark: string,
  watcher: Watcher,
): Promise<SimpleGit | undefined> {
  // Here and not at the top: most commands of the CLI never run git.
  const { GitConstructError, simpleGit } = await import('simple-git');
  const { input } = command;
  const env = { ...gitEnvironment(place, command.configPath), [MARK]: mark };
  try {
    const git = simpleGit({
      baseDir: place.folder,
      abort: watcher.signal,
      // The strict rule: left to itself simple-git takes a failure without a complaint for success.
      errors(error, { exitCode }) {
        watcher.onExit(exitCode);
        return exitCode === 0 ? undefined : (error ?? new Error('git failed'));
      },
      // Its own default stops reading 50 ms after the exit, whether everything was read or not.
      completion: { onClose: true, onExit: false },
      allowEnvironment: Object.keys(env).filter((name) => name.startsWith('GIT_')),
      // The file named is ours, or /dev/null.
      unsafe: { allowUnsafeConfigPaths: true },
      ...(input === undefined ? {} : { input: () => input }),
    });
    return git.env(env);
  } catch (thrown) {
    // Its one reason is that the folder is gone.
    if (thrown instanceof GitConstructError) return undefined;
    throw thrown;
  }
}

/** The whole environment: nothing of ours is inherited. */
function gitEnvironment(place: GitPlace, configPath: string | undefined): Record<string, string> {
  return {
    PATH: place.programPath,
    HOME: place.home,
    XDG_CONFIG_HOME: place.home,
    TMPDIR: place.home,
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: configPath ?? '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_CEILING_DIRECTORIES: place.home,
    GIT_LITERAL_PATHSPECS: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    // Overrides protocol.*.allow. Git reads a missing object by one request each (184 s for 5,000 files were seen):
    // a command that should not need the server must not find it. Git 2.45 has a variable for it besides.
    GIT_ALLOW_PROTOCOL: configPath === undefined ? 'none' : 'https',
    GIT_NO_LAZY_FETCH: '1',
  };
}

function capped(maxBytes: number, over: () => void): (chunk: Buffer) => void {
  let bytes = 0;
  return (chunk) => {
    bytes += chunk.length;
    if (bytes > maxBytes) over();
  };
}

function kept(chunks: Buffer[]): (chunk: Buffer) => void {
  let bytes = 0;
  return (chunk) => {
    if (bytes < MAX_COMPLAINT_BYTES) chunks.push(chunk);
    bytes += chunk.length;
  };
}

/** Bytes of the files of one folder, not of those below. */
export async function folderBytes(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  const sizes = await Promise.all(
    names.map((name) =>
      stat(`${folder}/${name}`).then(
        (found) => found.size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/**
 * git leaves its transport helper behind when it is ended, with the connection and our pipes open, and simple-git
 * gives no process group to kill. So every process of the command is found by the mark in its environment. Twice: one
 * may start another while we look. Without /proc (macOS) the helper ends by http.lowSpeedTime.
 */
async function killMarked(mark: string): Promise<void> {
  const wanted = `${MARK}=${mark}\0`;
  for (let round = 0; round < 2; round++) {
    const names = await readdir('/proc').catch(() => []);
    await Promise.all(
      names
        .filter((name) => /^\d+$/.test(name))
        .map(async (pid) => {
          // Bytes: the environment of others may hold what must not become a string of ours.
          const environment = await readFile(`/proc/${pid}/environ`).catch(() => Buffer.alloc(0));
          if (environment.includes(wanted)) kill(Number(pid));
          environment.fill(0);
        }),
    );
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
