import { resolve } from 'node:path';
import { stringAt } from '../core/json.ts';
import { SottoError } from '../core/errors.ts';
import type { ChangeableSops } from '../sops/change.ts';
import { openForChange } from '../sops/change.ts';
import { formatKeyPath, type KeyPath } from '../sops/key-path.ts';
import type { ClearFile } from '../sops/value-edit.ts';
import { valueText, writtenAt } from '../sops/value-edit.ts';
import { LOCAL_LIMITS } from '../yaml/limits.ts';
import { readManifests } from '../yaml/manifest.ts';
import type { DataKey } from '../sops/data-key.ts';
import type { CommandContext } from './context.ts';
import { type FileTerms, termsOfFile, termsOfNewFile } from './file-terms.ts';
import type { RuleFiles } from './creation-rules.ts';
import { fileFormat } from './file-format.ts';
import { type InputFile, readFileBytes, readInput, textOf } from './files.ts';
import { encryptNewFile, isToBeMade, keysOfNewFile, refuseRecipients } from './new-file.ts';
import { checkAgainstRules } from './recipient-check.ts';
import type { RecipientFlags } from './recipients.ts';
import { withIdentities } from './with-identities.ts';
import { writeInPlace, writeNewFile } from './write-in-place.ts';

export interface ValueFlags extends RecipientFlags {
  readonly keyFile?: readonly string[];
  readonly keyService?: readonly string[];
  readonly inputType?: string;
  readonly document?: string;
  readonly asIs?: true;
}

/** A SOPS file opened for one of its values. */
export interface OpenedValue extends Disposable {
  /** As the person called it. */
  readonly name: string;
  /** The file is not there yet. */
  readonly isNew: boolean;
  readonly terms: FileTerms;
  /** Undefined for a file that is made: it gets one when it is sealed. */
  readonly dataKey: DataKey | undefined;
  readonly clear: ClearFile;
  /** `data` of a Secret holds base64: values go in and out decoded, unless `--as-is`. */
  readonly isBase64: boolean;
  /** As the file has it; undefined where there is none. */
  readonly value: string | undefined;
  /** What stands at the path, a mapping too, as it is written: to be compared with another version of the file. */
  written(): string | undefined;
  /** The file with the changed clear text encrypted; undefined when nothing changed. */
  seal(changed: string): Promise<Uint8Array | undefined>;
  /** Seals, and puts it into the file; false when nothing changed. */
  write(changed: string): Promise<boolean>;
}

/** Where the file of a value is read from, and the rules for it: the disk, or a commit. */
export interface ValueSource {
  /** Throws SottoError. */
  read(file: string): Promise<InputFile>;
  /** Whether it is not there and can be made. Throws SottoError. */
  isToBeMade(file: string): Promise<boolean>;
  readonly rules?: RuleFiles;
}

function diskSource(context: CommandContext): ValueSource {
  return {
    read: (file) => readInput(context, file),
    isToBeMade: async (file) => isToBeMade({ path: resolve(context.cwd, file), name: file }),
  };
}

export interface ValueOpening {
  /** What was typed, for hints: `secret set`. */
  readonly command: string;
  readonly file: string;
  readonly path: KeyPath;
  readonly flags: ValueFlags;
  /** A mapping may be at the path as well. */
  readonly anything?: true;
}

export async function openValue(
  context: CommandContext,
  asked: ValueOpening,
  source: ValueSource = diskSource(context),
): Promise<OpenedValue> {
  const { command, file, path, flags, anything } = asked;
  if (file === '-') throw noStdin();
  refuseRecipients(flags, file);
  const input = await source.read(file);
  const format = fileFormat(input.name, flags);
  const opened = await opening(context, command, path, input, flags);
  try {
    const text = Buffer.from(opened.clear.reveal()).toString('utf8');
    const clear: ClearFile = { text, format, file: input.name, document: documentNumber(flags) };
    const seal = async (changed: string): Promise<Uint8Array | undefined> => {
      if (changed === text) return undefined;
      await checkAgainstRules(context, input, opened.metadata, source.rules);
      return Buffer.from(await opened.sealed(Buffer.from(changed), new Date()));
    };
    return {
      name: input.name,
      isNew: false,
      terms: termsOfFile(opened.metadata),
      dataKey: opened.dataKey,
      clear,
      isBase64: flags.asIs !== true && isDataOfSecret(clear, path),
      value: anything === true ? undefined : valueText(clear, path),
      written: () => writtenAt(clear, path),
      seal,
      write: async (changed) => {
        const sealed = await seal(changed);
        if (sealed !== undefined) await replaceUnchanged(input, sealed);
        return sealed !== undefined;
      },
      [Symbol.dispose]: () => opened[Symbol.dispose](),
    };
  } catch (thrown) {
    opened[Symbol.dispose]();
    throw thrown;
  }
}

