import { type Splice, spliceText } from '../yaml/splice.ts';
import { endOfLine } from '../yaml/split.ts';
import type { YamlMap, YamlSeq } from '../yaml/tree.ts';
import { type KeyPath, nodeAt } from './key-path.ts';
import { columnOf, isBlankBefore, lineStart, noSuchValue, type ValueDocument } from './value-place.ts';

/** The clear text without what stands at a path of one document. Every other character stays. Throws SottoError. */
export function unsetValue(text: string, document: ValueDocument, path: KeyPath): string {
  const { root, file, format } = document;
  const parent = nodeAt(root, path.slice(0, -1));
  const step = path.at(-1) ?? '';
  if (parent === undefined || parent.kind === 'scalar' || nodeAt(root, path) === undefined) {
    throw noSuchValue(file, path);
  }
  const parts = partsOf(text, parent);
  const index =
    parent.kind === 'seq'
      ? Number(step)
      : parent.entries.findIndex(({ key }) => key.kind === 'scalar' && key.text === step);
  const splice = format === 'json' || parent.flow ? fromFlow(parts, index) : fromLines(text, parent, parts, index);
  return spliceText(text, [splice]);
}

/** An entry or element: where it starts (its dash in a list) and ends. */
interface Part {
  readonly start: number;
  readonly end: number;
}

function partsOf(text: string, parent: YamlMap | YamlSeq): Part[] {
  if (parent.kind === 'map') return parent.entries.map(({ key, value }) => ({ start: key.start, end: value.end }));
  if (parent.flow) return parent.items.map(({ start, end }) => ({ start, end }));
  return parent.items.map(({ start, end }, index) => {
    const from = parent.items[index - 1]?.end ?? parent.start;
    const dash = text.slice(from, start).search(/-\s/);
    return { start: dash === -1 ? start : text.lastIndexOf('-', start - 1), end };
  });
}

function fromFlow(parts: readonly Part[], index: number): Splice {
  const [part, before, after] = [parts[index], parts[index - 1], parts[index + 1]];
  const { start = 0, end = 0 } = part ?? {};
  if (after !== undefined) return { start, end: after.start, by: '' };
  return { start: before?.end ?? start, end, by: '' };
}

function fromLines(text: string, parent: YamlMap | YamlSeq, parts: readonly Part[], index: number): Splice {
  const { start = 0, end = 0 } = parts[index] ?? {};
  const after = parts[index + 1];
  if (parts.length === 1) {
    const contentEnd = start + text.slice(start, end).trimEnd().length;
    // A list may stand in the column of its key, what is in brackets may not.
    const margin = parent.kind === 'seq' && columnOf(text, start) === 0 ? '  ' : '';
    return { start, end: contentEnd, by: margin + (parent.kind === 'seq' ? ' []' : '{}') };
  }
  // Behind a dash the next entry takes its place.
  if (!isBlankBefore(text, start) && after !== undefined) return { start, end: after.start, by: '' };
  const lineEnd = /[\r\n]/.test(text.charAt(end - 1)) ? end : endOfLine(text, end);
  return { start: lineStart(text, start), end: lineEnd, by: '' };
}
