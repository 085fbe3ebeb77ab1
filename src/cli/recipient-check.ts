import { SottoError } from '../core/errors.ts';
import { isServiceEntry } from '../sops/key-entry.ts';
import { SERVICE_LISTS, serviceKeyName } from '../sops/service-key.ts';
import type { SopsMetadata } from '../sops/metadata.ts';
import type { CommandContext } from './context.ts';
import { findCreationRule } from './creation-rules.ts';
import type { InputFile } from './files.ts';
import { say } from './output.ts';

/**
 * Before anything is encrypted anew: nothing vouches for the recipients that a file names, so whoever can write it
 * could add one and wait. Where .sops.yaml has a rule for the file, its recipients are the only ones.
 */
export async function checkAgainstRules(
  context: CommandContext,
  input: InputFile,
  metadata: SopsMetadata,
): Promise<void> {
  const rule = await ruleOf(context, input);
  if (rule === undefined || rule.length === 0) return;
  const services = metadata.groups.flat().filter((entry) => isServiceEntry(entry));
  const held = [...metadata.age.map(({ recipient }) => recipient.trim()), ...services.map(serviceKeyName)];
  const others = metadata.otherKeys.filter((list) => !SERVICE_NAMES.includes(list));
  const planted = [...held.filter((recipient) => !rule.includes(recipient)), ...others];
  if (planted.length > 0) throw notInRule(input.name, metadata.line, planted);
  const missing = rule.filter((recipient) => !held.includes(recipient));
  if (missing.length > 0) {
    await say(context, `note: ${input.name} is not encrypted for ${missing.join(', ')}, which .sops.yaml names`);
  }
}

const SERVICE_NAMES: readonly string[] = Object.values(SERVICE_LISTS);

async function ruleOf(context: CommandContext, input: InputFile): Promise<readonly string[] | undefined> {
  try {
    const rule = await findCreationRule(context, input.path);
    return rule && [...rule.recipients, ...rule.services.map(serviceKeyName)];
  } catch (thrown) {
    // No rule speaks of this file.
    if (thrown instanceof SottoError && thrown.code === 'SOTTO-SOPS-019') return undefined;
    throw thrown;
  }
}

function notInRule(file: string, line: number, planted: readonly string[]): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-091',
    what: 'the file is encrypted for somebody whom .sops.yaml does not name',
    why: `the file names ${planted.join(', ')}; nothing vouches for that, and what is written now would be readable there`,
    next: 'add the recipient to the rule in .sops.yaml, or take it out of the file: sops updatekeys',
    file,
    line,
    key: 'sops',
  });
}
