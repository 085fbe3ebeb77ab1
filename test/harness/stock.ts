import { spawn } from 'node:child_process';
import type { ToolName } from '../../src/demo/tools.ts';
import { toolPath } from './real.ts';

export interface StockRun {
  readonly code: number | null;
  /** Bytes: what stock tools print can be a value that is not text. */
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface StockOptions {
  readonly stdin?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 60_000;

/**
 * Runs a stock tool. Its standard input is a socket: sops reads it when it is given `--filename-override` and no
 * file, but cannot open it as /dev/stdin. Any exit code is a result; only a tool that does not start or does
 * not end throws.
 */
export function runStock(tool: ToolName, args: readonly string[], options: StockOptions = {}): Promise<StockRun> {
  return runProgram(toolPath(tool), args, options);
}

/** Like runStock, for fixtures: anything but exit code 0 throws with what the tool said. */
export async function stockOutput(
  tool: ToolName,
  args: readonly string[],
  options: StockOptions = {},
): Promise<Buffer> {
  const { code, stdout, stderr } = await runStock(tool, args, options);
  if (code !== 0) throw new Error(`${tool} ${args.join(' ')} ended with ${String(code)}: ${stderr}`);
  return stdout;
}

export interface AgeKeyPair {
  readonly recipient: string;
  readonly identity: string;
}

export async function newAgeKeyPair(): Promise<AgeKeyPair> {
  const text = (await stockOutput('age-keygen', [])).toString();
  const recipient = /age1[0-9a-z]+/.exec(text)?.[0];
  const identity = /AGE-SECRET-KEY-1[0-9A-Z]+/.exec(text)?.[0];
  if (recipient === undefined || identity === undefined) throw new Error('age-keygen printed no key pair');
  return { recipient, identity };
}

/** Nothing of the person who runs the tests gets in: no home, no configuration, no keys, no cluster. */
async function runProgram(program: string, args: readonly string[], options: StockOptions): Promise<StockRun> {
  const env = { PATH: process.env['PATH'], HOME: '/nonexistent', LC_ALL: 'C.UTF-8', ...options.env };
  const child = spawn(program, args, {
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: options.timeoutMs ?? TIMEOUT_MS,
    killSignal: 'SIGKILL',
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (piece: Buffer) => stdout.push(piece));
  child.stderr.on('data', (piece: Buffer) => stderr.push(piece));
  // A tool may end without reading its input.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.stdin ?? '');
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (child.signalCode !== null) throw new Error(`${program} ${args.join(' ')} was ended by ${child.signalCode}`);
  return { code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() };
}
