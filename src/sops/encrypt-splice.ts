import type { Splice } from '../yaml/splice.ts';
import { columnOf } from '../yaml/split.ts';
import type { YamlDocument, YamlMap, YamlScalar } from '../yaml/tree.ts';
import { type BlockFields, jsonMember, yamlBlock } from './block.ts';
import type { SopsFormat } from './scalar.ts';

/** Puts `ENC[…]` where a scalar stands, tag and anchor included. Inside brackets a plain one would be cut at its commas. */
export function replaceScalar(text: string, scalar: YamlScalar, enc: string): Splice[] {
  // What stood there before has its own quotes.
  const by = scalar.inFlow && !/^['"]/.test(enc) ? `"${enc}"` : enc;
  if (scalar.style !== 'literal' && scalar.style !== 'folded') return [{ start: scalar.start, end: scalar.end, by }];
  // A comment behind the header stays, and so do the line breaks at the end of the block.
  const header = /[|>][-+0-9]*/y;
  header.lastIndex = scalar.tokenStart;
  const headerEnd = header.test(text) ? header.lastIndex : scalar.tokenStart + 1;
  const lineEnd = text.slice(headerEnd, scalar.end).search(/[\r\n]/);
  const value = { start: scalar.start, end: headerEnd, by };
  if (lineEnd === -1) return [value];
  const contentStart = headerEnd + lineEnd;
  const contentEnd = contentStart + text.slice(contentStart, scalar.end).trimEnd().length;
  return [value, { start: contentStart, end: contentEnd, by: '' }];
}

/** Adds the sops block as the last entry of a document. */
export function insertBlock(
  text: string,
  document: YamlDocument,
  map: YamlMap,
  format: SopsFormat,
  fields: BlockFields,
): Splice {
  if (format === 'json') return insertIntoJson(text, map, fields);
  if (map.flow) return insertIntoFlow(text, map, fields);
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  const first = map.entries[0]?.key.start ?? map.start;
  const column = columnOf(text, first);
  const before = text.slice(document.start, document.end);
  const lead = /[\r\n]$/.test(before) ? '' : eol;
  return { start: document.end, end: document.end, by: lead + yamlBlock(fields, column, eol) };
}

/** One line, before the closing brace: a comma that is already there is not doubled. */
function insertIntoFlow(text: string, map: YamlMap, fields: BlockFields): Splice {
  const brace = map.end - 1;
  const last = map.entries.at(-1);
  const between = text.slice(last?.value.end ?? map.start + 1, brace);
  const comma = last === undefined || between.replace(/#.*/g, '').trimEnd().endsWith(',') ? '' : ', ';
  return { start: brace, end: brace, by: comma + jsonMember(fields, undefined) };
}

/** Indented like the first member, or on one line where that is. */
function insertIntoJson(text: string, map: YamlMap, fields: BlockFields): Splice {
  const [first] = map.entries;
  const last = map.entries.at(-1);
  const at = last?.value.end ?? map.start + 1;
  if (first === undefined) return { start: at, end: at, by: jsonMember(fields, undefined) };
  const gap = text.slice(map.start + 1, first.key.start);
  const margin = /\n([ \t]*)$/.exec(gap)?.[1];
  if (margin === undefined) return { start: at, end: at, by: `, ${jsonMember(fields, undefined)}` };
  return { start: at, end: at, by: `,\n${margin}${jsonMember(fields, { unit: margin, margin })}` };
}
