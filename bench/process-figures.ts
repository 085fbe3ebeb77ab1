import { readdirSync, readFileSync } from 'node:fs';

/** Processor time of a process, and of its children that have ended. Milliseconds, in steps of ten. */
export interface CpuTime {
  readonly own: number;
  readonly children: number;
}

const MS_PER_TICK = 10;

export function cpuOf(pid: number): CpuTime {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const ticks = (first: number): number => ((fields[first] ?? 0) + (fields[first + 1] ?? 0)) * MS_PER_TICK;
  return { own: ticks(11), children: ticks(13) };
}

/** The most memory that the process ever had resident, in bytes. */
export function peakRssOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024;
}

export interface ChildPeak extends Disposable {
  bytes(): number;
}

const EVERY_MS = 4;

/** Watches the children of a process for those of that name, and keeps the highest peak of them. */
export function childPeak(pid: number, name: string): ChildPeak {
  let highest = 0;
  const timer = setInterval(() => {
    for (const child of childrenOf(pid)) {
      if (attempt(() => readFileSync(`/proc/${child}/comm`, 'latin1')) !== `${name}\n`) continue;
      highest = Math.max(highest, attempt(() => peakRssOf(child)) ?? 0);
    }
  }, EVERY_MS);
  timer.unref();
  return { bytes: () => highest, [Symbol.dispose]: () => clearInterval(timer) };
}

/** Each thread has the children that it started. */
function childrenOf(pid: number): number[] {
  const threads = attempt(() => readdirSync(`/proc/${pid}/task`)) ?? [];
  return threads
    .flatMap((thread) =>
      (attempt(() => readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1')) ?? '').split(' '),
    )
    .filter((text) => text !== '')
    .map(Number);
}

/** A process may end while it is looked at. */
function attempt<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
