import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './deploy.ts';

const run = promisify(execFile);

/** Programs that a documented line needs and that are not on this machine. */
export function missingPrograms(names: readonly string[]): readonly string[] {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return names.filter((name) => !folders.some((folder) => existsSync(join(folder, name))));
}

/** The block of a page that begins so, as it stands there. */
export async function documentedBlock(page: string, beginning: string): Promise<string> {
  const text = await readFile(join(ROOT, page), 'utf8');
  const blocks = [...text.matchAll(/^```\w*\n(.*?)^```$/gms)].map((match) => match[1] ?? '');
  const found = blocks.find((block) => block.startsWith(beginning));
  if (found === undefined) throw new Error(`${page} has no block that begins with ${beginning}`);
  return found;
}

/** Runs lines for the shell, as somebody pastes them. Throws what they print when they fail. */
export async function runLines(
  lines: string,
  options: { readonly cwd: string; readonly kubeconfig: string; readonly path?: readonly string[] },
): Promise<string> {
  const PATH = [...(options.path ?? []), process.env['PATH'] ?? ''].join(delimiter);
  const env = { PATH, HOME: options.cwd, KUBECONFIG: options.kubeconfig };
  const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', lines], { cwd: options.cwd, env });
  return stdout;
}
