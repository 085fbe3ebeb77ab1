import { spawn } from 'node:child_process';
import { shellWord } from '../../src/core/shell-word.ts';
import { toolPath } from './real.ts';

/** Stock age takes a passphrase from a terminal only: script makes one. Its exit code. */
export async function ageAtTerminal(cwd: string, args: readonly string[], passphrase: string): Promise<number | null> {
  const command = [toolPath('age'), ...args].map(shellWord).join(' ');
  const child = spawn('script', ['-qec', command, '/dev/null'], { cwd });
  child.stdout.on('data', (text: Buffer) => {
    if (/(?:Enter|Confirm) passphrase/.test(text.toString())) child.stdin.write(`${passphrase}\n`);
  });
  return new Promise((resolve) => child.once('close', resolve));
}
