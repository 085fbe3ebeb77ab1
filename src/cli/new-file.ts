import { accessSync, constants, existsSync } from 'node:fs';
import { dirname, sep } from 'node:path';
import { SottoError } from '../core/errors.ts';
import { stringAt } from '../core/json.ts';
import { textOfBytes } from '../sops/changeable.ts';
import type { CreationRule } from '../sops/creation-rule.ts';
import { ENC_START } from '../sops/enc.ts';
import { encryptFile } from '../sops/encrypt-file.ts';
import type { Selector } from '../sops/selector.ts';
import type { KeyGroups } from '../sops/wrap.ts';
import { LOCAL_LIMITS } from '../yaml/limits.ts';
import { readManifests } from '../yaml/manifest.ts';
import type { Surroundings } from './context.ts';
import { findCreationRule, type RuleFiles } from './creation-rules.ts';
import type { FileFormat } from './file-format.ts';
import type { InputFile } from './files.ts';
import { namedKeys, type RecipientFlags, recipientsOf } from './recipients.ts';

/** A file that is not encrypted yet, or is not there yet. */
export type NewFile = Pick<InputFile, 'path' | 'name'>;

/** Whom a file is to be encrypted for, and what of it. */
export interface NewFileKeys {
  readonly recipients: KeyGroups;
  readonly rule: CreationRule | undefined;
}

/** Recipients of flags and variables, else of the rule of `.sops.yaml`, as in sops. Throws SottoError. */
export async function keysOfNewFile(
  around: Surroundings,
  file: NewFile,
  flags: RecipientFlags,
  command: string,
  files?: RuleFiles,
): Promise<NewFileKeys> {
  const given = namedKeys(flags, around.env);
  const rule = await ruleFor(around, file, { isNamed: given.length > 0, files });
  const named = given.length > 0 ? { groups: [given], threshold: 1 } : rule;
  if (named === undefined || named.groups.length === 0) throw noRecipient(file, command);
  return { recipients: await recipientsOf(around, named, flags, file.name), rule };
}

/** Encrypts clear text with a new data key. Throws SottoError, also when nothing of it would be encrypted. */
export async function encryptNewFile(
  clear: Uint8Array,
  { name }: NewFile,
  format: FileFormat,
  { recipients, rule }: NewFileKeys,
  encryptedRegex?: string,
): Promise<string> {
  const isTree = format === 'yaml' || format === 'json';
  const given: Selector | undefined =
    encryptedRegex === undefined ? rule?.selector : { kind: 'encrypted_regex', value: encryptedRegex };
  const ofSecret = isTree && isSecrets(textOfBytes(clear, name), name, format) ? SECRET_SELECTOR : undefined;
  const encrypted = await encryptFile(clear, {
    format,
    file: name,
    recipients,
    selector: given ?? ofSecret,
    macOnlyEncrypted: rule?.macOnlyEncrypted ?? false,
    now: new Date(),
  });
  // An empty file has no value at all.
  if (format !== 'binary' && !encryptsAnything(encrypted)) throw nothingEncrypted(name);
  return encrypted;
}

/** True when the file is to be made: then its folder must be there, and writable. Throws SOTTO-CLI-250. */
export function isToBeMade({ path, name }: NewFile): boolean {
  if (existsSync(path)) return false;
  const folder = dirname(path);
  const why = cannotHold(folder);
  if (why === undefined) return true;
  throw new SottoError({
    code: 'SOTTO-CLI-250',
    what: 'a new file cannot be made there',
    why,
    next: existsSync(folder) ? 'name a file in a folder of yours' : `mkdir -p ${dirname(name)}`,
    file: name,
  });
}

function cannotHold(folder: string): string | undefined {
  try {
    // With the dot a file is none, however long the path is.
    accessSync(`${folder}${sep}.`, constants.F_OK);
  } catch {
    return 'its folder does not exist';
  }
  try {
    accessSync(folder, constants.W_OK);
    return undefined;
  } catch {
    return 'the permissions of its folder do not allow it';
  }
}

/** A file that exists is encrypted for those it names, whatever flags say. */
export function refuseRecipients(flags: RecipientFlags, name: string): void {
  if (flags.age === undefined && flags.pgp === undefined && flags.pgpKey === undefined) return;
  throw new SottoError({
    code: 'SOTTO-CLI-251',
    what: 'the recipients of an encrypted file are not changed by this command',
    why: '--age, --pgp and --pgp-key are for a file that is made anew, and this one exists',
    next: 'leave them out; recipients are changed with: sotto recipients add',
    file: name,
  });
}

/** Recipients of the command line replace those of the rule; its selector stays in force, as in sops. */
async function ruleFor(
  around: Surroundings,
  file: NewFile,
  { isNamed, files }: { readonly isNamed: boolean; readonly files: RuleFiles | undefined },
): Promise<CreationRule | undefined> {
  try {
    return await findCreationRule(around, file.path, { selectorOnly: isNamed, ...(files && { files }) });
  } catch (thrown) {
    // Whoever names the recipients needs no rule for the file.
    if (thrown instanceof SottoError && thrown.code === 'SOTTO-SOPS-019' && isNamed) return undefined;
    throw thrown;
  }
}

const SECRET_SELECTOR: Selector = { kind: 'encrypted_regex', value: '^(data|stringData)$' };

/** With encrypted identity fields no tool could tell what the object is, so a Secret has a selector of its own. */
function isSecrets(text: string, name: string, format: 'yaml' | 'json'): boolean {
  const documents = readManifests(text, name, LOCAL_LIMITS, format);
  return documents.length > 0 && documents.every(({ value }) => stringAt(value, 'kind') === 'Secret');
}

/** The message authentication code alone is one encrypted value. */
function encryptsAnything(encrypted: string): boolean {
  return encrypted.split(ENC_START).length > 2;
}

function noRecipient({ name }: NewFile, command: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-007',
    what: 'nobody is named to encrypt for',
    file: name,
    why: 'there is no --age or --pgp, no SOPS_AGE_RECIPIENTS or SOPS_PGP_FP, and no .sops.yaml upwards from here whose rule names one',
    next: `sotto ${command} --age age1… ${name}, with the recipient that age-keygen -y keys.txt prints`,
  });
}

function nothingEncrypted(name: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-012',
    what: 'the file was not written, because none of its values would be encrypted',
    file: name,
    why: 'the selector in force matches no value that is not empty',
    next: 'correct the selector in .sops.yaml, or give --encrypted-regex',
  });
}
