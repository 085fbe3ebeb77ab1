import type { Command } from 'commander';
import { decryptFileAs } from '../../sops/change.ts';
import type { CommandContext } from '../context.ts';
import { fileFormat, outputFormat } from '../file-format.ts';
import { readInput, textOf } from '../files.ts';
import type { FileFlags } from '../options.ts';
import { addFileOptions, errorFormOption, keyFileOption, keyServiceOption } from '../options.ts';
import { writeData } from '../output.ts';
import { withIdentities } from '../with-identities.ts';
import { refuseStdinInPlace, writeInPlace } from '../write-in-place.ts';

interface DecryptFlags extends FileFlags {
  readonly keyFile?: readonly string[];
  readonly keyService?: readonly string[];
}

const EXAMPLES = `
Keys are tried in this order: --key-file, SSH keys (SOPS_AGE_SSH_PRIVATE_KEY_FILE, ~/.ssh), SOPS_AGE_KEY, SOPS_AGE_KEY_FILE,
keys.txt of sops (~/.config/sops/age); then what needs a passphrase, and SOPS_AGE_KEY_CMD.
The message authentication code of the file is checked before anything is printed.

Examples:
  sotto decrypt deploy/db.yaml
  sotto decrypt --key-file keys.txt -i deploy/db.yaml
  sotto decrypt --output-type dotenv deploy/app.yaml
  git show HEAD:deploy/db.yaml | sotto decrypt --filename deploy/db.yaml -

Exit code: 0 decrypted, 2 input or usage, 4 no key opens it or it was changed.`;

export function register(program: Command, context: CommandContext): void {
  const command = program
    .command('decrypt')
    .description('decrypt a SOPS file')
    .argument('<file>', 'SOPS file in YAML, JSON, dotenv, INI or any other form; - for stdin')
    .addOption(keyFileOption())
    .addOption(keyServiceOption());
  addFileOptions(command)
    .addOption(errorFormOption())
    .addHelpText('after', EXAMPLES)
    .action((file: string, flags: DecryptFlags) => decrypt(file, flags, context));
}

async function decrypt(file: string, flags: DecryptFlags, context: CommandContext): Promise<void> {
  refuseStdinInPlace(file, flags);
  const input = await readInput(context, file, flags.filename);
  const format = fileFormat(input.name, flags);
  using plaintext = await withIdentities(context, { name: input.name, command: 'decrypt', ...flags }, (identities) =>
    decryptFileAs({ text: textOf(input), format, file: input.name }, outputFormat(format, flags), identities),
  );
  if (flags.inPlace === true) writeInPlace(input.path, input.name, plaintext.reveal());
  else await writeData(context, plaintext.reveal());
}
