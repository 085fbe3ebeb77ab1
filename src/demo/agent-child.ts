import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isJsonObject, type JsonObject, parseJson } from '../core/json.ts';
import { freePorts, startServer } from './child-process.ts';
import type { RunningServer } from './child-process.ts';
import { agentFailed, reasonOf } from './failure.ts';

/** The agent of the demo: a process of its own, looked at from outside. */
export interface AgentChild extends AsyncDisposable {
  readonly pid: number;
  readonly startedMs: number;
  readonly logPath: string;
  /** Its Git objects, and for moments its Git credential. */
  readonly workFolder: string;
  /** Probes and metrics. */
  readonly url: string;
  readonly server: RunningServer;
  logLines(): Promise<readonly JsonObject[]>;
}

export interface AgentCommand {
  readonly programPath: string;
  readonly programFolders: string;
  readonly kubeconfig: string;
  readonly namespace: string;
  /** Of the demo; the log comes into it. */
  readonly folder: string;
}

/** The flags and the environment of docs/runtime.md. */
const NODE_FLAGS = ['--disable-sigusr1', '--max-semi-space-size=1', '--v8-pool-size=1'];
const NO_CORE_DUMP = 'ulimit -c 0; exec "$@"';
const MEMORY_VOLUME = '/dev/shm';
const GRACE_MS = 10_000;

/** As in the image: memory that is given back is overwritten, and one heap is enough (docs/runtime.md). */
export const MEMORY_ENV = {
  MALLOC_ARENA_MAX: '1',
  GLIBC_TUNABLES: 'glibc.malloc.perturb=165:glibc.malloc.tcache_count=0',
} as const;

export async function startAgentChild(command: AgentCommand): Promise<AgentChild> {
  const { folder, namespace, kubeconfig, programPath } = command;
  const logPath = join(folder, 'agent.log');
  await using cleanup = new AsyncDisposableStack();
  const workFolder = await mkdtemp(join(existsSync(MEMORY_VOLUME) ? MEMORY_VOLUME : tmpdir(), 'sotto-demo-agent-'));
  cleanup.defer(() => rm(workFolder, { recursive: true, force: true, maxRetries: 3 }));
  const [port = 0] = await freePorts(1);
  const startedMs = performance.now();
  const args = ['agent', '-n', namespace, '--kubeconfig', kubeconfig, '--listen', `127.0.0.1:${port}`];
  const node = [process.execPath, ...NODE_FLAGS, programPath, ...args];
  const start = startServer(
    {
      program: '/bin/sh',
      args: ['-c', NO_CORE_DUMP, 'sh', ...node],
      env: {
        PATH: command.programFolders,
        HOME: '/nonexistent',
        SOTTO_WORK_DIR: workFolder,
        ...MEMORY_ENV,
      },
      logPath,
    },
    GRACE_MS,
  );
  const server = await start.catch((thrown: unknown) => {
    throw agentFailed(reasonOf(thrown));
  });
  cleanup.use(server);
  const running = cleanup.move();
  return {
    pid: server.pid,
    startedMs,
    logPath,
    workFolder,
    url: `http://127.0.0.1:${port}`,
    server,
    logLines: async () => jsonLines(await readFile(logPath, 'utf8')),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Whole JSON lines; anything else that a process writes there is no line of the log. */
function jsonLines(text: string): readonly JsonObject[] {
  return text.split('\n').flatMap((line) => {
    if (!line.startsWith('{')) return [];
    try {
      const parsed = parseJson(line);
      return isJsonObject(parsed) ? [parsed] : [];
    } catch {
      return [];
    }
  });
}

/** Bytes in RAM, shared pages included; undefined where the system does not tell. */
export function residentBytes(pid: number): number | undefined {
  try {
    const line = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return line?.[1] === undefined ? undefined : Number(line[1]) * 1024;
  } catch {
    return undefined;
  }
}
