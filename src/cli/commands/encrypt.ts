import type { Command } from 'commander';
import { SottoError } from '../../core/errors.ts';
import { stringAt } from '../../core/json.ts';
import type { CreationRule } from '../../sops/creation-rule.ts';
import { ENC_START } from '../../sops/enc.ts';
import { encryptFile } from '../../sops/encrypt-file.ts';
import type { Selector } from '../../sops/selector.ts';
import { LOCAL_LIMITS } from '../../yaml/limits.ts';
import { readManifests } from '../../yaml/manifest.ts';
import type { CommandContext } from '../context.ts';
import { findCreationRule } from '../creation-rules.ts';
import { fileFormat } from '../file-format.ts';
import type { InputFile } from '../files.ts';
import { readInput, textOf } from '../files.ts';
import type { FileFlags } from '../options.ts';
import { addFileOptions, addRecipientOptions, errorFormOption, keyServiceOption } from '../options.ts';
import { writeData } from '../output.ts';
import { namedKeys, type RecipientFlags, recipientsOf } from '../recipients.ts';
import { refuseStdinInPlace, writeInPlace } from '../write-in-place.ts';

interface EncryptFlags extends FileFlags, RecipientFlags {
  readonly encryptedRegex?: string;
}

const EXAMPLES = `
Recipients: --age and --pgp, else SOPS_AGE_RECIPIENTS and SOPS_PGP_FP, else the first rule that matches in the .sops.yaml
found upwards, with its key groups. The public keys of --pgp come from --pgp-key: keyrings are not read. A key service that the rule
names is asked only where --key-service or the person's own variables name it too.
What is encrypted: --encrypted-regex, else what that rule says; else data and stringData of a Secret; of any other file
everything, as in sops.

A name that ends in .yaml, .yml, .json, .env or .ini tells the format; every other file is encrypted as one value.

Examples:
  sotto encrypt -i deploy/db.yaml
  sotto encrypt --age age1… deploy/db.yaml > deploy/db.enc.yaml
  kubectl create secret generic db --from-file=password --dry-run=client -o yaml | sotto encrypt --filename deploy/db.yaml -

Exit code: 0 encrypted, 2 input, rules or usage, 4 a key service is not allowed or wrapped no key.`;

export function register(program: Command, context: CommandContext): void {
  const command = program
    .command('encrypt')
    .description('encrypt a file as sops does')
    .argument('<file>', 'YAML, JSON, dotenv, INI or any other file in clear; - for stdin')
    .option('--encrypted-regex <regex>', 'encrypt the values below keys that match')
    .addOption(keyServiceOption());
  addRecipientOptions(command);
  addFileOptions(command)
    .addOption(errorFormOption())
    .addHelpText('after', EXAMPLES)
    .action((file: string, flags: EncryptFlags) => encrypt(file, flags, context));
}

async function encrypt(file: string, flags: EncryptFlags, context: CommandContext): Promise<void> {
  refuseStdinInPlace(file, flags);
  const input = await readInput(context, file, flags.filename);
  const format = fileFormat(input.name, flags);
  const given = namedKeys(flags, context.env);
  const rule = await ruleFor(input, given.length > 0, context);
  const named = given.length > 0 ? { groups: [given], threshold: 1 } : rule;
  if (named === undefined || named.groups.length === 0) throw noRecipient(input);
  const recipients = await recipientsOf(context, named, flags, input.name);
  const isTree = format === 'yaml' || format === 'json';
  const ofSecret = isTree && isSecrets(textOf(input), input.name) ? SECRET_SELECTOR : undefined;
  const selector = selectorOf(flags, rule) ?? ofSecret;
  const encrypted = await encryptFile(input.bytes, {
    format,
    file: input.name,
    recipients,
    selector,
    macOnlyEncrypted: rule?.macOnlyEncrypted ?? false,
    now: new Date(),
  });
  // An empty file has no value at all.
  if (format !== 'binary' && !encryptsAnything(encrypted)) throw nothingEncrypted(input.name);
  if (flags.inPlace === true) writeInPlace(input.path, input.name, new TextEncoder().encode(encrypted));
  else await writeData(context, encrypted);
}

/** Recipients of the command line replace those of the rule; its selector stays in force, as in sops. */
async function ruleFor(input: InputFile, isNamed: boolean, context: CommandContext): Promise<CreationRule | undefined> {
  try {
    return await findCreationRule(context, input.path, { selectorOnly: isNamed });
  } catch (thrown) {
    // Whoever names the recipients needs no rule for the file.
    if (thrown instanceof SottoError && thrown.code === 'SOTTO-SOPS-019' && isNamed) return undefined;
    throw thrown;
  }
}

const SECRET_SELECTOR: Selector = { kind: 'encrypted_regex', value: '^(data|stringData)$' };

function selectorOf(flags: EncryptFlags, rule: CreationRule | undefined): Selector | undefined {
  if (flags.encryptedRegex !== undefined) return { kind: 'encrypted_regex', value: flags.encryptedRegex };
  return rule?.selector;
}

/** With encrypted identity fields no tool could tell what the object is, so a Secret has a selector of its own. */
function isSecrets(text: string, name: string): boolean {
  const documents = readManifests(text, name, LOCAL_LIMITS);
  return documents.length > 0 && documents.every(({ value }) => stringAt(value, 'kind') === 'Secret');
}

/** The message authentication code alone is one encrypted value. */
function encryptsAnything(encrypted: string): boolean {
  return encrypted.split(ENC_START).length > 2;
}

function noRecipient(input: InputFile): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-007',
    what: 'nobody is named to encrypt for',
    file: input.name,
    why: 'there is no --age or --pgp, no SOPS_AGE_RECIPIENTS or SOPS_PGP_FP, and no .sops.yaml upwards from here whose rule names one',
    next: `sotto encrypt --age age1… ${input.name}, with the recipient that age-keygen -y keys.txt prints`,
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
