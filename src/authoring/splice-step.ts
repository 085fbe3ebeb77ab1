import type { Json } from '../core/json.ts';
import { nodeAt } from '../sops/key-path.ts';
import { setValue } from '../sops/set-value.ts';
import { unsetValue } from '../sops/unset-value.ts';
import { isBlankBefore } from '../sops/value-place.ts';
import { parseJsonTree } from '../yaml/json-tree.ts';
import { type Splice, spliceText } from '../yaml/splice.ts';
import { columnOf, endOfLine, lineStart } from '../yaml/split.ts';
import type { YamlDocument, YamlMap, YamlNode, YamlSeq } from '../yaml/tree.ts';
import { entryLines, flowText, itemLines, quotedAs } from './block-text.ts';
import type { EditPath, Step } from './edit.ts';

export interface SplicePlace {
  readonly text: string;
  readonly format: 'yaml' | 'json';
  readonly file: string;
  readonly document: YamlDocument;
}

/** The text with one step done, everything beside it character by character; undefined where its form is not known. */
export function spliceStep(place: SplicePlace, step: Step): string | undefined {
  const { text, document } = place;
  const parent = nodeAt(document.root, step.path.slice(0, -1));
  if (parent === undefined || step.path.length === 0) return undefined;
  const after = textAfter(place, step, parent);
  return after === undefined ? undefined : withLineEnds(text, after);
}

function textAfter(place: SplicePlace, step: Step, parent: YamlNode): string | undefined {
  switch (step.kind) {
    case 'replace':
      return replaceAt(place, step.path, step.value);
    case 'add':
      return parent.kind === 'map' ? addTo(place, parent, step.path, step.value) : undefined;
    case 'insert':
      return parent.kind === 'seq' ? insertInto(place, parent, Number(step.path.at(-1)), step.value) : undefined;
    case 'remove':
    default:
      return removeAt(place, parent, step.path);
  }
}

function replaceAt(place: SplicePlace, path: EditPath, value: Json): string | undefined {
  const { text, document } = place;
  const node = nodeAt(document.root, path);
  if (node === undefined) return undefined;
  if (node.kind === 'scalar') {
    const same = typeof value === 'string' ? quotedAs(node.style, value) : undefined;
    // Tag and anchor say what the old value was.
    if (same !== undefined && node.start === node.tokenStart)
      return spliceText(text, [{ start: node.start, end: node.end, by: same }]);
    return set(place, path, value);
  }
  const end = node.flow ? node.end : node.start + text.slice(node.start, node.end).trimEnd().length;
  // A list may stand in the column of its key; what takes its place may not.
  const lead = !node.flow && isBlankBefore(text, node.start) ? '  ' : '';
  return spliceText(text, [{ start: node.start, end, by: lead + flowText(value) }]);
}

/** As `sotto secret set` does it. */
function set({ text, format, file, document }: SplicePlace, path: EditPath, value: Json): string | undefined {
  const [first, ...rest] = path;
  if (first === undefined) return undefined;
  const put =
    typeof value === 'string'
      ? ({ kind: 'text', bytes: Buffer.from(value) } as const)
      : ({ kind: 'json', node: parseJsonTree(flowText(value), { file }).root } as const);
  return setValue(text, { format, file, root: document.root }, [first, ...rest], put);
}

function addTo(place: SplicePlace, map: YamlMap, path: EditPath, value: Json): string | undefined {
  const { text, format } = place;
  const [first] = map.entries;
  const last = map.entries.at(-1);
  if (format === 'json' || map.flow || first === undefined || last === undefined) return set(place, path, value);
  const column = columnOf(text, first.key.start);
  return spliceText(text, [lineBehind(text, last.value.end, entryLines(path.at(-1) ?? '', value, column), column)]);
}

/** Lines of their own behind what ends at `end`, and behind a comment on its line. */
function lineBehind(text: string, end: number, lines: string, column: number): Splice {
  const at = isLineEnd(text, end - 1) ? end : endOfLine(text, end);
  const isAtStart = at === 0 || isLineEnd(text, at - 1);
  const own = `${' '.repeat(column)}${lines}`;
  return { start: at, end: at, by: isAtStart ? `${own}\n` : `\n${own}` };
}

function insertInto(place: SplicePlace, seq: YamlSeq, index: number, value: Json): string {
  const { text, format } = place;
  const before = seq.items[index - 1];
  const behind = seq.items[index];
  if (format === 'json' || seq.flow || seq.items.length === 0) {
    const at = before?.end ?? behind?.start ?? text.indexOf('[', seq.start) + 1;
    const by = before !== undefined ? `, ${flowText(value)}` : `${flowText(value)}${behind === undefined ? '' : ', '}`;
    return spliceText(text, [{ start: at, end: at, by }]);
  }
  const column = columnOf(text, seq.start);
  if (before !== undefined) return spliceText(text, [lineBehind(text, before.end, itemLines(value, column), column)]);
  const by = `${itemLines(value, column)}\n${' '.repeat(column)}`;
  return spliceText(text, [{ start: seq.start, end: seq.start, by }]);
}

function removeAt(place: SplicePlace, parent: YamlNode, path: EditPath): string | undefined {
  const { text, format, file, document } = place;
  const [first, ...rest] = path;
  if (first === undefined || parent.kind === 'scalar') return undefined;
  const isOnly = (parent.kind === 'map' ? parent.entries : parent.items).length === 1;
  const emptied = isOnly && format === 'yaml' && !parent.flow ? emptyBehindKey(place, parent, path) : undefined;
  return emptied ?? unsetValue(text, { format, file, root: document.root }, [first, ...rest]);
}

/** `key: {}` on one line, where only blanks stand between the key and what was in it. */
function emptyBehindKey(
  { text, document }: SplicePlace,
  parent: YamlMap | YamlSeq,
  path: EditPath,
): string | undefined {
  const holder = nodeAt(document.root, path.slice(0, -2));
  if (path.length < 2 || holder?.kind !== 'map') return undefined;
  const key = holder.entries.find(({ value }) => value === parent)?.key;
  const gap = key === undefined ? '' : text.slice(key.end, parent.start);
  const colon = gap.indexOf(':');
  if (key === undefined || colon === -1 || gap.slice(colon + 1).trim() !== '') return undefined;
  const start = key.end + colon + 1;
  const end = parent.start + text.slice(parent.start, parent.end).trimEnd().length;
  return spliceText(text, [{ start, end, by: parent.kind === 'map' ? ' {}' : ' []' }]);
}

function isLineEnd(text: string, at: number): boolean {
  return at >= 0 && /[\r\n]/.test(text.charAt(at));
}

/** In a file whose lines end in CRLF, new ones do too. */
function withLineEnds(before: string, after: string): string {
  if (!before.includes('\r\n')) return after;
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head] === after[head]) head += 1;
  let tail = 0;
  while (tail < shorter - head && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  const from = lineStart(after, head);
  const fresh = after.slice(from, after.length - tail).replaceAll(/\r?\n/g, '\r\n');
  return after.slice(0, from) + fresh + after.slice(after.length - tail);
}
