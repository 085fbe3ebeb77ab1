import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { shellWord } from '../../src/core/shell-word.ts';
import { eventually } from './world.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** sotto at a terminal of its own. */
export interface TerminalSession extends AsyncDisposable {
  /** All that the terminal has shown until now. */
  shown(): string;
  says(text: string): Promise<void>;
  /** Keys as a terminal sends them. */
  type(keys: string): void;
  ended(): Promise<number | null>;
}

/** What the terminal is set to when the command has ended is its last output. */
const AFTERWARDS = 'code=$?; stty -a; exit $code';

/** `script` of util-linux gives it a real pseudo terminal, whose settings sotto changes and has to restore. */
export function startAtTerminal(
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): TerminalSession {
  const command = [process.execPath, join(ROOT, 'src/main.ts'), ...args].map(shellWord).join(' ');
  const child = spawn('script', ['-qefc', `${command}; ${AFTERWARDS}`, '/dev/null'], {
    cwd,
    env: { PATH: process.env['PATH'], HOME: cwd, SHELL: '/bin/sh', TERM: 'dumb', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const pieces: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => pieces.push(text));
  const exited = once(child, 'close').then(() => child.exitCode);
  const shown = (): string => pieces.join('');
  return {
    shown,
    says: async (text) => {
      await eventually(`the terminal shows ${text}`, () => {
        if (!shown().includes(text) && child.exitCode !== null) throw new Error(`it ended: ${shown()}`);
        return Promise.resolve(shown().includes(text) ? true : undefined);
      });
    },
    type: (keys) => void child.stdin.write(keys),
    ended: () => exited,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null) child.kill('SIGKILL');
      await exited;
    },
  };
}
