import { LOCAL_LIMITS } from '../yaml/limits.ts';
import { SottoError } from '../core/errors.ts';
import type { YamlDocument, YamlNode } from '../yaml/tree.ts';
import { type EnvLine, parseEnvText, valueOf } from './env-text.ts';
import { parseDocuments } from './file.ts';
import { iniValueAt, withIniValue, withoutIniValue } from './ini-edit.ts';
import { type KeyPath, nodeAt } from './key-path.ts';
import type { SopsFormat, WholeFormat } from './scalar.ts';
import { type NewValue, setValue } from './set-value.ts';
import { unsetValue } from './unset-value.ts';
import { noSuchValue, notAContainer, noValueThere, type ValueDocument } from './value-place.ts';

/** A clear file in which single values are read and changed. */
export interface ClearFile {
  readonly text: string;
  readonly format: WholeFormat;
  readonly file: string;
  /** 1-based, of a YAML stream. */
  readonly document: number;
}

/** Its text with a value set. Throws SottoError. */
export function withValue(clear: ClearFile, path: KeyPath, value: NewValue): string {
  const { text, format, file } = clear;
  if (format === 'yaml' || format === 'json') return setValue(text, changeableDocument(clear, format), path, value);
  if (value.kind === 'json' && value.node.kind !== 'scalar') throw noValueThere(file, value.node, path);
  const content = value.kind === 'json' ? textOf(value.node) : Buffer.from(value.bytes).toString('utf8');
  if (format === 'ini') return withIniValue(clear, path, content);
  const lines = envLines(clear, path);
  const [key] = path;
  const line: EnvLine = { kind: 'variable', key, value: content.replaceAll('\n', '\\n') };
  const at = lines.findIndex((each) => each.kind === 'variable' && each.key === key);
  return envText(at === -1 ? [...lines, line] : lines.with(at, line));
}

export function withoutValue(clear: ClearFile, path: KeyPath): string {
  const { text, format, file } = clear;
  if (format === 'yaml' || format === 'json') return unsetValue(text, changeableDocument(clear, format), path);
  if (format === 'ini') return withoutIniValue(clear, path);
  const lines = envLines(clear, path);
  const kept = lines.filter((line) => line.kind !== 'variable' || line.key !== path[0]);
  if (kept.length === lines.length) throw noSuchValue(file, path);
  return envText(kept);
}

/** The text of one value, as its reader sees it. Undefined where there is nothing. */
export function valueText(clear: ClearFile, path: KeyPath): string | undefined {
  const { format, file } = clear;
  if (format === 'yaml' || format === 'json') {
    const node = nodeAt(documentOf(clear, format).root, path);
    if (node !== undefined && node.kind !== 'scalar') throw noValueThere(file, node, path);
    return node?.text;
  }
  if (format === 'ini') return iniValueAt(clear, path);
  const line = envLines(clear, path).find((each) => each.kind === 'variable' && each.key === path[0]);
  return line?.kind === 'variable' ? valueOf(line.value) : undefined;
}

/** What stands at a path as it is written, a mapping, list or section too. Undefined where there is nothing. */
export function writtenAt(clear: ClearFile, path: KeyPath): string | undefined {
  const { format, text } = clear;
  if (format === 'ini' && path.length === 1) return text;
  if (format !== 'yaml' && format !== 'json') return valueText(clear, path);
  const node = nodeAt(documentOf(clear, format).root, path);
  return node && text.slice(node.start, node.end);
}

/** The document as a tree, whatever the format; undefined for formats without trees. */
export function treeOf(clear: ClearFile): YamlNode | undefined {
  const { format } = clear;
  return format === 'yaml' || format === 'json' ? documentOf(clear, format).root : undefined;
}

/** An alias stands for the value of another place: which of the two is meant, only a person knows. */
function changeableDocument(clear: ClearFile, format: SopsFormat): ValueDocument {
  const document = documentOf(clear, format);
  if (document.aliases.length === 0) return document;
  throw new SottoError({
    code: 'SOTTO-SOPS-057',
    what: 'single values of a document with aliases are not changed',
    why: 'a value in it can stand at several places, and a change of one would be a change of all',
    next: `change it in an editor: sotto edit ${clear.file}`,
    file: clear.file,
    line: document.line,
  });
}

function documentOf(clear: ClearFile, format: SopsFormat): ValueDocument & YamlDocument {
  const documents = parseDocuments(clear.text, format, clear.file, LOCAL_LIMITS);
  const document = documents[clear.document - 1];
  if (document !== undefined) return { ...document, format, file: clear.file };
  throw new SottoError({
    code: 'SOTTO-SOPS-055',
    what: 'the file has no such document',
    why: `it has ${documents.length}, and document ${clear.document} is asked for`,
    next: `look what there is: sotto secret list ${clear.file}`,
    file: clear.file,
  });
}

function envLines({ text, format, file }: ClearFile, path: KeyPath): EnvLine[] {
  if (format !== 'dotenv') {
    throw new SottoError({
      code: 'SOTTO-SOPS-056',
      what: 'the file has no single values',
      why: `as ${format} it is one value as a whole`,
      next: `change it in an editor: sotto edit ${file}`,
      file,
    });
  }
  const lines = parseEnvText(text, file);
  if (path.length === 1) return lines;
  const place = { start: 0, end: 0, line: 1 };
  const root: YamlNode = {
    kind: 'scalar',
    style: 'plain',
    text: '',
    tag: undefined,
    tokenStart: 0,
    inFlow: false,
    ...place,
  };
  throw notAContainer(file, root, path.slice(0, 1));
}

function envText(lines: readonly EnvLine[]): string {
  const written = lines.map((line) => {
    if (line.kind === 'blank') return '\n';
    return line.kind === 'comment' ? `#${line.text}\n` : `${line.key}=${line.value}\n`;
  });
  return written.join('');
}

function textOf(node: YamlNode): string {
  return node.kind === 'scalar' ? node.text : '';
}
