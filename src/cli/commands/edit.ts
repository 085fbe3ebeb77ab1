import { writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { SottoError } from '../../core/errors.ts';
import { openForChange } from '../../sops/change.ts';
import { exampleOf } from '../../sops/example.ts';
import { confirmed } from '../ask.ts';
import { replaceUnchanged } from '../change-values.ts';
import type { CommandContext } from '../context.ts';
import { type FileFormat, fileFormat } from '../file-format.ts';
import { readFileBytes, readInput, textOf } from '../files.ts';
import { makeMemoryFolder, removeMemoryFolder } from '../memory-folder.ts';
import { encryptNewFile, isToBeMade, keysOfNewFile, type NewFile, refuseRecipients } from '../new-file.ts';
import { addRecipientOptions, errorFormOption, inputTypeOption, keyFileOption, keyServiceOption } from '../options.ts';
import { say } from '../output.ts';
import { checkAgainstRules } from '../recipient-check.ts';
import type { RecipientFlags } from '../recipients.ts';
import { reportError } from '../report-error.ts';
import { runEditor } from '../run-editor.ts';
import { withIdentities } from '../with-identities.ts';
import { writeNewFile } from '../write-in-place.ts';

interface EditFlags extends RecipientFlags {
  readonly keyFile?: readonly string[];
  readonly keyService?: readonly string[];
  readonly inputType?: string;
}

const EXAMPLES = `
The editor is SOPS_EDITOR, EDITOR, vim, nano or vi. It gets a file that is in memory only (XDG_RUNTIME_DIR or /dev/shm)
and gone afterwards; where there is no such place the command refuses. What you do not touch keeps its ciphertext.

A file that does not exist is made: the editor gets the example that sops gives, and what you make of it is encrypted for
--age and --pgp, else as the rule of .sops.yaml says. Unchanged or empty, nothing is written.

Examples:
  sotto edit deploy/db.yaml
  sotto edit deploy/new.yaml
  EDITOR='code --wait' sotto edit --key-file keys.txt deploy/db.yaml

Exit code: 0 written or nothing changed, 2 input or usage, 4 no key opens it or it was changed.`;

export function register(program: Command, context: CommandContext): void {
  const command = program
    .command('edit')
    .description('change a SOPS file in an editor, or make one')
    .argument('<file>', 'SOPS file');
  addRecipientOptions(command)
    .addOption(keyFileOption())
    .addOption(keyServiceOption())
    .addOption(inputTypeOption())
    .addOption(errorFormOption())
    .addHelpText('after', EXAMPLES)
    .action((file: string, flags: EditFlags) => edit(file, flags, context));
}

async function edit(file: string, flags: EditFlags, context: CommandContext): Promise<void> {
  if (file === '-') throw noStdin();
  const path = resolve(context.cwd, file);
  if (isToBeMade({ path, name: file })) return editNew({ path, name: file }, flags, context);
  refuseRecipients(flags, file);
  const input = await readInput(context, file);
  const format = fileFormat(input.name, flags);
  const opening = { name: input.name, command: 'edit', ...flags };
  using opened = await withIdentities(context, opening, (identities) =>
    openForChange(textOf(input), format, input.name, identities),
  );
  await checkAgainstRules(context, input, opened.metadata);
  const sealed = await edited(context, input, opened.clear.reveal(), (changed) => opened.sealed(changed, new Date()));
  if (sealed === undefined) await say(context, `${input.name}: nothing changed, nothing written`);
  else await replaceUnchanged(input, Buffer.from(sealed));
}

/** Whom it is for is settled before the editor gets anything. */
async function editNew(file: NewFile, flags: EditFlags, context: CommandContext): Promise<void> {
  const format = fileFormat(file.name, flags);
  const keys = await keysOfNewFile(context, file, flags, 'edit');
  const sealed = await edited(context, file, Buffer.from(exampleOf(format)), async (changed) =>
    isEmpty(changed, format) ? undefined : encryptNewFile(changed, file, format, keys),
  );
  if (sealed === undefined) return say(context, `${file.name}: unchanged or empty, nothing written`);
  writeNewFile(file.path, file.name, Buffer.from(sealed));
  await say(context, `${file.name}: made`);
}

function isEmpty(content: Uint8Array, format: FileFormat): boolean {
  return format === 'binary' ? content.length === 0 : content.every((byte) => byte <= 32);
}

/** What the person made of a clear text, encrypted; undefined when that is nothing. */
async function edited(
  context: CommandContext,
  { path, name }: NewFile,
  clear: Uint8Array,
  seal: (changed: Uint8Array) => Promise<string | undefined>,
): Promise<string | undefined> {
  const folder = makeMemoryFolder(context);
  try {
    const inMemory = join(folder, basename(path));
    writeFileSync(inMemory, clear, { mode: 0o600, flag: 'wx' });
    return await editUntilReadable(context, { path: inMemory, name }, clear, seal);
  } finally {
    await removeMemoryFolder(folder);
  }
}

/** A mistake in the text is told and can be mended; a person who does not want to loses the changes knowingly. */
async function editUntilReadable(
  context: CommandContext,
  { path, name }: NewFile,
  clear: Uint8Array,
  seal: (changed: Uint8Array) => Promise<string | undefined>,
): Promise<string | undefined> {
  for (;;) {
    await runEditor(context, path);
    const changed = await readFileBytes(path, name);
    try {
      if (changed.length === clear.length && Buffer.from(changed.buffer).equals(clear)) return undefined;
      return await seal(changed);
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
