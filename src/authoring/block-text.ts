import { isJsonObject, type Json, type JsonObject, stringifyJson } from '../core/json.ts';
import { yamlValue } from '../sops/quote.ts';
import { resolveManifest } from '../yaml/manifest.ts';
import { parseYaml } from '../yaml/parse.ts';

// Values as text of YAML, in the form in which people write manifests.

/** In one line: JSON, which is YAML too. */
export function flowText(value: Json): string {
  if (Array.isArray(value)) return `[${value.map((item: Json) => flowText(item)).join(', ')}]`;
  if (!isJsonObject(value)) return stringifyJson(value);
  const members = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${flowText(item)}`);
  return `{${members.join(', ')}}`;
}

/** An entry of a mapping in lines, the first one without its indentation. */
export function entryLines(key: string, value: Json, column: number): string {
  return `${keyText(key)}:${belowKey(value, column)}`;
}

/** An item of a list in lines, from its dash on. */
export function itemLines(value: Json, column: number): string {
  if (!isFilled(value)) return `- ${scalarText(value, column + 2)}`;
  if (Array.isArray(value)) return `- ${listLines(value, column + 2)}`;
  return `- ${mapLines(value, column + 2)}`;
}

/** A whole document. */
export function blockText(value: JsonObject): string {
  return `${mapLines(value, 0)}\n`;
}

/** A single value; text of several lines as a block where `column` says how far that would be indented. */
export function scalarText(value: Json, column: number | undefined): string {
  if (typeof value !== 'string') return flowText(value);
  if (isPlain(value)) return value;
  return written(yamlValue(Buffer.from(value), 'str', { inFlow: false, blockColumn: column }));
}

/** The same quotes as before, if the value can stand in them; undefined if it cannot. */
export function quotedAs(style: string, value: string): string | undefined {
  if (!/^[\x20-\x7e\xa0-\ud7ff]*$/u.test(value)) return undefined;
  if (style === 'single') return `'${value.replaceAll("'", "''")}'`;
  return style === 'double' ? JSON.stringify(value) : undefined;
}

/** Words, quantities, paths, images: what no reader of YAML takes for anything but text. */
function isPlain(value: string): boolean {
  if (!/^[A-Za-z0-9][\w./@+-]*(?::[\w./-]+)*$/.test(value) || !/[A-Za-z]/.test(value)) return false;
  const [document] = parseYaml(value, { file: '' });
  return document !== undefined && resolveManifest<never>(document.root, PLAIN) === value;
}

const PLAIN = { file: '', leafAt: () => undefined };

function belowKey(value: Json, column: number): string {
  if (!isFilled(value)) return ` ${scalarText(value, column + 2)}`;
  if (Array.isArray(value)) return `\n${margin(column)}${listLines(value, column)}`;
  return `\n${margin(column + 2)}${mapLines(value, column + 2)}`;
}

function mapLines(value: Json, column: number): string {
  const entries = isJsonObject(value) ? Object.entries(value) : [];
  return entries.map(([key, item]) => entryLines(key, item, column)).join(`\n${margin(column)}`);
}

function listLines(value: readonly Json[], column: number): string {
  return value.map((item) => itemLines(item, column)).join(`\n${margin(column)}`);
}

function isFilled(value: Json): value is object & Json {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
}

function keyText(key: string): string {
  return written(yamlValue(Buffer.from(key), 'str', { inFlow: false, blockColumn: undefined }));
}

function margin(column: number): string {
  return ' '.repeat(column);
}

function written(writer: { readonly written: Uint8Array }): string {
  return Buffer.from(writer.written).toString('utf8');
}
