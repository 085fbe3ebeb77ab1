import type { Command } from 'commander';
import { SottoError } from '../../core/errors.ts';
import type { Sensitive } from '../../core/sensitive.ts';
import { decryptSops } from '../../sops/decrypt.ts';
import { findAgeIdentities } from '../age-identities.ts';
import type { CommandContext } from '../context.ts';
import { fileFormat } from '../file-format.ts';
import type { InputFile } from '../files.ts';
import { readInput, textOf } from '../files.ts';
import type { FileFlags } from '../options.ts';
import { addFileOptions, errorFormOption, repeatable } from '../options.ts';
import { say, writeData } from '../output.ts';
import { refuseStdinInPlace, writeInPlace } from '../write-in-place.ts';

interface DecryptFlags extends FileFlags {
  readonly keyFile?: readonly string[];
}

const EXAMPLES = `
Keys are tried in this order: --key-file, SOPS_AGE_KEY, SOPS_AGE_KEY_FILE, keys.txt of sops (~/.config/sops/age).
The message authentication code of the file is checked before anything is printed.

Examples:
  sotto decrypt deploy/db.yaml
  sotto decrypt --key-file keys.txt -i deploy/db.yaml
  git show HEAD:deploy/db.yaml | sotto decrypt --filename deploy/db.yaml -

Exit code: 0 decrypted, 2 input or usage, 4 no key opens it or it was changed.`;

export function register(program: Command, context: CommandContext): void {
  const command = program
    .command('decrypt')
    .description('decrypt a SOPS file')
    .argument('<file>', 'SOPS file in YAML or JSON; - for stdin')
    .addOption(repeatable('--key-file <file>', 'age identities, or a Secret with *.agekey entries; tried first'));
  addFileOptions(command)
    .addOption(errorFormOption())
    .addHelpText('after', EXAMPLES)
    .action((file: string, flags: DecryptFlags) => decrypt(file, flags, context));
}

async function decrypt(file: string, flags: DecryptFlags, context: CommandContext): Promise<void> {
  refuseStdinInPlace(file, flags);
  const input = await readInput(context, file, flags.filename);
  using plaintext = await opened(input, flags, context);
  if (flags.inPlace === true) writeInPlace(input.path, input.name, plaintext.reveal());
  else await writeData(context, plaintext.reveal());
}

async function opened(input: InputFile, flags: DecryptFlags, context: CommandContext): Promise<Sensitive> {
  const format = fileFormat(input.name, flags);
  const { identities, notes } = await findAgeIdentities(context, flags.keyFile ?? []);
  try {
    return await decryptSops(textOf(input), format, input.name, identities);
  } catch (thrown) {
    // Only a matter of keys makes it worth knowing which sources were passed over.
    if (!(thrown instanceof SottoError) || !thrown.code.startsWith('SOTTO-AGE-')) throw thrown;
    for (const note of notes) await say(context, `note: ${note}`);
    throw identities.length === 0 ? noIdentity(input.name) : thrown;
  }
}

function noIdentity(name: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-008',
    what: 'no age identity is at hand',
    file: name,
    why: 'neither --key-file nor SOPS_AGE_KEY, SOPS_AGE_KEY_FILE or keys.txt of sops holds one',
    next: `sotto decrypt --key-file keys.txt ${name}`,
  });
}
