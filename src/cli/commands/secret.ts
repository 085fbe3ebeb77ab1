import { randomInt } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { Option } from 'commander';
import { SottoError } from '../../core/errors.ts';
import { fileWord, shellWord } from '../../core/shell-word.ts';
import { formatKeyPath, type KeyPath, parseKeyPath } from '../../sops/key-path.ts';
import { listValues } from '../../sops/list-values.ts';
import type { NewValue } from '../../sops/set-value.ts';
import { withoutValue, withValue } from '../../sops/value-edit.ts';
import { noSuchValue } from '../../sops/value-place.ts';
import { parseJsonTree } from '../../yaml/json-tree.ts';
import { confirmed } from '../ask.ts';
import { blameValue } from '../blame.ts';
import {
  describeValue,
  documentNumber,
  type OpenedValue,
  openValue,
  type ValueFlags,
  type ValueOpening,
} from '../change-values.ts';
import type { CommandContext } from '../context.ts';
import { fileFormat } from '../file-format.ts';
import { readInput, readStdin, textOf } from '../files.ts';
import { readHidden } from '../hidden-input.ts';
import {
  addRecipientOptions,
  errorFormOption,
  inputTypeOption,
  keyFileOption,
  keyServiceOption,
  outputOption,
} from '../options.ts';
import { jsonText, say, table, writeData } from '../output.ts';
import { escaped } from '../terminal.ts';
import type { UpFlags } from '../up/open-up.ts';
import { placeOf, type ValuePlace, writeValue } from '../up/value-place.ts';
import { withIdentities } from '../with-identities.ts';

interface SetFlags extends ValueFlags, UpFlags {
  readonly fromFile?: string;
  readonly json?: true;
  readonly yes?: true;
}

interface GenerateFlags extends ValueFlags, UpFlags {
  readonly length: string;
  readonly alphabet: keyof typeof ALPHABETS;
  readonly yes?: true;
}

const EXAMPLES = `
A path is names with dots between them (stringData.password), or as sops writes it: '["stringData"]["tls.crt"][0]'.
Values under data of a Secret go in and out decoded, because Kubernetes wants base64 there; --as-is leaves them alone.
A change touches the value, the time and the MAC, and no other byte of the file. set and generate make a file that does not
exist, for --age and --pgp, else as the rule of .sops.yaml says.

With --push, --branch or both, set, unset and generate change the file as HEAD has it, in one commit by you, signed where
git is set up so; the message names file and path, never the value. With --push alone file and branch follow.

Examples:
  sotto secret list deploy/db.yaml
  sotto secret set deploy/db.yaml stringData.password          asks for the value
  pass show db | sotto secret set --yes deploy/db.yaml stringData.password
  sotto secret set --from-file tls.key deploy/tls.yaml '["stringData"]["tls.key"]'
  sotto secret generate deploy/db.yaml stringData.token
  sotto secret generate --push deploy/db.yaml stringData.token
  sotto secret show deploy/db.yaml data.password
  sotto secret blame deploy/db.yaml stringData.password

Exit code: 0 done, 1 others were faster, 2 input or usage, 3 not pushed, 4 no key opens it or it was changed.`;

export function register(program: Command, context: CommandContext): void {
  const secret = program
    .command('secret')
    .description('set, unset, list, show, generate or blame single values of a SOPS file')
    .addHelpText('after', EXAMPLES);
  addRecipientOptions(onePath(secret, 'set', 'set a value: from stdin, or typed without being shown'))
    .option('--from-file <file>', 'take the content of a file, to the last byte')
    .option('--json', 'the value is JSON and keeps its type')
    .addOption(yesOption())
    .addOption(branchOption())
    .addOption(pushOption())
    .action((file: string, path: string, flags: SetFlags) => set(file, parseKeyPath(path), flags, context));
  onePath(secret, 'unset', 'take a value, mapping or list out')
    .addOption(yesOption())
    .addOption(branchOption())
    .addOption(pushOption())
    .action((file: string, path: string, flags: SetFlags) => unset(file, parseKeyPath(path), flags, context));
  secret
    .command('list')
    .description('what values there are; no key is needed, and no value is shown')
    .argument('<file>', 'SOPS file; - for stdin')
    .addOption(inputTypeOption())
    .option('--filename <name>', 'name of the content on stdin')
    .addOption(outputOption(['json'], 'one JSON object per line'))
    .action((file: string, flags: ListFlags) => list(file, flags, context));
  onePath(secret, 'show', 'print one value, byte by byte').action((file: string, path: string, flags: ValueFlags) =>
    show(file, parseKeyPath(path), flags, context),
  );
  onePath(
    secret,
    'blame',
    'which commit last changed the value, and who could read it since',
    'one JSON document',
  ).action((file: string, path: string, flags: BlameFlags) => blame(file, parseKeyPath(path), flags, context));
  addRecipientOptions(onePath(secret, 'generate', 'set a value to random characters, which are not shown'))
    .option('--length <characters>', 'how many', '32')
    .addOption(new Option('--alphabet <name>', 'of what').choices(Object.keys(ALPHABETS)).default('alphanumeric'))
    .addOption(yesOption())
    .addOption(branchOption())
    .addOption(pushOption())
    .action((file: string, path: string, flags: GenerateFlags) => generate(file, parseKeyPath(path), flags, context));
}

