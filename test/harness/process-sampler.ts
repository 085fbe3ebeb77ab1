import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** What one process showed to everybody who may look at it, once. */
export interface ProcessSample {
  readonly pid: number;
  readonly parent: number;
  /** NUL between arguments, as the kernel hands them out. */
  readonly argv: string;
  readonly environ: string;
  readonly cwd: string;
}

/** Watches all processes below this one until it is disposed: short-lived children are the ones to catch. */
export interface ProcessSampler extends Disposable {
  samples(): readonly ProcessSample[];
}

const EVERY_MS = 3;

export function sampleProcesses(): ProcessSampler {
  const samples = new Map<string, ProcessSample>();
  const look = (): void => {
    for (const sample of below(process.pid)) {
      // The same process shows other things before and after it has become another program.
      const key = [sample.pid, sample.argv, sample.environ.length, sample.cwd].join('\0');
      if (!samples.has(key)) samples.set(key, sample);
    }
  };
  const timer = setInterval(look, EVERY_MS);
  timer.unref();
  return { samples: () => [...samples.values()], [Symbol.dispose]: () => clearInterval(timer) };
}

function below(parent: number): ProcessSample[] {
  return childrenOf(parent).flatMap((pid) => {
    const sample = sampleOf(pid, parent);
    return [...(sample === undefined ? [] : [sample]), ...below(pid)];
  });
}

/** Each thread has the children that it started. */
function childrenOf(pid: number): number[] {
  const threads = attempt(() => readdirSync(`/proc/${pid}/task`)) ?? [];
  return threads
    .flatMap((thread) => (attempt(() => read(`/proc/${pid}/task/${thread}/children`)) ?? '').split(' '))
    .filter((text) => text !== '')
    .map(Number);
}

function sampleOf(pid: number, parent: number): ProcessSample | undefined {
  return attempt(() => ({
    pid,
    parent,
    argv: read(`/proc/${pid}/cmdline`),
    environ: read(`/proc/${pid}/environ`),
    cwd: readlinkSync(`/proc/${pid}/cwd`),
  }));
}

function read(path: string): string {
  return readFileSync(path, 'latin1');
}

/** A process may end while it is looked at. */
function attempt<T>(task: () => T): T | undefined {
  try {
    return task();
  } catch {
    return undefined;
  }
}
