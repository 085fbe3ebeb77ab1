import { SottoError } from '../core/errors.ts';
import { ByteWriter } from './byte-writer.ts';
import { textOfBytes } from './changeable.ts';
import { ENV_METADATA_PREFIX } from './dotenv.ts';
import { iniValue } from './emit-ini.ts';
import { emitJson } from './emit-json.ts';
import { emitYaml } from './emit-yaml.ts';
import { DEFAULT_SECTION } from './ini.ts';
import { faithfulQuotes, iniText, type IniTree } from './ini-text.ts';
import { formatKeyPath } from './key-path.ts';
import type { PlainEntry, PlainMap, PlainNode } from './plain-tree.ts';
import type { WholeFormat } from './scalar.ts';
import { BINARY_KEY } from './sops-key.ts';
import { isUtf8 } from './utf8.ts';

/**
 * Documents in another format than the one they came in, as sops writes them. Where sops would lose something (all but the
 * first document, null in a dotenv file, what no quotes of INI keep) it is refused, with the key; comments go where sops puts
 * them, and are lost in JSON. The caller wipes the result. Throws SottoError.
 */
export function emitAs(documents: readonly PlainMap[], to: WholeFormat, file: string): Uint8Array<ArrayBuffer> {
  const target: Target = { to, file };
  for (const document of documents) checkNode(document, [], target);
  if (to === 'yaml') return emitYaml(documents, file);
  const [document, second] = documents;
  if (second !== undefined || document === undefined)
    throw refused(target, [], 'the file has not exactly one document');
  switch (to) {
    case 'json':
      return emitJson(document, file);
    case 'dotenv':
      return emitEnv(document, target);
    case 'ini':
      return emitSections(document, target);
    case 'binary':
      return emitContent(document, target);
    default:
      return to satisfies never;
  }
}

interface Target {
  readonly to: WholeFormat;
  readonly file: string;
}

/** What one reader or another would lose, whatever the format is. */
function checkNode(node: PlainNode, path: readonly string[], target: Target): void {
  if (node.kind === 'scalar') {
    const isTree = target.to === 'yaml' || target.to === 'json';
    if (isTree && !isUtf8(node.bytes)) throw refused(target, path, 'the value is not UTF-8 text');
    if (target.to === 'json' && node.type === 'float' && !/^[-\d.]+$/.test(nameOf(node.bytes))) {
      throw refused(target, path, 'JSON has no number for what is infinite or none');
    }
    return;
  }
  if (node.kind === 'seq') {
    node.items.forEach(({ value }, index) => checkNode(value, [...path, String(index)], target));
    return;
  }
  const seen = new Set<string>();
  for (const { key, value } of node.entries) {
    const name = nameOf(key);
    const own = [...path, name];
    if (seen.has(name)) throw refused(target, own, 'the key occurs twice, and readers would keep one of both');
    seen.add(name);
    checkNode(value, own, target);
  }
}

function nameOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}

const NEWLINE = 10;

function emitEnv({ entries, trailing }: PlainMap, target: Target): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(4096);
  const comment = (text: Uint8Array): void => void writer.ascii('#').bytes(text).byte(NEWLINE);
  try {
    for (const { key, value, comments, inline } of entries) {
      const name = nameOf(key);
      [...comments, ...inline].forEach(comment);
      if (/[=\n]|^#/.test(name) || name.startsWith(ENV_METADATA_PREFIX)) {
        throw refused(target, [name], 'dotenv has no such name');
      }
      writer.bytes(key).ascii('=');
      const bytes = scalarBytes(value, [name], target);
      if (Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes('\\n')) {
        throw refused(target, [name], 'the value holds a backslash before an n, which reads back as a line break');
      }
      for (const byte of bytes) void (byte === NEWLINE ? writer.ascii('\\n') : writer.byte(byte));
      writer.byte(NEWLINE);
    }
    trailing.forEach(comment);
    return writer.take();
  } finally {
    writer.wipe();
  }
}

function scalarBytes(node: PlainNode, path: readonly string[], target: Target): Uint8Array {
  if (node.kind !== 'scalar') throw refused(target, path, `it is a ${node.kind === 'map' ? 'mapping' : 'list'}`);
  if (node.type === 'null') throw refused(target, path, 'it is null, which the format does not have');
  return iniValue(node.type, node.bytes, target.file);
}

/** A comment before the first key is that of the section; any later one belongs to the key before it, as in sops. */
function emitSections({ entries }: PlainMap, target: Target): Uint8Array<ArrayBuffer> {
  const { file } = target;
  const tree = entries.map(({ key, value }): IniTree => {
    const name = nameOf(key);
    if (value.kind !== 'map') throw refused(target, [name], 'it is no mapping, and INI has sections of values only');
    const [first] = value.entries;
    return {
      name,
      comment: textOf(first === undefined ? value.trailing[0] : before(first)[0], file),
      keys: value.entries.map((entry, index) => {
        const keyName = nameOf(entry.key);
        const next = value.entries[index + 1];
        const bytes = scalarBytes(entry.value, [name, keyName], target);
        const comment = textOf((next === undefined ? value.trailing : before(next)).at(-1), file);
        return { name: keyName, value: textOfBytes(bytes, file), comment };
      }),
    };
  });
  const hasDefault = tree[0]?.name.toUpperCase() === DEFAULT_SECTION;
  const sections = hasDefault ? tree : [{ name: DEFAULT_SECTION, comment: undefined, keys: [] }, ...tree];
  const text = new TextEncoder().encode(iniText(sections, file, faithfulQuotes));
  return text;
}

function before({ comments, inline }: PlainEntry): readonly Uint8Array[] {
  return [...comments, ...inline];
}

function textOf(comment: Uint8Array | undefined, file: string): string | undefined {
  return comment === undefined || comment.length === 0 ? undefined : textOfBytes(comment, file);
}

/** A binary file is the value under `data`, and has room for nothing else. */
function emitContent({ entries }: PlainMap, target: Target): Uint8Array<ArrayBuffer> {
  const other = entries.find(({ key }) => nameOf(key) !== BINARY_KEY);
  if (other !== undefined) {
    throw refused(target, [nameOf(other.key)], `a binary file is the value under ${BINARY_KEY}, and nothing else`);
  }
  const value = entries[0]?.value;
  if (value?.kind !== 'scalar' || value.type !== 'str') {
    throw refused(target, [BINARY_KEY], `a binary file is the text under ${BINARY_KEY}`);
  }
  return new ByteWriter(value.bytes.length).bytes(value.bytes).take();
}

function refused({ to, file }: Target, path: readonly string[], why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-058',
    what: `the file cannot be written as ${to}`,
    why,
    next: 'leave --output-type out, or change that in the file',
    file,
    ...(path.length === 0 ? {} : { key: formatKeyPath(path) }),
  });
}
