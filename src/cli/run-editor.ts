import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { SottoError } from '../core/errors.ts';
import { commandWords } from './command-words.ts';
import type { CommandContext } from './context.ts';
import { KEY_COMMANDS } from './key-commands.ts';

/** Opens a file in the editor of the person and waits for its end. Throws SOTTO-CLI-093 and -094. */
export async function runEditor(context: CommandContext, path: string): Promise<void> {
  const [program, ...args] = editorOf(context.env);
  if (program === undefined) throw noEditor();
  const child = spawn(program, [...args, path], { cwd: context.cwd, env: withoutKeys(context.env), stdio: 'inherit' });
  const stop = (): void => void child.kill('SIGTERM');
  context.signal.addEventListener('abort', stop, { once: true });
  try {
    const exit = await new Promise<number | null>((resolve, reject) => {
      child.once('error', () => reject(failed(program, 'it does not start')));
      child.once('close', resolve);
    });
    if (exit !== 0) throw failed(program, exit === null ? 'it was stopped' : `it ended with ${exit}`);
  } finally {
    context.signal.removeEventListener('abort', stop);
  }
}

/** As sops looks: SOPS_EDITOR, EDITOR, then the usual ones. Words are parted like in a shell, and no shell is run. */
function editorOf(env: CommandContext['env']): string[] {
  const named = [env['SOPS_EDITOR'], env['EDITOR']].find((text) => (text ?? '').trim() !== '');
  if (named !== undefined) return commandWords(named);
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const found = ['vim', 'nano', 'vi'].find((name) => folders.some((folder) => isProgram(join(folder, name))));
  return found === undefined ? [] : [found];
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Neither the editor nor what it starts needs a private key, or a command that prints one. */
function withoutKeys(env: CommandContext['env']): Record<string, string> {
  const kept = Object.entries(env).filter(
    ([name]) => name !== 'SOPS_AGE_KEY' && !KEY_COMMANDS.some((each) => each === name),
  );
  return Object.fromEntries(kept.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

function noEditor(): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-093',
    what: 'there is no editor',
    why: 'neither SOPS_EDITOR nor EDITOR names one, and vim, nano and vi are not in PATH',
    next: 'EDITOR=… sotto edit FILE, or change single values: sotto secret set FILE PATH',
  });
}

function failed(program: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-094',
    what: `the editor ${program} failed, and nothing was written`,
    why,
    next: 'set EDITOR to a command that waits until the file is closed, such as: code --wait',
  });
}
