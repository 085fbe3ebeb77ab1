import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { World } from './world.ts';

const ROOT = join(import.meta.dirname, '..', '..');

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `sotto agent --once` to its end. Any exit code is a result. */
export async function runOnce(world: World, args: readonly string[] = [], kubeconfig?: string): Promise<Ended> {
  const config = kubeconfig ?? world.own.account.kubeconfigPath;
  const ended = await runSotto(['agent', '--once', '-n', world.namespace, '--kubeconfig', config, ...args]);
  world.leaks.output(ended.stdout + ended.stderr);
  return ended;
}

/** A command that goes on while the test does something else. */
export function startSotto(args: readonly string[]) {
  return spawn(process.execPath, [join(ROOT, 'src/main.ts'), ...args], {
    env: { PATH: process.env['PATH'], HOME: '/nonexistent' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

export async function runSotto(args: readonly string[]): Promise<Ended> {
  const child = startSotto(args);
  const [stdout, stderr]: [string[], string[]] = [[], []];
  child.stdout.setEncoding('utf8').on('data', (text: string) => stdout.push(text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => stderr.push(text));
  await once(child, 'close');
  return { code: child.exitCode, stdout: stdout.join(''), stderr: stderr.join('') };
}
