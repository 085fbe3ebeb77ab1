import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { SottoError } from '../../core/errors.ts';
import { parseSettings } from '../../settings/parse.ts';
import type { Settings } from '../../settings/settings.ts';
import type { CommandContext } from '../context.ts';
import { findUpwards } from '../working-tree.ts';

export interface FoundSettings {
  readonly file: string;
  readonly text: string;
  readonly settings: Settings;
}

/** The file that is named, or the sotto.yaml from the working directory upwards; undefined when there is none. */
export async function findSettings(
  named: string | undefined,
  context: CommandContext,
): Promise<FoundSettings | undefined> {
  const folder = named === undefined ? await findUpwards(context.cwd, 'sotto.yaml') : undefined;
  if (named === undefined && folder === undefined) return undefined;
  const file = named === undefined ? join(folder ?? '', 'sotto.yaml') : resolve(context.cwd, named);
  const text = await readFile(file, 'utf8').catch(() => {
    throw unreadable(named ?? file);
  });
  const parsed = parseSettings(text, named ?? 'sotto.yaml');
  if (parsed.ok) return { file, text, settings: parsed.settings };
  throw parsed.problems[0] ?? unreadable(file);
}

function unreadable(file: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CONF-012',
    what: 'the settings cannot be read',
    why: 'the file does not exist or may not be read',
    next: 'name another one with --config FILE',
    file,
  });
}
