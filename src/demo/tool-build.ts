import { spawn } from 'node:child_process';
import { chmod, mkdir, open, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PinnedTool, ToolName } from './tool-list.ts';

/** One moment of a build. `packagesTotal` is 0 while it is not known yet. */
export interface ToolProgress {
  readonly tool: ToolName;
  readonly step: 'waiting' | 'downloading' | 'compiling' | 'linking' | 'ready';
  /** Of this step: modules downloaded, or packages compiled. */
  readonly done: number;
  readonly packagesTotal: number;
  readonly elapsedMs: number;
}

export interface BuildOptions {
  readonly go: string;
  readonly cacheFolder: string;
  /** What Go is run with (GOPROXY and its like). */
  readonly env: NodeJS.ProcessEnv;
  readonly onProgress?: ((progress: ToolProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const LOCK_TOUCH_MS = 2_000;
const LOCK_STALE_MS = 20_000;
const LOCK_POLL_MS = 500;

export function cachedBinary(cacheFolder: string, pinned: PinnedTool): string {
  return join(cacheFolder, pinned.cacheKey, pinned.tool);
}

/**
 * Builds tools of one module, one after another. Go's build cache grows by gigabytes, so it is a folder of its
 * own that is dropped at the end; a killed build leaves it, and the next one goes on from there.
 */
export async function buildModule(tools: readonly PinnedTool[], options: BuildOptions): Promise<void> {
  const [first] = tools;
  if (first === undefined) return;
  await mkdir(options.cacheFolder, { recursive: true });
  const buildFolder = join(options.cacheFolder, `building-${first.recipe.module}`);
  await using cleanup = new AsyncDisposableStack();
  cleanup.use(await takeLock(`${buildFolder}.lock`, first.tool, options));
  await mkdir(buildFolder, { recursive: true });
  for (const pinned of tools) {
    if (await isFile(cachedBinary(options.cacheFolder, pinned))) continue;
    await buildOne(pinned, buildFolder, options);
  }
  await removeFolder(buildFolder);
}

async function buildOne(pinned: PinnedTool, buildFolder: string, options: BuildOptions): Promise<void> {
  using reporter = progressReporter(pinned.tool, options.onProgress);
  const { report } = reporter;
  const env = { ...options.env, CGO_ENABLED: '0', GOCACHE: join(buildFolder, 'gocache'), GOWORK: 'off', GOFLAGS: '' };
  const go = { program: options.go, cwd: pinned.moduleFolder, env, signal: options.signal };

  let modules = 0;
  report('downloading', 0, 0);
  const needed = await runGo(
    go,
    ['list', '-deps', '-trimpath', '-buildvcs=false', '-f', STALE, pinned.recipe.package],
    {
      onErrorLine: (line) => line.startsWith('go: downloading') && report('downloading', ++modules, 0),
    },
  );
  const packagesTotal = needed.filter((line) => line !== '').length;

  let compiled = 0;
  const output = join(buildFolder, pinned.cacheKey, pinned.tool);
  const flags = ['-v', '-trimpath', '-buildvcs=false', '-ldflags', linkerFlags(pinned), '-o', output];
  await runGo(go, ['build', ...flags, pinned.recipe.package], {
    onErrorLine: (line) => {
      if (!isPackageLine(line)) return;
      compiled = Math.min(compiled + 1, packagesTotal);
      report(compiled === packagesTotal ? 'linking' : 'compiling', compiled, packagesTotal);
    },
  });
  await publish(join(buildFolder, pinned.cacheKey), join(options.cacheFolder, pinned.cacheKey), output);
  report('ready', packagesTotal, packagesTotal);
}

const HEARTBEAT_MS = 1_000;

interface ProgressReporter extends Disposable {
  readonly report: (step: ToolProgress['step'], done: number, packagesTotal: number) => void;
}

/** Repeats the last report every second: one large package or the linker can take many without a line. */
function progressReporter(tool: ToolName, onProgress: BuildOptions['onProgress']): ProgressReporter {
  const startedMs = performance.now();
  let last: Pick<ToolProgress, 'step' | 'done' | 'packagesTotal'> = { step: 'downloading', done: 0, packagesTotal: 0 };
  const send = (): void => onProgress?.({ tool, ...last, elapsedMs: performance.now() - startedMs });
  const heartbeat = setInterval(send, HEARTBEAT_MS);
  return {
    report(step, done, packagesTotal) {
      last = { step, done, packagesTotal };
      send();
    },
    [Symbol.dispose]: () => clearInterval(heartbeat),
  };
}

/** Prints the packages that `go build -v` is going to name: those that are not in the build cache. */
const STALE = '{{if and .Stale (ne .ImportPath "unsafe")}}{{.ImportPath}}{{end}}';

function isPackageLine(line: string): boolean {
  return line !== '' && !line.startsWith('go: ') && !line.startsWith('#') && !/\s/.test(line);
}

function linkerFlags(pinned: PinnedTool): string {
  const stamps = Object.entries(pinned.recipe.stamp(pinned.version)).map(([name, value]) => `-X ${name}=${value}`);
  return ['-s', '-w', ...stamps].join(' ');
}

/** The folder appears in the cache whole or not at all. */
async function publish(built: string, cached: string, binary: string): Promise<void> {
  await chmod(binary, 0o755);
  await rm(cached, { recursive: true, force: true });
  await rename(built, cached);
}

interface GoCall {
  readonly program: string;
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal | undefined;
}

interface GoWatcher {
  readonly onErrorLine: (line: string) => unknown;
}

const TAIL_LINES = 20;

/** Runs go and gives the lines it printed; the last lines of its complaint are the error. */
async function runGo(call: GoCall, args: readonly string[], watcher: GoWatcher): Promise<readonly string[]> {
  const signal = call.signal === undefined ? {} : { signal: call.signal };
  const child = spawn(call.program, args, {
    cwd: call.cwd,
    env: call.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...signal,
  });
  const printed: string[] = [];
  const tail: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => printed.push(line));
  createInterface({ input: child.stderr }).on('line', (line) => {
    tail.push(line);
    if (tail.length > TAIL_LINES) tail.shift();
    watcher.onErrorLine(line);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`go ${args[0] ?? ''} in ${call.cwd} ended with ${String(code)}:\n${tail.join('\n')}`);
  return printed;
}

/** Two processes that want the same module: the second waits. A lock that nobody touches any more is taken over. */
async function takeLock(path: string, tool: ToolName, options: BuildOptions): Promise<AsyncDisposable> {
  const startedMs = performance.now();
  while (!(await createLock(path))) {
    options.signal?.throwIfAborted();
    const elapsedMs = performance.now() - startedMs;
    options.onProgress?.({ tool, step: 'waiting', done: 0, packagesTotal: 0, elapsedMs });
    if (await isStale(path)) await rm(path, { force: true });
    else await sleep(LOCK_POLL_MS);
  }
  const touch = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => undefined), LOCK_TOUCH_MS);
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(touch);
      await rm(path, { force: true });
    },
  };
}

async function createLock(path: string): Promise<boolean> {
  try {
    await (await open(path, 'wx')).close();
    return true;
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST') return false;
    throw thrown;
  }
}

async function isStale(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > LOCK_STALE_MS;
}

export async function isFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ?? false;
}

/** Go writes its caches read-only in places and may still be closing files: one more try. */
async function removeFolder(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 3 });
}
