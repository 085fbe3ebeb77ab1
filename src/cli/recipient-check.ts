import { SottoError } from '../core/errors.ts';
import type { CreationRule, RuleKey } from '../sops/creation-rule.ts';
import { holderOf, type KeyEntry } from '../sops/key-entry.ts';
import type { SopsMetadata } from '../sops/metadata.ts';
import { bareFingerprint } from '../sops/pgp.ts';
import { serviceKeyName, serviceKeyTitle } from '../sops/service-key.ts';
import type { CommandContext } from './context.ts';
import { findCreationRule, type RuleFiles } from './creation-rules.ts';
import type { InputFile } from './files.ts';
import { say } from './output.ts';

/**
 * Before anything is encrypted anew: nothing vouches for the keys that a file names, so whoever can write it could add
 * one and wait. Where .sops.yaml has a rule for the file, its keys are the only ones, in its groups.
 */
export async function checkAgainstRules(
  context: CommandContext,
  input: InputFile,
  metadata: SopsMetadata,
  files?: RuleFiles,
): Promise<void> {
  const rule = await ruleOf(context, input, files);
  if (rule === undefined || rule.groups.length === 0) return;
  const planted = plantedKeys(metadata.groups, rule.groups);
  if (planted.length > 0) throw notInRule(input.name, metadata.line, planted);
  const needed = metadata.groups.length > 1 ? metadata.threshold : 1;
  if (needed < rule.threshold) throw weaker(input.name, metadata.line, needed, rule.threshold);
  const held = metadata.groups.flat().map(nameOfEntry);
  const missing = rule.groups.flat().filter((key) => !held.some((name) => isSame(name, nameOfKey(key))));
  if (missing.length > 0) {
    await say(
      context,
      `note: ${input.name} is not encrypted for ${missing.map(titleOf).join(', ')}, which .sops.yaml names`,
    );
  }
}

/** Groups are compared by their place where there are as many, as sops does; else all of them together. */
function plantedKeys(groups: SopsMetadata['groups'], wanted: CreationRule['groups']): string[] {
  const all = wanted.flat().map(nameOfKey);
  return groups.flatMap((group, index) => {
    const allowed = groups.length === wanted.length ? (wanted[index] ?? []).map(nameOfKey) : all;
    return group.filter((entry) => !allowed.some((name) => isSame(nameOfEntry(entry), name))).map(holderOf);
  });
}

/** A rule may leave the version of an Azure key away: the file has the one that was newest then. */
function isSame(held: string, wanted: string): boolean {
  return held === wanted || (wanted.startsWith('azure_kv ') && wanted.endsWith('/') && held.startsWith(wanted));
}

function nameOfKey(key: RuleKey): string {
  switch (key.kind) {
    case 'age':
      return `age ${key.recipient}`;
    case 'pgp':
      return `pgp ${bareFingerprint(key.fingerprint)}`;
    case 'vault':
    case 'kms':
    case 'gcp_kms':
    case 'azure_kv':
      return `${key.kind} ${serviceKeyName(key)}`;
    default:
      return key satisfies never;
  }
}

function nameOfEntry(entry: KeyEntry): string {
  if (entry.kind === 'age') return `age ${entry.recipient.trim()}`;
  return entry.kind === 'other' ? `other ${holderOf(entry)}` : nameOfKey(entry);
}

function titleOf(key: RuleKey): string {
  if (key.kind === 'age') return key.recipient;
  return key.kind === 'pgp' ? `OpenPGP key ${key.fingerprint}` : serviceKeyTitle(key);
}

async function ruleOf(
  context: CommandContext,
  input: InputFile,
  files: RuleFiles | undefined,
): Promise<CreationRule | undefined> {
  try {
    return await findCreationRule(context, input.path, files === undefined ? {} : { files });
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

function weaker(file: string, line: number, needed: number, wanted: number): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-063',
    what: 'the file opens with fewer key groups than .sops.yaml wants',
    why: `${needed} ${needed === 1 ? 'is' : 'are'} enough for the file, and the rule wants ${wanted}`,
    next: 'decrypt it and encrypt it anew: sotto decrypt -i, sotto encrypt -i',
    file,
    line,
    key: 'sops',
  });
}
