import { PARSE_LIMITS, type ParseLimits } from '../yaml/limits.ts';
import type { Ciphertext } from '../core/closed.ts';
import { SottoError } from '../core/errors.ts';
import { inLanes } from '../core/in-lanes.ts';
import { Sensitive } from '../core/sensitive.ts';
import type { YamlComment } from '../yaml/tree.ts';
import { ByteWriter } from './byte-writer.ts';
import { openEnc, pathAad } from './cipher.ts';
import { type DataKey } from './data-key.ts';
import { type DotenvLine, parseDotenv } from './dotenv.ts';
import { emitJson } from './emit-json.ts';
import { emitYaml } from './emit-yaml.ts';
import { parseEnc } from './enc.ts';
import { envVariables } from './env-lines.ts';
import { envSelection } from './env-selection.ts';
import { parseSopsTree, type SopsTree } from './file.ts';
import type { EncryptedValue } from './leaf.ts';
import { LANES, type OpenedValues, verifyMac } from './mac.ts';
import { inClear, type MacItem } from './walk.ts';
import { parseMetadata, type SopsMetadata } from './metadata.ts';
import { type SealedIniSection, parseSealedIni } from './ini-file.ts';
import { openDocuments, openValue } from './open-documents.ts';
import { openIniText } from './open-ini.ts';
import { compileSelector } from './selector.ts';
import type { WholeFormat } from './scalar.ts';

/** A file that is one secret as a whole: its clear text is what `sops -d` writes, to the byte. */
export class SopsWhole implements Ciphertext {
  /** The file as it stands in Git. */
  readonly text: string;
  readonly format: WholeFormat;
  readonly file: string;
  readonly metadata: SopsMetadata;
  readonly macItems: readonly MacItem[];
  /** Structure and ciphertext: kept, because an env file is opened once for each of its lines. */
  readonly parsed: Parsed;

  constructor(text: string, format: WholeFormat, file: string, limits: ParseLimits = PARSE_LIMITS) {
    this.text = text;
    this.format = format;
    this.file = file;
    this.parsed = parseWhole(text, format, file, limits);
    this.metadata = this.parsed.metadata;
    this.macItems = this.parsed.macItems;
  }
}

/** The value of one variable of an encrypted env file, as kustomize reads it. */
export class SopsEnvLine implements Ciphertext {
  readonly text: string;
  readonly whole: SopsWhole;
  readonly key: string;
  /** Of the variable among those of the file. */
  readonly index: number;

  constructor(whole: SopsWhole, key: string, index: number) {
    this.text = `${index} ${key} ${whole.text}`;
    this.whole = whole;
    this.key = key;
    this.index = index;
  }
}

/** A variable with its value, which the caller wipes. */
export interface OpenedVariable {
  readonly key: string;
  readonly line: number;
  readonly value: Sensitive;
}

/** All variables of an encrypted env file. Throws SottoError for what kustomize would not read. */
export async function openEnvVariables(whole: SopsWhole, dataKey: DataKey): Promise<OpenedVariable[]> {
  const bytes = await openWholeBytes(whole, dataKey);
  try {
    return envVariables(bytes, whole.file).map(({ key, line, start, end }) => ({
      key,
      line,
      value: Sensitive.copyOf(bytes.subarray(start, end)),
    }));
  } finally {
    bytes.fill(0);
  }
}

/** The names of the variables of an encrypted env file, which are in clear; undefined where it is encrypted as binary. */
export function envNames({ parsed, file }: SopsWhole): string[] | undefined {
  return parsed.kind === 'dotenv' ? envVariables(emitNames(parsed.lines), file).map(({ key }) => key) : undefined;
}

function emitNames(lines: readonly OpenLine[]): Uint8Array {
  return emitDotenv(
    lines.map((line) => ({ ...line, text: '' })),
    new Map(),
  );
}

export async function openEnvLine(line: SopsEnvLine, dataKey: DataKey): Promise<Sensitive> {
  const { whole, key, index } = line;
  const bytes =
    whole.parsed.kind === 'dotenv'
      ? await openDotenvLine(whole.parsed.lines, index, whole.file, dataKey)
      : await openWholeBytes(whole, dataKey);
  try {
    const variable = envVariables(bytes, whole.file)[whole.parsed.kind === 'dotenv' ? 0 : index];
    if (variable?.key !== key) throw new TypeError('an env file reads differently the second time');
    return Sensitive.copyOf(bytes.subarray(variable.start, variable.end));
  } finally {
    bytes.fill(0);
  }
}

