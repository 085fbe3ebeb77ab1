import { stat } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import type { CreationRule, CreationRuleOptions } from '../sops/creation-rule.ts';
import { creationRule } from '../sops/creation-rule.ts';
import type { Surroundings } from './context.ts';
import { readFileBytes, textOf } from './files.ts';

const NAME = '.sops.yaml';

/** Where configuration is looked for: the disk, or a commit. Paths are absolute. */
export interface RuleFiles {
  isFile(path: string): Promise<boolean>;
  /** Throws SottoError. */
  text(path: string): Promise<string>;
}

export const ON_DISK: RuleFiles = {
  isFile: (path) =>
    stat(path).then(
      (found) => found.isFile(),
      () => false,
    ),
  text: (path) => readFileText(path),
};
const MAX_LEVELS = 100;

/**
 * The first matching rule of the .sops.yaml that sops would use: SOPS_CONFIG, else the nearest one upwards from the
 * working directory (not from the file's folder). Undefined without such a file or without rules in it; throws
 * SOTTO-SOPS-019 when no rule matches.
 */
export async function findCreationRule(
  around: Surroundings,
  filePath: string,
  { files = ON_DISK, ...options }: Pick<CreationRuleOptions, 'selectorOnly'> & { readonly files?: RuleFiles } = {},
): Promise<CreationRule | undefined> {
  const config = await findConfig(around, files);
  if (config === undefined) return undefined;
  const text = await files.text(config);
  // sops takes the folder of its configuration off as a literal prefix; other files keep their absolute path.
  const prefix = `${dirname(config)}${sep}`;
  const path = filePath.startsWith(prefix) ? filePath.slice(prefix.length) : filePath;
  return creationRule(text, path, { ...options, file: config });
}

/** The .sops.yaml that sops would use here, whatever is in it. */
export async function findConfig(around: Surroundings, files: RuleFiles = ON_DISK): Promise<string | undefined> {
  const named = around.env['SOPS_CONFIG'] ?? '';
  if (named !== '') return resolve(around.cwd, named);
  let folder = resolve(around.cwd);
  for (let level = 0; level < MAX_LEVELS; level += 1) {
    const candidate = join(folder, NAME);
    if (await files.isFile(candidate)) return candidate;
    const parent = dirname(folder);
    if (parent === folder) return undefined;
    folder = parent;
  }
  return undefined;
}

async function readFileText(path: string): Promise<string> {
  return textOf({ path, name: path, isStdin: false, bytes: await readFileBytes(path, path) });
}
