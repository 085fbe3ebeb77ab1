import { LOCAL_LIMITS } from '../yaml/limits.ts';
import { type Splice, spliceText } from '../yaml/splice.ts';
import { columnOf, endOfLine, lineStart } from '../yaml/split.ts';
import type { YamlDocument } from '../yaml/tree.ts';
import { type BlockFields, flatBlock, jsonMember, yamlBlock } from './block.ts';
import { ENV_METADATA_PREFIX } from './dotenv.ts';
import { parseDocuments } from './file.ts';
import { INI_METADATA_SECTION } from './ini-file.ts';
import { sectionText } from './ini-text.ts';
import { parseIni } from './ini.ts';
import { isSopsKey } from './sops-key.ts';
import type { SopsFormat, WholeFormat } from './scalar.ts';

/** Puts another sops block in the place of the one that a document of YAML or JSON has; none where it has none. */
export function replaceTreeBlock(
  text: string,
  { root }: YamlDocument,
  format: SopsFormat,
  fields: BlockFields,
): Splice[] {
  const entry = root.kind === 'map' ? root.entries.find(({ key }) => isSopsKey(key)) : undefined;
  if (entry === undefined || root.kind !== 'map') return [];
  const { key, value } = entry;
  const start = lineStart(text, key.start);
  if (format === 'json' || root.flow) {
    const margin = /^[ \t]*$/.test(text.slice(start, key.start)) ? text.slice(start, key.start) : undefined;
    const old = text.slice(key.start, value.end);
    const isInLines = margin !== undefined && margin !== '' && old.includes('\n');
    const by = jsonMember(fields, isInLines ? { unit: margin, margin } : undefined);
    return [{ start: key.start, end: value.end, by: by.replaceAll('\n', eolOf(old)) }];
  }
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  const end = /[\r\n]/.test(text.charAt(value.end - 1)) ? value.end : endOfLine(text, value.end);
  const block = yamlBlock(fields, columnOf(text, key.start), eol);
  // A text that ended without a line break still does.
  return [{ start, end, by: /[\r\n]/.test(text.charAt(end - 1)) ? block : block.slice(0, -eol.length) }];
}

/** A text without its sops block, and nothing else changed: to compare two texts that should differ in that alone. */
export function withoutBlock(text: string, format: WholeFormat, file: string): string {
  if (format === 'dotenv')
    return text
      .split('\n')
      .filter((line) => !line.startsWith(ENV_METADATA_PREFIX))
      .join('\n');
  if (format === 'ini') {
    const section = parseIni(text, file).find(({ name }) => name === INI_METADATA_SECTION);
    if (section === undefined) return text;
    const end = Math.max(section.place.end, ...section.keys.map(({ place }) => place.end));
    return spliceText(text, [{ start: section.place.ownLine, end, by: '' }]);
  }
  const kind = format === 'yaml' ? 'yaml' : 'json';
  const splices = parseDocuments(text, kind, file, LOCAL_LIMITS).flatMap(({ root }): Splice[] => {
    const entry = root.kind === 'map' ? root.entries.find(({ key }) => isSopsKey(key)) : undefined;
    if (entry === undefined || root.kind !== 'map') return [];
    const { key, value } = entry;
    if (kind === 'json' || root.flow) return [{ start: key.start, end: value.end, by: '' }];
    const end = /[\r\n]/.test(text.charAt(value.end - 1)) ? value.end : endOfLine(text, value.end);
    return [{ start: lineStart(text, key.start), end, by: '' }];
  });
  return spliceText(text, splices);
}

/** The same for a dotenv file: the lines of the block, where the first of them stood. */
export function replaceEnvBlock(text: string, fields: BlockFields): string {
  const lines = text.split('\n');
  const first = lines.findIndex((line) => line.startsWith(ENV_METADATA_PREFIX));
  const kept = lines.filter((line) => !line.startsWith(ENV_METADATA_PREFIX));
  const block = oneLine(fields).map(([name, value]) => `${ENV_METADATA_PREFIX}${name}=${value}`);
  return kept.toSpliced(first === -1 ? kept.length : first, 0, ...block).join('\n');
}

/** The same for an INI file: the section as a whole, what stands above its header stays. */
export function replaceIniBlock(text: string, fields: BlockFields, file: string): Splice[] {
  const section = parseIni(text, file).find(({ name }) => name === INI_METADATA_SECTION);
  if (section === undefined) return [];
  const keys = oneLine(fields).map(([name, value]) => ({ name, value, comment: undefined }));
  const end = Math.max(section.place.end, ...section.keys.map(({ place }) => place.end));
  const lines = sectionText({ name: INI_METADATA_SECTION, comment: undefined, keys }, file);
  const endsLine = /[\r\n]/.test(text.charAt(end - 1));
  const by = endsLine ? lines : lines.replace(/\n$/, '');
  return [
    { start: section.place.ownLine, end, by: by.replaceAll('\n', eolOf(text.slice(section.place.ownLine, end))) },
  ];
}

/** Of the block that gives way: a file of Windows keeps its line ends. */
function eolOf(old: string): string {
  return old.includes('\r\n') ? '\r\n' : '\n';
}

function oneLine(fields: BlockFields): [string, string][] {
  return flatBlock(fields).map(([name, value]) => [name, value.replaceAll('\n', '\\n')]);
}
