import { type Splice, spliceText } from '../yaml/splice.ts';
import { endOfLine } from '../yaml/split.ts';
import type { YamlMap, YamlNode, YamlScalar, YamlSeq } from '../yaml/tree.ts';
import { replaceScalar } from './encrypt-splice.ts';
import { childOf, type KeyPath } from './key-path.ts';
import { jsonValue, yamlValue } from './quote.ts';
import type { SopsFormat } from './scalar.ts';
import { columnOf, isBlankBefore, lineStart, noValueThere, notAContainer, type ValueDocument } from './value-place.ts';

/** What is put at a path: text, or any JSON value, which keeps its type. */
export type NewValue =
  | { readonly kind: 'text'; readonly bytes: Uint8Array }
  | { readonly kind: 'json'; readonly node: YamlNode };

interface Writing {
  readonly text: string;
  readonly format: SopsFormat;
  readonly value: NewValue;
  /** Blanks by which a nested mapping is indented more than what it is in. */
  readonly unit: number;
}

/**
 * The clear text of a YAML or JSON file with a value put at a path of one document: replaced in its place, or added
 * behind its neighbours, with the mappings on the way. Every other character stays. Throws SottoError.
 */
export function setValue(text: string, document: ValueDocument, path: KeyPath, value: NewValue): string {
  const { format, root, file } = document;
  const writing: Writing = { text, format, value, unit: unitOf(text, root) };
  let node: YamlNode = root;
  let parentColumn = 0;
  for (const [depth, step] of path.entries()) {
    const child = childOf(node, step);
    if (child === undefined) {
      if (node.kind === 'map') return spliceText(text, [addToMap(writing, node, path.slice(depth))]);
      if (node.kind === 'seq' && step === String(node.items.length)) {
        return spliceText(text, [addToSeq(writing, node, path.slice(depth + 1))]);
      }
      if (isNull(node)) return spliceText(text, fillNull(writing, node, path.slice(depth), parentColumn, depth === 0));
      throw notAContainer(file, node, path.slice(0, depth));
    }
    parentColumn = columnOfChild(text, node, child);
    node = child;
  }
  if (node.kind !== 'scalar') throw noValueThere(file, node, path);
  return spliceText(text, replaceValue(writing, node, parentColumn));
}

function isNull(node: YamlNode): node is YamlScalar {
  return node.kind === 'scalar' && node.style === 'plain' && /^(?:|~|null|Null|NULL)$/.test(node.text);
}

function columnOfChild(text: string, parent: YamlNode, child: YamlNode): number {
  if (parent.kind === 'map') {
    return columnOf(text, parent.entries.find(({ value }) => value === child)?.key.start ?? parent.start);
  }
  return columnOf(text, text.lastIndexOf('-', child.start));
}

function replaceValue(writing: Writing, scalar: YamlScalar, parentColumn: number): Splice[] {
  const { text } = writing;
  const isBlock = scalar.style === 'literal' || scalar.style === 'folded';
  const behind = isBlock ? scalar.tokenStart : scalar.end;
  const rest = text.slice(behind, endOfLine(text, behind));
  const endsLine = isBlock ? !rest.includes('#') : /^[ \t]*(?:[\r\n]|$)/.test(rest);
  const column = scalar.inFlow || !endsLine ? undefined : parentColumn + writing.unit;
  const rendered = render(writing, scalar.inFlow, column);
  // An empty value stands right behind its colon.
  const lead = scalar.start === scalar.end && /[^\s]/.test(text.charAt(scalar.start - 1)) ? ' ' : '';
  if (writing.format === 'json' || !isBlock) return [{ start: scalar.start, end: scalar.end, by: lead + rendered }];
  return replaceScalar(text, scalar, rendered);
}

/** Behind the last entry; what is missing of the way becomes mappings. */
function addToMap(writing: Writing, map: YamlMap, path: readonly string[]): Splice {
  const { text, format } = writing;
  const last = map.entries.at(-1);
  if (format === 'json' || map.flow || last === undefined) return addToFlow(writing, map, path);
  const column = columnOf(text, map.entries[0]?.key.start ?? map.start);
  const at = /[\r\n]/.test(text.charAt(last.value.end - 1)) ? last.value.end : endOfLine(text, last.value.end);
  const lead = /[\r\n]/.test(text.charAt(at - 1)) ? '' : '\n';
  return { start: at, end: at, by: lead + chain(writing, path, column) };
}