/** The line of one variable alone: which one that is, the names tell, and they are in clear. */
async function openDotenvLine(
  lines: readonly OpenLine[],
  index: number,
  file: string,
  dataKey: DataKey,
): Promise<Uint8Array<ArrayBuffer>> {
  const line = lines[(envVariables(emitNames(lines), file)[index]?.line ?? 0) - 1];
  if (line?.value === undefined) return emitDotenv(line === undefined ? [] : [line], new Map());
  const bytes = await openValue(line.value, file, dataKey.key);
  try {
    return emitDotenv([line], new Map([[line.value, bytes]]));
  } finally {
    bytes.fill(0);
  }
}

/** What is told of each opened value and comment of a dotenv file, while its bytes are not wiped yet. */
type OnOpened = (
  kind: 'comment' | 'value str',
  path: readonly string[],
  value: Uint8Array,
  token: string,
  line: number,
) => void;

/** A dotenv file in clear with its empty lines, which `sops -d` drops; the MAC is checked. The caller wipes it. */
export async function openEnvText(whole: SopsWhole, dataKey: DataKey, onOpened?: OnOpened): Promise<Sensitive> {
  const { parsed, text } = whole;
  if (parsed.kind !== 'dotenv') throw new TypeError('only a dotenv file has lines');
  const at = new Map(parsed.lines.map((line) => [line.line, line]));
  const values = await openedValues(whole, dataKey);
  const writer = new ByteWriter(text.length);
  try {
    await verifyMac(whole, dataKey, values);
    await openEnvComments(parsed.lines, values, dataKey);
    for (const [index, content] of text.replace(/\n$/, '').split('\n').entries()) {
      const line = at.get(index + 1);
      if (line === undefined && content === '') writer.byte(10);
      if (line === undefined) continue;
      const sealed = line.value ?? line.comment;
      const bytes = sealed && values.get(sealed);
      if (sealed !== undefined && bytes !== undefined) {
        const kind = line.value === undefined ? 'comment' : 'value str';
        onOpened?.(kind, sealed.path, bytes, sealed.text, line.line);
      } else if (line.key === undefined) onOpened?.('comment', [], Buffer.from(line.text), line.text, line.line);
      writeEnvLine(writer, line, values);
    }
    return Sensitive.adopt(writer.take());
  } finally {
    writer.wipe();
    for (const bytes of values.values()) bytes.fill(0);
  }
}

/** The clear text, byte by byte as `sops -d` gives it. The MAC is checked by who asks (`verifyMac`). */
export async function openWhole(whole: SopsWhole, dataKey: DataKey): Promise<Sensitive> {
  return Sensitive.adopt(await openWholeBytes(whole, dataKey));
}

/** The same with the MAC checked on the way, so that every value is decrypted once. */
export async function openCheckedWhole(whole: SopsWhole, dataKey: DataKey): Promise<Sensitive> {
  return Sensitive.adopt(await openWholeBytes(whole, dataKey, (values) => verifyMac(whole, dataKey, values)));
}

/** The values that count in the MAC. The caller wipes them. */
export async function openedValues(
  { parsed, file }: SopsWhole,
  dataKey: DataKey,
): Promise<Map<EncryptedValue, Uint8Array<ArrayBuffer>>> {
  const values = new Map<EncryptedValue, Uint8Array<ArrayBuffer>>();
  const sealed = parsed.macItems.flatMap((item) => (item.kind === 'encrypted' ? [item.value] : []));
  try {
    await inLanes(sealed, LANES, async (value) => {
      values.set(value, await openValue(value, file, dataKey.key));
    });
    return values;
  } catch (thrown) {
    for (const bytes of values.values()) bytes.fill(0);
    throw thrown;
  }
}

async function openWholeBytes(
  whole: SopsWhole,
  dataKey: DataKey,
  check?: (values: OpenedValues) => Promise<void>,
): Promise<Uint8Array<ArrayBuffer>> {
  const { text, file, parsed } = whole;
  const values = await openedValues(whole, dataKey);
  try {
    await check?.(values);
    if (parsed.kind === 'dotenv') {
      await openEnvComments(parsed.lines, values, dataKey);
      return emitDotenv(parsed.lines, values);
    }
    if (parsed.kind === 'ini') return await openIniText(parsed.sections, values, { file, dataKey });
    return await emitTree(text, whole, parsed.tree, values, dataKey);
  } finally {
    for (const bytes of values.values()) bytes.fill(0);
  }
}

export async function openEnvComments(
  lines: readonly OpenLine[],
  values: Map<EncryptedValue, Uint8Array<ArrayBuffer>>,
  dataKey: DataKey,
): Promise<void> {
  for (const { comment } of lines) {
    // A comment that does not open is kept as it is, as sops does.
    const bytes = comment === undefined ? undefined : await openEnc(comment.enc, pathAad([]), dataKey.key);
    if (comment !== undefined && bytes !== undefined) values.set(comment, bytes);
  }
}

type Parsed = { readonly metadata: SopsMetadata; readonly macItems: readonly MacItem[] } & (
  | { readonly kind: 'tree'; readonly tree: SopsTree }
  | { readonly kind: 'dotenv'; readonly lines: readonly OpenLine[] }
  | { readonly kind: 'ini'; readonly sections: readonly SealedIniSection[] }
);

