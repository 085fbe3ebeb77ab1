import type { Splice } from '../yaml/splice.ts';
import { spliceText } from '../yaml/splice.ts';
import { endOfLine, lineStart } from '../yaml/split.ts';
import type { YamlDocument, YamlMap, YamlNode, YamlScalar } from '../yaml/tree.ts';
import { replaceScalar } from './encrypt-splice.ts';
import { isSopsKey } from './sops-key.ts';
import type { SopsFormat } from './scalar.ts';

/** The sops block of a document as it stood in the text, with a new time and MAC in it. */
export interface OldBlock {
  /** From its key to the end of its value; a block in lines also with its indentation and the end of the line. */
  readonly text: string;
  readonly isFlow: boolean;
  /** Between the value before it and its key, the comma included: where mappings have braces. */
  readonly gap: string;
  /** The same as one JSON member: for a document that was rewritten in braces. */
  readonly member: string;
}

export function oldBlock(
  text: string,
  document: YamlDocument,
  now: { readonly lastModified: string; readonly mac: string },
): OldBlock | undefined {
  const { root } = document;
  if (root.kind !== 'map') return undefined;
  const index = root.entries.findIndex(({ key }) => isSopsKey(key));
  const entry = root.entries[index];
  if (entry?.value.kind !== 'map') return undefined;
  const { key, value } = entry;
  const splices: Splice[] = [];
  for (const field of value.entries) {
    if (field.key.kind !== 'scalar' || field.value.kind !== 'scalar') continue;
    const name = field.key.text.toLowerCase();
    if (name === 'mac') splices.push(...replaceScalar(text, field.value, inQuotesOf(field.value, now.mac)));
    if (name === 'lastmodified') splices.push(...replaceScalar(text, field.value, `"${now.lastModified}"`));
  }
  const start = root.flow ? key.start : lineStart(text, key.start);
  const lineEnd = /[\r\n]/.test(text.charAt(value.end - 1)) ? value.end : endOfLine(text, value.end);
  const end = root.flow ? value.end : lineEnd;
  const moved = splices.map((splice) => ({ ...splice, start: splice.start - start, end: splice.end - start }));
  const before = root.entries[index - 1];
  return {
    text: spliceText(text.slice(start, end), moved),
    isFlow: root.flow,
    gap: root.flow && before !== undefined ? text.slice(before.value.end, key.start) : ', ',
    member: `"sops": ${asJson(value, now)}`,
  };
}

/** Puts the block where it stood: at the end of the document, before `tail` where the document still ends with that. */
export function insertOldBlock(
  text: string,
  place: { readonly document: YamlDocument; readonly map: YamlMap; readonly tail: string },
  format: SopsFormat,
  block: OldBlock,
): Splice {
  const { document, map, tail } = place;
  const last = map.entries.at(-1);
  if (!map.flow && block.isFlow) return inLines(text, document, '', `${block.member}\n`);
  if (!map.flow) return inLines(text, document, tail, block.text);
  const member = block.isFlow ? block.text : block.member;
  if (last !== undefined) {
    return { start: last.value.end, end: last.value.end, by: (block.isFlow ? block.gap : ', ') + member };
  }
  // An empty mapping in braces stands for no lines at all.
  if (format === 'yaml' && !block.isFlow) return { start: map.start, end: map.end, by: block.text.trimEnd() };
  return { start: map.start + 1, end: map.start + 1, by: member };
}

function inLines(text: string, document: YamlDocument, tail: string, lines: string): Splice {
  const content = text.slice(document.start, document.end);
  const at = document.end - (content.endsWith(tail) ? tail.length : 0);
  const lead = at === document.start || /[\r\n]/.test(text.charAt(at - 1)) ? '' : '\n';
  return { start: at, end: at, by: lead + lines };
}

function inQuotesOf(scalar: YamlScalar, text: string): string {
  if (scalar.style === 'single') return `'${text}'`;
  return scalar.style === 'double' ? `"${text}"` : text;
}

function asJson(node: YamlNode, now: { readonly lastModified: string; readonly mac: string }): string {
  if (node.kind === 'seq') return `[${node.items.map((item) => asJson(item, now)).join(', ')}]`;
  if (node.kind === 'scalar') {
    const isBare = node.style === 'plain' && /^(?:true|false|null|\d+)$/.test(node.text);
    return isBare ? node.text : JSON.stringify(node.text);
  }
  const fields = node.entries.map(({ key, value }) => {
    const name = key.kind === 'scalar' ? key.text : '';
    const field = name.toLowerCase();
    const text = field === 'mac' ? now.mac : field === 'lastmodified' ? now.lastModified : undefined;
    return `${JSON.stringify(name)}: ${text === undefined ? asJson(value, now) : JSON.stringify(text)}`;
  });
  return `{${fields.join(', ')}}`;
}