function onePath(secret: Command, name: string, description: string, json?: string): Command {
  return secret
    .command(name)
    .description(description)
    .argument('<file>', 'SOPS file')
    .argument('<path>', 'stringData.password')
    .addOption(keyFileOption())
    .addOption(keyServiceOption())
    .addOption(inputTypeOption())
    .option('--document <number>', 'of a file with several documents (default: 1)')
    .option('--as-is', 'no base64 for data of a Secret')
    .addOption(json === undefined ? errorFormOption() : outputOption(['json'], json));
}

const yesOption = (): Option => new Option('--yes', 'replace or remove what is there without asking');
const branchOption = (): Option =>
  new Option('--branch <name>', 'make a commit on a new branch; this one and the file stay as they are');
const pushOption = (): Option =>
  new Option('--push', 'make a commit and push it, again from the new state when others were faster');

async function set(file: string, path: KeyPath, flags: SetFlags, context: CommandContext): Promise<void> {
  const place = await placeOf({ command: 'secret set', file, path, flags }, context);
  using opened = await place.open();
  // Asked before the value is read: both may come from the same terminal.
  if (!(await mayReplace(place, opened, flags, context))) return;
  const bytes = await newBytes(path, flags, context);
  try {
    const value = flags.json === true ? jsonOf(bytes) : undefined;
    await writeValue(
      place,
      opened,
      'Set',
      (each) => withValue(each.clear, path, value ?? textFor(each, bytes)),
      context,
    );
  } finally {
    bytes.fill(0);
  }
}

async function unset(file: string, path: KeyPath, flags: SetFlags, context: CommandContext): Promise<void> {
  const opening: ValueOpening = { command: 'secret unset', file, path, flags, anything: true };
  // A mapping may be taken out as a whole, so what is at the path is not looked at.
  const place = await placeOf(opening, context);
  using opened = await place.open();
  const edit = ({ clear }: OpenedValue): string => withoutValue(clear, path);
  // Says what is not there before anything is asked.
  edit(opened);
  const question = `Remove ${describeValue(opened, path)}?`;
  const command = asTyped(opening, flags);
  if (await confirmed(context, question, { command, ...flags }))
    await writeValue(place, opened, 'Unset', edit, context);
}

interface ListFlags {
  readonly inputType?: string;
  readonly filename?: string;
  readonly output?: 'json';
}

async function list(file: string, flags: ListFlags, context: CommandContext): Promise<void> {
  const input = await readInput(context, file, flags.filename);
  const values = listValues(textOf(input), fileFormat(input.name, flags), input.name);
  if (flags.output === 'json') {
    const rows = values.map((value) => escaped(`${JSON.stringify({ ...value, path: formatKeyPath(value.path) })}\n`));
    return writeData(context, rows.join(''));
  }
  const hasSeveral = values.some(({ document }) => document > 1);
  const rows = values.map(({ document, path, encrypted, type, line }) => [
    ...(hasSeveral ? [String(document)] : []),
    encrypted ? 'encrypted' : 'clear',
    type,
    String(line),
    formatKeyPath(path),
  ]);
  await writeData(context, table([...(hasSeveral ? ['DOCUMENT'] : []), 'STATE', 'TYPE', 'LINE', 'PATH'], rows));
}

async function show(file: string, path: KeyPath, flags: ValueFlags, context: CommandContext): Promise<void> {
  using opened = await openValue(context, { command: 'secret show', file, path, flags });
  if (opened.value === undefined) throw noSuchValue(opened.name, path);
  const bytes = Buffer.from(opened.value, opened.isBase64 ? 'base64' : 'utf8');
  await writeData(context, bytes);
  bytes.fill(0);
}

interface BlameFlags extends ValueFlags {
  readonly output?: 'json';
}