/** A line with what is encrypted of it. */
export interface OpenLine extends DotenvLine {
  readonly value: EncryptedValue | undefined;
  readonly comment: EncryptedValue | undefined;
}

function parseWhole(text: string, format: WholeFormat, file: string, limits: ParseLimits): Parsed {
  if (format === 'ini') return { kind: 'ini', ...parseSealedIni(text, file) };
  if (format === 'dotenv') return parseEnvFile(text, file);
  const tree = parseSopsTree(text, format === 'binary' ? 'json' : format, file, limits);
  return { kind: 'tree', tree, metadata: tree.metadata, macItems: tree.walked.macItems };
}

function parseEnvFile(text: string, file: string): Parsed {
  const dotenv = parseDotenv(text, file);
  const metadata = parseMetadata(dotenv.metadata, 'yaml', file);
  const { selector } = metadata;
  const selects = compileSelector(selector, { file, line: metadata.line, key: `sops_${selector.kind}` });
  const macItems: MacItem[] = [];
  const selection = envSelection(dotenv.lines, selects);
  const lines = dotenv.lines.map((line, index): OpenLine => {
    const path = line.key === undefined ? [] : [line.key];
    const isSelected = selection[index] === true && line.text !== '';
    const enc = isSelected ? parseEnc(line.text) : undefined;
    const encrypted = enc === undefined ? undefined : { text: line.text, enc, path, line: line.line };
    if (line.key === undefined) return { ...line, value: undefined, comment: encrypted };
    if (encrypted !== undefined) macItems.push({ kind: 'encrypted', value: encrypted });
    else if (isSelected) throw inClear({ file, line: line.line, key: line.key });
    else if (!metadata.macOnlyEncrypted) macItems.push({ kind: 'text', text: line.text.replaceAll('\\n', '\n') });
    return { ...line, value: encrypted, comment: undefined };
  });
  return { kind: 'dotenv', lines, metadata, macItems };
}

function emitDotenv(lines: readonly OpenLine[], values: ReadonlyMap<EncryptedValue, Uint8Array>) {
  const writer = new ByteWriter(4096);
  for (const line of lines) writeEnvLine(writer, line, values);
  return writer.take();
}

function writeEnvLine(writer: ByteWriter, line: OpenLine, values: ReadonlyMap<EncryptedValue, Uint8Array>): void {
  const { key, text, value, comment } = line;
  writer.text(key === undefined ? '#' : `${key}=`);
  const sealed = value ?? comment;
  const bytes = sealed === undefined ? undefined : values.get(sealed);
  if (bytes === undefined) writer.text(text);
  else if (key === undefined || !bytes.includes(10)) writer.bytes(bytes);
  else for (const byte of bytes) void (byte === 10 ? writer.ascii('\\n') : writer.byte(byte));
  writer.byte(10);
}

async function emitTree(
  text: string,
  { format, file }: SopsWhole,
  tree: SopsTree,
  values: Map<EncryptedValue, Uint8Array<ArrayBuffer>>,
  dataKey: DataKey,
): Promise<Uint8Array<ArrayBuffer>> {
  const comments = new Map<YamlComment, Uint8Array<ArrayBuffer>>();
  try {
    if (format === 'binary') return binaryContent(tree, values, file);
    const source = { text, format, file, withComments: format === 'yaml' };
    const documents = await openDocuments(source, tree, values, comments, dataKey);
    const [first] = documents;
    if (format === 'json' && first !== undefined) return emitJson(first, file);
    return emitYaml(documents, file);
  } finally {
    for (const bytes of comments.values()) bytes.fill(0);
  }
}

export function binaryContent(
  tree: SopsTree,
  values: ReadonlyMap<EncryptedValue, Uint8Array>,
  file: string,
): Uint8Array<ArrayBuffer> {
  const entries = tree.documents[0]?.map?.entries ?? [];
  const scalar = entries.find(({ key }) => key.kind === 'scalar' && key.text === 'data')?.value;
  if (entries.length !== 1 || scalar?.kind !== 'scalar') throw noBinary(file);
  const value = tree.walked.encrypted.get(scalar);
  const bytes = value === undefined ? undefined : values.get(value);
  // An empty file has nothing to encrypt.
  if (bytes === undefined && scalar.text !== '') throw noBinary(file);
  const writer = new ByteWriter(bytes?.length ?? 0);
  return (bytes === undefined ? writer : writer.bytes(bytes)).take();
}

function noBinary(file: string): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-023',
    what: 'the file is not what sops makes of a binary file',
    why: 'that is a JSON document whose one value stands under data',
    next: 'restore the file from Git history, or encrypt it again: sops encrypt --input-type binary',
    file,
  });
}
