import { existsSync } from 'node:fs';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A memory limit for a group of processes, as a kubelet sets one for a container. Both generations of cgroups. */
export interface MemoryCgroup extends AsyncDisposable {
  /** A process that writes its pid there is in the group, and so are its children. */
  readonly procs: string;
  readonly limitBytes: number;
  used(): Promise<MemoryUse>;
}

/** What the kernel counts for the whole group: all processes and the memory volume they write to. */
export interface MemoryUse {
  /** Memory that processes hold: heaps, stacks. */
  readonly anonymousBytes: number;
  /** Files of memory volumes. */
  readonly volumeBytes: number;
  /** The highest total so far, file cache included. */
  readonly peakBytes: number;
  /** How often the limit was met. */
  readonly limitHits: number;
}

const V1 = '/sys/fs/cgroup/memory';
const V2 = '/sys/fs/cgroup';
const isFirst = existsSync(`${V1}/memory.limit_in_bytes`);
/** The folder in which groups are made. */
export const CGROUPS = isFirst ? V1 : V2;

export async function memoryCgroup(name: string, limitBytes: number): Promise<MemoryCgroup> {
  const folder = join(CGROUPS, name);
  if (!isFirst) await writeFile(join(V2, 'cgroup.subtree_control'), '+memory');
  await mkdir(folder);
  await writeFile(join(folder, isFirst ? 'memory.limit_in_bytes' : 'memory.max'), String(limitBytes));
  const read = (file: string): Promise<string> => readFile(join(folder, file), 'utf8');
  return {
    procs: join(folder, 'cgroup.procs'),
    limitBytes,
    used: async () => {
      const stat = fields(await read('memory.stat'));
      const events = isFirst ? {} : fields(await read('memory.events'));
      return {
        anonymousBytes: stat[isFirst ? 'rss' : 'anon'] ?? 0,
        volumeBytes: stat['shmem'] ?? 0,
        peakBytes: Number(await read(isFirst ? 'memory.max_usage_in_bytes' : 'memory.peak')),
        limitHits: isFirst ? Number(await read('memory.failcnt')) : (events['max'] ?? 0),
      };
    },
    [Symbol.asyncDispose]: () => removeGroup(folder),
  };
}

function fields(text: string): Readonly<Record<string, number>> {
  return Object.fromEntries(
    text
      .trim()
      .split('\n')
      .map((line) => line.split(' '))
      .map(([name = '', value]) => [name, Number(value)]),
  );
}

/** The kernel needs a moment after the last process has gone. */
async function removeGroup(folder: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      return await rmdir(folder);
    } catch (thrown) {
      if (tries === 50) throw thrown;
      await sleep(100);
    }
  }
}