async function blame(file: string, path: KeyPath, flags: BlameFlags, context: CommandContext): Promise<void> {
  const absolute = resolve(context.cwd, file);
  const value = {
    path: absolute,
    name: file,
    format: fileFormat(file, flags),
    document: documentNumber(flags),
    key: path,
  };
  const opening = { name: file, command: 'secret blame', words: [file, formatKeyPath(path)], ...flags };
  const found = await withIdentities(context, opening, (identities) =>
    blameValue(context, dirname(absolute), value, identities),
  );
  if (flags.output === 'json') return writeData(context, jsonText(found));
  const { changed, certainty, readers } = found;
  const commit = [changed.commit.slice(0, 12), changed.at, changed.author, changed.subject];
  await writeData(context, table(['COMMIT', 'WHEN', 'WHO', 'SUBJECT'], [commit]));
  const rows = readers.map(({ recipient, since, isNow }) => [
    since.commit.slice(0, 12),
    isNow ? 'yes' : 'no',
    recipient,
  ]);
  await writeData(context, `\n${table(['SINCE', 'STILL', 'COULD READ IT'], rows)}`);
  if (certainty === 'unopened')
    await say(
      context,
      'note: no key at hand opens the version before, so the value may be older, and others may have read it',
    );
  if (certainty === 'cut')
    await say(
      context,
      'note: this clone was cut short there, so the value may be older, and others may have read it: git fetch --unshallow',
    );
}

const ALPHABETS = {
  alphanumeric: 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789',
  hex: '0123456789abcdef',
  digits: '0123456789',
  symbols: 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#%+,-./:=?@^_~',
} as const;
const MAX_LENGTH = 4096;

async function generate(file: string, path: KeyPath, flags: GenerateFlags, context: CommandContext): Promise<void> {
  const length = /^[1-9]\d{0,3}$/.test(flags.length) ? Number(flags.length) : 0;
  if (length < 1 || length > MAX_LENGTH) throw badLength();
  const place = await placeOf({ command: 'secret generate', file, path, flags }, context);
  using opened = await place.open();
  if (!(await mayReplace(place, opened, flags, context))) return;
  const alphabet = ALPHABETS[flags.alphabet];
  const bytes = Buffer.from(new ArrayBuffer(length)).map(() => alphabet.charCodeAt(randomInt(alphabet.length)));
  try {
    await writeValue(place, opened, 'Generate', (each) => withValue(each.clear, path, textFor(each, bytes)), context);
  } finally {
    bytes.fill(0);
  }
}

async function mayReplace(
  { opening }: ValuePlace,
  opened: OpenedValue,
  flags: UpFlags & { readonly yes?: true },
  context: CommandContext,
): Promise<boolean> {
  if (opened.value === undefined || opened.value === '') return true;
  return confirmed(context, `Replace ${describeValue(opened, opening.path)}?`, {
    command: asTyped(opening, flags),
    ...flags,
  });
}

/** What was typed, for the hint. */
function asTyped({ command, file, path }: ValueOpening, { push, branch }: UpFlags): string {
  const up = [...(push === true ? ['--push'] : []), ...(branch === undefined ? [] : [`--branch ${shellWord(branch)}`])];
  return ['sotto', command, ...up, fileWord(file), `'${formatKeyPath(path)}'`].join(' ');
}

function textFor({ isBase64 }: OpenedValue, bytes: Uint8Array): NewValue {
  return { kind: 'text', bytes: isBase64 ? base64Of(bytes) : bytes };
}

/** From a file to the last byte; from stdin without the line break that most commands end with. */
async function newBytes(path: KeyPath, flags: SetFlags, context: CommandContext): Promise<Uint8Array> {
  if (flags.fromFile !== undefined) return (await readInput(context, flags.fromFile)).bytes;
  const typed = context.isTerminal.stdin
    ? await readHidden(context, `value of ${formatKeyPath(path)} (not shown while you type, ends with Enter): `)
    : undefined;
  if (typed !== undefined) return typed;
  if (context.isTerminal.stdin) await say(context, 'Type the value, then Ctrl-D. It is shown while you type.');
  const bytes = await readStdin(context);
  const end = bytes.at(-1) === 10 ? (bytes.at(-2) === 13 ? 2 : 1) : 0;
  return bytes.subarray(0, bytes.length - end);
}

function jsonOf(bytes: Uint8Array): NewValue {
  return { kind: 'json', node: parseJsonTree(Buffer.from(bytes).toString('utf8'), { file: 'the value' }).root };
}

function base64Of(bytes: Uint8Array): Uint8Array {
  return Buffer.from(Buffer.from(bytes).toString('base64'), 'latin1');
}

function badLength(): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-001',
    what: '--length takes a number of characters',
    why: `it is from 1 to ${MAX_LENGTH}`,
    next: '--length 32',
  });
}