/** What has a first document with nothing in it. */
const EMPTY: Readonly<Partial<Record<string, string>>> = { yaml: '---\n', json: '{}\n' };

/** As openValue, and a file that does not exist is made with this value in it, as the rule of `.sops.yaml` says. */
export async function openOrMake(
  context: CommandContext,
  asked: ValueOpening,
  source: ValueSource = diskSource(context),
): Promise<OpenedValue> {
  const { command, file, path, flags } = asked;
  if (file === '-' || !(await source.isToBeMade(file))) return openValue(context, asked, source);
  const made = { path: resolve(context.cwd, file), name: file };
  const format = fileFormat(file, flags);
  const clear: ClearFile = { text: EMPTY[format] ?? '', format, file, document: documentNumber(flags) };
  // Says what format has no single values, before anything is asked for.
  valueText(clear, path);
  const keys = await keysOfNewFile(context, made, flags, command, source.rules);
  const seal = async (changed: string): Promise<Uint8Array> =>
    Buffer.from(await encryptNewFile(Buffer.from(changed.replace(/^---\n/, '')), made, format, keys));
  return {
    name: file,
    isNew: true,
    terms: termsOfNewFile(keys),
    dataKey: undefined,
    clear,
    isBase64: false,
    value: undefined,
    written: () => undefined,
    seal,
    write: async (changed) => {
      writeNewFile(made.path, file, await seal(changed));
      return true;
    },
    [Symbol.dispose]: () => undefined,
  };
}

/** Even to add a value the data key of the file is needed, so without a fitting key it is said who could do it. */
async function opening(
  context: CommandContext,
  command: string,
  path: KeyPath,
  input: InputFile,
  flags: ValueFlags,
): Promise<ChangeableSops> {
  try {
    const asked = { name: input.name, command, words: [input.name, formatKeyPath(path)], ...flags };
    return await withIdentities(context, asked, (identities) =>
      openForChange(textOf(input), fileFormat(input.name, flags), input.name, identities),
    );
  } catch (thrown) {
    if (command === 'secret show' || !(thrown instanceof SottoError)) throw thrown;
    if (thrown.code !== 'SOTTO-AGE-001' && thrown.code !== 'SOTTO-CLI-008') throw thrown;
    const why = `${thrown.why}; every value of a SOPS file is encrypted with the one data key of the file, which is needed even to add one`;
    throw new SottoError({
      code: 'SOTTO-CLI-097',
      what: 'the value cannot be set without a key that opens the file',
      why,
      next: 'have a holder of one of these keys do it, or add your recipient: sops updatekeys',
      ...thrown.place,
    });
  }
}

/** Writes unless somebody else wrote the file while it was open here. */
export async function replaceUnchanged(input: InputFile, bytes: Uint8Array): Promise<void> {
  const now = await readFileBytes(input.path, input.name);
  if (!Buffer.from(now).equals(input.bytes)) {
    throw new SottoError({
      code: 'SOTTO-CLI-095',
      what: 'the file was changed meanwhile, and was not written',
      why: 'its content is not the one that was read when this command began',
      next: 'run the command again',
      file: input.name,
    });
  }
  writeInPlace(input.path, input.name, bytes);
}

export function documentNumber({ document = '1' }: ValueFlags): number {
  if (/^[1-9]\d{0,4}$/.test(document)) return Number(document);
  throw new SottoError({
    code: 'SOTTO-CLI-001',
    what: '--document takes the number of a document',
    why: 'they are counted from 1',
    next: '--document 1',
  });
}

function isDataOfSecret(clear: ClearFile, path: KeyPath): boolean {
  if ((clear.format !== 'yaml' && clear.format !== 'json') || path.length !== 2 || path[0] !== 'data') return false;
  try {
    return (
      stringAt(
        readManifests(clear.text, clear.file, LOCAL_LIMITS, clear.format)[clear.document - 1]?.value ?? null,
        'kind',
      ) === 'Secret'
    );
  } catch {
    // What kubectl cannot read is no Secret.
    return false;
  }
}

export function describeValue({ name }: Pick<InputFile, 'name'>, path: KeyPath): string {
  return `${formatKeyPath(path)} of ${name}`;
}

function noStdin(): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-001',
    what: 'the command needs a file',
    why: 'stdin is for the value',
    next: 'name the file instead of -',
  });
}
