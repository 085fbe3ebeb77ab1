import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Command } from 'commander';
import { SottoError } from '../../core/errors.ts';
import type { ChangeableSops } from '../../sops/change.ts';
import { openForChange } from '../../sops/change.ts';
import { confirmed } from '../ask.ts';
import { replaceUnchanged } from '../change-values.ts';
import type { CommandContext } from '../context.ts';
import { fileFormat } from '../file-format.ts';
import type { InputFile } from '../files.ts';
import { readFileBytes, readInput, textOf } from '../files.ts';
import { makeMemoryFolder, removeMemoryFolder } from '../memory-folder.ts';
import { errorFormOption, inputTypeOption, keyFileOption, keyServiceOption } from '../options.ts';
import { say } from '../output.ts';
import { checkAgainstRules } from '../recipient-check.ts';
import { reportError } from '../report-error.ts';
import { runEditor } from '../run-editor.ts';
import { withIdentities } from '../with-identities.ts';

interface EditFlags {
  readonly keyFile?: readonly string[];
  readonly keyService?: readonly string[];
  readonly inputType?: string;
}

const EXAMPLES = `
The editor is SOPS_EDITOR, EDITOR, vim, nano or vi. It gets a file that is in memory only (XDG_RUNTIME_DIR or /dev/shm)
and gone afterwards; where there is no such place the command refuses. What you do not touch keeps its ciphertext.

Examples:
  sotto edit deploy/db.yaml
  EDITOR='code --wait' sotto edit --key-file keys.txt deploy/db.yaml

Exit code: 0 written or nothing changed, 2 input or usage, 4 no key opens it or it was changed.`;

export function register(program: Command, context: CommandContext): void {
  program
    .command('edit')
    .description('change a SOPS file in an editor')
    .argument('<file>', 'SOPS file')
    .addOption(keyFileOption())
    .addOption(keyServiceOption())
    .addOption(inputTypeOption())
    .addOption(errorFormOption())
    .addHelpText('after', EXAMPLES)
    .action((file: string, flags: EditFlags) => edit(file, flags, context));
}

async function edit(file: string, flags: EditFlags, context: CommandContext): Promise<void> {
  if (file === '-') throw noStdin();
  const input = await readInput(context, file);
  const format = fileFormat(input.name, flags);
  const opening = { name: input.name, command: 'edit', ...flags };
  using opened = await withIdentities(context, opening, (identities) =>
    openForChange(textOf(input), format, input.name, identities),
  );
  await checkAgainstRules(context, input, opened.metadata);
  const folder = makeMemoryFolder(context);
  try {
    const path = join(folder, basename(input.path));
    writeFileSync(path, opened.clear.reveal(), { mode: 0o600, flag: 'wx' });
    const sealed = await editUntilReadable(context, input, opened, path);
    if (sealed === undefined) await say(context, `${input.name}: nothing changed, nothing written`);
    else await replaceUnchanged(input, Buffer.from(sealed));
  } finally {
    await removeMemoryFolder(folder);
  }
}

/** A mistake in the text is told and can be mended; a person who does not want to loses the changes knowingly. */
async function editUntilReadable(
  context: CommandContext,
  input: InputFile,
  opened: ChangeableSops,
  path: string,
): Promise<string | undefined> {
  for (;;) {
    await runEditor(context, path);
    const changed = await readFileBytes(path, input.name);
    try {
      if (Buffer.from(opened.clear.reveal().buffer).equals(changed)) return undefined;
      return await opened.sealed(changed, new Date());
    } catch (thrown) {
      if (!context.isTerminal.stdin || !(thrown instanceof SottoError)) throw thrown;
      await reportError(context, thrown, { asJson: false, command: 'sotto edit' });
      if (!(await confirmed(context, 'Edit again?', { command: 'sotto edit' }))) throw thrown;
    } finally {
      changed.fill(0);
    }
  }
}

function noStdin(): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-001',
    what: 'edit needs a file',
    why: 'stdin cannot be changed in its place',
    next: 'name the file instead of -',
  });
}