/** `a:` in a line each, the value behind the last. */
function chain(writing: Writing, path: readonly string[], column: number): string {
  const lines = path.map((step, depth) => {
    const margin = ' '.repeat(column + depth * writing.unit);
    const key = `${margin}${keyText(step, false)}:`;
    if (depth < path.length - 1) return key;
    return `${key} ${render(writing, false, margin.length + writing.unit)}`;
  });
  return `${lines.join('\n')}\n`;
}

function addToFlow(writing: Writing, map: YamlMap, path: readonly string[]): Splice {
  const last = map.entries.at(-1);
  const member = nestedInFlow(writing, path);
  if (last === undefined) return { start: map.start + 1, end: map.start + 1, by: member.slice(1, -1) };
  const before = map.entries.at(-2)?.value.end ?? map.start + 1;
  const gap = writing.text.slice(before, last.key.start).replace(/^\s*,/, '');
  const at = last.value.end;
  return { start: at, end: at, by: `,${/^\s+$/.test(gap) ? gap : ' '}${member.slice(1, -1)}` };
}

/** `{"a": {"b": value}}`; the value alone for an empty path. */
function nestedInFlow(writing: Writing, path: readonly string[]): string {
  const open = path.map((step) => `{${keyText(step, true)}: `).join('');
  return `${open}${render(writing, true, undefined)}${'}'.repeat(path.length)}`;
}

function addToSeq(writing: Writing, seq: YamlSeq, path: readonly string[]): Splice {
  const { text, format } = writing;
  const last = seq.items.at(-1);
  const rendered = nestedInFlow(writing, path);
  if (last === undefined) return { start: seq.start + 1, end: seq.start + 1, by: rendered };
  if (format === 'json' || seq.flow) return { start: last.end, end: last.end, by: `, ${rendered}` };
  const column = columnOf(text, seq.start);
  const at = /[\r\n]/.test(text.charAt(last.end - 1)) ? last.end : endOfLine(text, last.end);
  const lead = /[\r\n]/.test(text.charAt(at - 1)) ? '' : '\n';
  return { start: at, end: at, by: `${lead}${' '.repeat(column)}- ${rendered}\n` };
}

/** `key:` without a value gets a mapping below it; so does an empty document. */
function fillNull(
  writing: Writing,
  scalar: YamlScalar,
  path: readonly string[],
  parentColumn: number,
  isRoot: boolean,
): Splice[] {
  const { text, format } = writing;
  if (format === 'json' || scalar.inFlow) {
    return [{ start: scalar.start, end: scalar.end, by: nestedInFlow(writing, path) }];
  }
  const at = endOfLine(text, scalar.end);
  const lead = at === 0 || /[\r\n]/.test(text.charAt(at - 1)) ? '' : '\n';
  const lines = { start: at, end: at, by: lead + chain(writing, path, isRoot ? 0 : parentColumn + writing.unit) };
  return scalar.start === scalar.end ? [lines] : [{ start: scalar.start, end: scalar.end, by: '' }, lines];
}

function render({ format, value }: Writing, inFlow: boolean, blockColumn: number | undefined): string {
  if (value.kind === 'json') return compactJson(value.node);
  const writer =
    format === 'json' ? jsonValue(value.bytes, 'str') : yamlValue(value.bytes, 'str', { inFlow, blockColumn });
  const rendered = Buffer.from(writer.written).toString('utf8');
  writer.wipe();
  return rendered;
}

function keyText(step: string, inFlow: boolean): string {
  if (inFlow) return JSON.stringify(step);
  const writer = yamlValue(Buffer.from(step), 'str', { inFlow, blockColumn: undefined });
  return Buffer.from(writer.written).toString('utf8');
}

/** On one line; the digits of numbers stay as they are. It is YAML too. */
function compactJson(node: YamlNode): string {
  if (node.kind === 'seq') return `[${node.items.map(compactJson).join(', ')}]`;
  if (node.kind === 'scalar') return node.style === 'double' ? JSON.stringify(node.text) : node.text;
  const members = node.entries.map(({ key, value }) => `${compactJson(key)}: ${compactJson(value)}`);
  return `{${members.join(', ')}}`;
}

/** By how much the first nested mapping is indented; sops writes 4. */
function unitOf(text: string, root: YamlNode): number {
  if (root.kind !== 'map' || root.flow) return 4;
  for (const { key, value } of root.entries) {
    if (value.kind !== 'map' || value.flow) continue;
    const first = value.entries[0]?.key.start;
    if (first === undefined || !isBlankBefore(text, first)) continue;
    const unit = columnOf(text, first) - columnOf(text, key.start);
    if (unit > 0) return unit;
  }
  return lineStart(text, root.start) === root.start ? 4 : 2;
}
