import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { basename } from 'node:path';

export interface ServerCommand {
  readonly program: string;
  readonly args: readonly string[];
  /** Nothing of this process's environment is handed down; default: an empty one. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  readonly cwd?: string | undefined;
  /** Its standard output and error go here. */
  readonly logPath: string;
}

/** A program that runs until it is stopped. */
export interface RunningServer extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  /** Throws with the end of its log when it is not running any more. */
  assertRunning(): Promise<void>;
  /** SIGTERM, after a grace SIGKILL, by pid; resolves when it is gone. */
  stop(): Promise<void>;
}

const SETPRIV = '/usr/bin/setpriv';
const LOG_TAIL_CHARS = 2_000;

/**
 * Starts a server that cannot outlive this process: where the system has setpriv, the kernel kills the child
 * when its parent dies, however it dies.
 */
export async function startServer(command: ServerCommand, graceMs = 2_000): Promise<RunningServer> {
  const log = await open(command.logPath, 'a', 0o600);
  const dieWithParent = existsSync(SETPRIV) ? [SETPRIV, '--pdeathsig', 'KILL', '--'] : [];
  const [program = command.program, ...args] = [...dieWithParent, command.program, ...command.args];
  const child = spawn(program, args, {
    stdio: ['ignore', log.fd, log.fd],
    env: command.env ?? {},
    ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
  });
  await log.close();
  const exited = exitOf(child);
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${command.program} did not start: ${await exited}`);
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    const kill = setTimeout(() => child.kill('SIGKILL'), graceMs);
    await exited;
    clearTimeout(kill);
  };
  return {
    name: basename(command.program),
    pid,
    stop,
    async assertRunning() {
      if (child.exitCode === null && child.signalCode === null) return;
      throw new Error(`${command.program}: ${await exited}\n${await logTail(command.logPath)}`);
    },
    [Symbol.asyncDispose]: stop,
  };
}

function exitOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(`ended with ${code === null ? String(signal) : `code ${code}`}`));
  });
}

async function logTail(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.slice(-LOG_TAIL_CHARS);
}

/** Ports of 127.0.0.1 that were free a moment ago. All are held until all are known, so they differ. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  await Promise.all(
    servers.map((server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
