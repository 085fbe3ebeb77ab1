import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts, startServer } from '../src/demo/child-process.ts';

/** How the agent is started: the bundle, or the sources where there is none. */
export interface AgentProgram {
  readonly path: string;
  readonly isBundle: boolean;
}

export interface AgentCommand {
  readonly program: AgentProgram;
  readonly kubeconfig: string;
  readonly namespace: string;
  readonly logPath: string;
  /** PATH: where kustomize is found. */
  readonly searchPath: string;
  readonly signal: AbortSignal;
}

/** A running agent, looked at from outside. */
export interface AgentProcess extends AsyncDisposable {
  readonly pid: number;
  /** `performance.now()` just before it was started. */
  readonly startedMs: number;
  /** Sums of a counter over the label sets that hold all of `labels`; 0 while there is none. */
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number>;
  /** The moment at which a pass had ended: everything in Git was read and judged against what is live. */
  passed(): Promise<number>;
  memory(): Promise<Memory>;
  stop(): Promise<void>;
}

/** Bytes, as the kernel counts them (/proc/PID/smaps_rollup). */
export interface Memory {
  readonly rss: number;
  /** Pages that no other process shares: what a further agent on the machine costs. */
  readonly private: number;
  readonly anonymous: number;
}

const PASS_POLL_MS = 10;
const PASS_TIMEOUT_MS = 180_000;

/** `wanted`, else the bundle of `npm run build`, else the sources. */
export function agentProgram(root: string, wanted: string | undefined): AgentProgram {
  if (wanted !== undefined) return { path: wanted, isBundle: wanted.endsWith('.cjs') };
  const bundle = join(root, 'dist', 'sotto.cjs');
  if (existsSync(bundle)) return { path: bundle, isBundle: true };
  return { path: join(root, 'src', 'main.ts'), isBundle: false };
}

/** The flags and environment of docs/runtime.md. The kernel ends the agent when the benchmark is killed. */
export async function startAgent(command: AgentCommand): Promise<AgentProcess> {
  const memoryVolume = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const workDir = await mkdtemp(join(memoryVolume, 'sotto-bench-'));
  const [port = 0] = await freePorts(1);
  const startedMs = performance.now();
  const server = await startServer({
    program: process.execPath,
    args: [
      '--disable-sigusr1',
      '--max-semi-space-size=1',
      '--v8-pool-size=1',
      ...(process.env['SOTTO_BENCH_NODE_FLAGS'] ?? '').split(' ').filter((flag) => flag !== ''),
      command.program.path,
      'agent',
      '-n',
      command.namespace,
      '--kubeconfig',
      command.kubeconfig,
      '--listen',
      `127.0.0.1:${port}`,
    ],
    env: {
      PATH: command.searchPath,
      HOME: '/nonexistent',
      SOTTO_WORK_DIR: workDir,
      MALLOC_ARENA_MAX: '1',
      GLIBC_TUNABLES: 'glibc.malloc.perturb=165:glibc.malloc.tcache_count=0',
    },
    logPath: command.logPath,
  });
  const connections = new Agent({ keepAlive: true });
  const metrics = (): Promise<string | undefined> => page(connections, `http://127.0.0.1:${port}/metrics`);
  const stop = async (): Promise<void> => {
    connections.destroy();
    await server.stop();
    await rm(workDir, { recursive: true, force: true });
  };
  return {
    pid: server.pid,
    startedMs,
    async metric(name, labels = {}) {
      return sumOf((await metrics()) ?? '', name, labels);
    },
    async passed() {
      const deadlineMs = performance.now() + PASS_TIMEOUT_MS;
      while (performance.now() < deadlineMs) {
        await server.assertRunning();
        if (sumOf((await metrics()) ?? '', 'sotto_passes_total', {}) > 0) return performance.now();
        await sleep(PASS_POLL_MS, undefined, { signal: command.signal });
      }
      throw new Error(`no pass ended, see ${command.logPath}`);
    },
    memory: () => memoryOf(server.pid),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Undefined while nobody listens. */
function page(agent: Agent, url: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    get(url, { agent, timeout: 10_000 }, (incoming) => {
      let text = '';
      incoming.setEncoding('utf8').on('data', (piece: string) => void (text += piece));
      incoming.once('end', () => resolve(text));
      incoming.once('error', () => resolve(undefined));
    }).once('error', () => resolve(undefined));
  });
}

/** Sum over all samples of a metric that have these labels. */
export function sumOf(text: string, name: string, labels: Readonly<Record<string, string>>): number {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter((line) => wanted.every((label) => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

async function memoryOf(pid: number): Promise<Memory> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
  const bytes = (field: string): number => Number(new RegExp(`^${field}: +(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
  return {
    rss: bytes('Rss'),
    private: bytes('Private_Clean') + bytes('Private_Dirty'),
    anonymous: bytes('Anonymous'),
  };
}
