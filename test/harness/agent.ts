import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** The grace period of a Pod. */
const END_MS = 30_000;
const ROOT = join(import.meta.dirname, '..', '..');

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** A running agent, seen from outside: its log, its process, nothing of its inside. */
export interface RunningAgent extends AsyncDisposable {
  readonly pid: number;
  isRunning(): boolean;
  readonly log: readonly LogLine[];
  /** Everything it wrote, for the leak check. */
  output(): string;
  /** The first line, now or later, that the predicate likes. */
  line(what: string, matches: (line: LogLine) => boolean): Promise<LogLine>;
  /** Where its listener is reached from here. */
  listening(): Promise<Address>;
  /** At once, also in the middle of work. */
  kill(signal: NodeJS.Signals): Promise<number | null>;
  /** By SIGTERM, and in a world after the leak check. */
  stop(): Promise<number | null>;
  /** Resolves with the exit code when it ends by itself. */
  ended(): Promise<number | null>;
}

/** Its output is read; nothing is written to it. */
export type AgentProcess = ChildProcessByStdio<null, Readable, Readable>;

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface AgentCommand {
  readonly kubeconfig: string;
  readonly namespace: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts `sotto agent` as its users do, from the sources, with the flags of docs/runtime.md. */
export async function startAgent(command: AgentCommand): Promise<RunningAgent> {
  const flags = ['--disable-sigusr1', '--max-semi-space-size=1', '--v8-pool-size=1'];
  const args = ['agent', '-n', command.namespace, '--kubeconfig', command.kubeconfig, '--listen', '127.0.0.1:0'];
  const child = spawn(process.execPath, [...flags, join(ROOT, 'src/main.ts'), ...args, ...(command.args ?? [])], {
    env: { PATH: process.env['PATH'], HOME: '/nonexistent', MALLOC_ARENA_MAX: '1', ...command.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return observeAgent(child);
}

/** An agent that was started elsewhere; `address` is where it listens for us, if that is not where it says. */
export function observeAgent(child: AgentProcess, address?: Address): RunningAgent {
  const log: LogLine[] = [];
  const chunks: string[] = [];
  const watchers = new Set<() => void>();
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    chunks.push(text);
    rest += text;
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) log.push(JSON.parse(line) as LogLine);
    for (const watcher of watchers) watcher();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => chunks.push(text));
  const exited = once(child, 'exit');
  child.once('exit', () => {
    for (const watcher of watchers) watcher();
  });
  const output = (): string => chunks.join('');
  const kill = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    // An agent that does not end is a failed test and not a test that never ends.
    if ((await Promise.race([exited, sleep(END_MS)])) === undefined) {
      child.kill('SIGKILL');
      throw new Error(`the agent did not end within ${END_MS} ms of ${signal}\n${output()}`);
    }
    return child.exitCode;
  };
  const line: RunningAgent['line'] = (what, matches) =>
    waitUntil(what, () => log.find(matches), { watchers, isOver: () => child.exitCode !== null, output });
  return {
    pid: child.pid ?? 0,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    log,
    output,
    kill,
    stop: () => kill('SIGTERM'),
    ended: () => exited.then(() => child.exitCode),
    line,
    listening: async () => {
      const said = await line('where it listens', ({ msg }) => msg === 'listening');
      return address ?? { host: String(said['host']), port: Number(said['port']) };
    },
    [Symbol.asyncDispose]: async () => void (await kill('SIGTERM')),
  };
}

interface Waiting {
  readonly watchers: Set<() => void>;
  readonly isOver: () => boolean;
  readonly output: () => string;
}

async function waitUntil<T>(
  what: string,
  look: () => T | undefined,
  { watchers, isOver, output }: Waiting,
): Promise<T> {
  const deadlineMs = performance.now() + 60_000;
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    if (isOver() || performance.now() > deadlineMs) throw new Error(`the agent never said: ${what}\n${output()}`);
    const { promise, resolve } = Promise.withResolvers<void>();
    watchers.add(resolve);
    await Promise.race([promise, sleep(500)]);
    watchers.delete(resolve);
  }
}
