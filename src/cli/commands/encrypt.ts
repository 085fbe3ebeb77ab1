import type { Command } from 'commander';
import { SottoError } from '../../core/errors.ts';
import { convertClear } from '../../sops/convert-clear.ts';
import type { CommandContext } from '../context.ts';
import { fileFormat, outputFormat } from '../file-format.ts';
import { readInput } from '../files.ts';
import { encryptNewFile, keysOfNewFile, type NewFileKeys } from '../new-file.ts';
import type { FileFlags } from '../options.ts';
import { addFileOptions, addRecipientOptions, errorFormOption, keyServiceOption } from '../options.ts';
import { writeData } from '../output.ts';
import type { RecipientFlags } from '../recipients.ts';
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
  const keys = await keysOfNewFile(context, input, flags, 'encrypt');
  const to = outputFormat(format, flags);
  if (to !== format) refuseCommentSelector(keys, flags, input.name);
  const clear = to === format ? input.bytes : convertClear(input.bytes, format, to, input.name);
  const encrypted = await encryptNewFile(clear, input, to, keys, flags.encryptedRegex);
  if (flags.inPlace === true) writeInPlace(input.path, input.name, new TextEncoder().encode(encrypted));
  else await writeData(context, encrypted);
}

/** Another format puts comments elsewhere or loses them, and with them what is encrypted. */
function refuseCommentSelector({ rule }: NewFileKeys, flags: EncryptFlags, file: string): void {
  const kind = flags.encryptedRegex === undefined ? rule?.selector?.kind : undefined;
  if (kind !== 'encrypted_comment_regex' && kind !== 'unencrypted_comment_regex') return;
  throw new SottoError({
    code: 'SOTTO-SOPS-059',
    what: 'the file is not converted, because comments say what of it is encrypted',
    why: `the rule of .sops.yaml has ${kind}, and comments do not keep their places in another format`,
    next: 'leave --output-type out, or select by keys: --encrypted-regex',
    file,
  });
}
