import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { eventually } from './world.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** A command that goes on until it is told to stop. */
export interface RunningCommand extends AsyncDisposable {
  stdout(): string;
  stderr(): string;
  /** Waits until its output says so. */
  says(text: string | RegExp): Promise<void>;
  end(signal: NodeJS.Signals): Promise<number | null>;
  ended(): Promise<number | null>;
}

export function startCommand(args: readonly string[], env: Readonly<Record<string, string>> = {}): RunningCommand {
  const child = spawn(process.execPath, [join(ROOT, 'src/main.ts'), ...args], {
    env: { PATH: process.env['PATH'], HOME: '/nonexistent', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr]: [string[], string[]] = [[], []];
  child.stdout.setEncoding('utf8').on('data', (text: string) => stdout.push(text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => stderr.push(text));
  const exited = once(child, 'close').then(() => child.exitCode);
  const says = async (text: string | RegExp): Promise<void> => {
    const isSaid = (): boolean => {
      const all = [...stdout, ...stderr].join('');
      return typeof text === 'string' ? all.includes(text) : text.test(all);
    };
    await eventually(`the command says ${String(text)}`, () => {
      if (!isSaid() && child.exitCode !== null) throw new Error(`it ended: ${[...stdout, ...stderr].join('')}`);
      return Promise.resolve(isSaid() ? true : undefined);
    });
  };
  return {
    stdout: () => stdout.join(''),
    stderr: () => stderr.join(''),
    says,
    ended: () => exited,
    end: (signal) => {
      child.kill(signal);
      return exited;
    },
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null) child.kill('SIGKILL');
      await exited;
    },
  };
}
