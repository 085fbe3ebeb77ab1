import type { Selector } from './selector.ts';

/** What a written sops block holds. */
export interface BlockFields {
  /** One, or several of which `threshold` open the file. */
  readonly groups: readonly WrittenGroup[];
  readonly threshold: number;
  readonly lastModified: string;
  readonly mac: string;
  readonly macOnlyEncrypted: boolean;
  /** Undefined for binary files, where sops writes none. */
  readonly selector: Selector | undefined;
  readonly version: string;
}

export type WrittenGroup = readonly WrittenEntry[];

/** The data key, or a share of it, as it is written for one master key. */
export interface WrittenEntry {
  /** Name of the list in which it stands: `age`, `pgp`, … */
  readonly list: string;
  readonly fields: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
}

type Tree = string | number | boolean | readonly Tree[] | { readonly [name: string]: Tree };

/** Names are in alphabetical order at every level, as sops writes them since 3.13. */
function blockTree(fields: BlockFields): Readonly<Record<string, Tree>> {
  const [only = [], ...others] = fields.groups;
  return sorted({
    ...(others.length === 0
      ? listsOf(only)
      : {
          // sops writes these two in any case.
          key_groups: fields.groups.map((group) => sorted({ age: [], hc_vault: [], ...listsOf(group) })),
          shamir_threshold: fields.threshold,
        }),
    lastmodified: fields.lastModified,
    mac: fields.mac,
    version: fields.version,
    ...(fields.selector === undefined ? {} : { [fields.selector.kind]: fields.selector.value }),
    ...(fields.macOnlyEncrypted ? { mac_only_encrypted: true } : {}),
  });
}

function listsOf(group: WrittenGroup): Readonly<Record<string, Tree>> {
  const lists = [...new Set(group.map(({ list }) => list))];
  return Object.fromEntries(
    lists.map((name) => [name, group.filter(({ list }) => list === name).map(({ fields }) => sorted(fields))]),
  );
}

function sorted(tree: Readonly<Record<string, Tree>>): Readonly<Record<string, Tree>> {
  return Object.fromEntries(Object.entries(tree).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Names are ours, but those of an encryption context. */
function nameText(name: string): string {
  const plain = /^(?!(?:y|n|no|on|yes|off|true|null|false)$)[a-z_]+$/;
  return plain.test(name) ? name : JSON.stringify(name);
}

/** The block as YAML at a column, ended by a line break. */
export function yamlBlock(fields: BlockFields, column: number, eol: string): string {
  const lines = ['sops:', ...mapLines(blockTree(fields), INDENT)];
  const margin = ' '.repeat(column);
  return lines.map((line) => margin + line + eol).join('');
}

const INDENT = 4;

function mapLines(map: Readonly<Record<string, Tree>>, column: number): string[] {
  const margin = ' '.repeat(column);
  return Object.entries(map).flatMap(([key, value]) => {
    const name = nameText(key);
    if (typeof value === 'string' && value.includes('\n')) return literalLines(name, value, column);
    if (typeof value === 'string')
      return `${margin}${name}: ${name === 'recipient' ? recipientText(value) : yamlText(value)}`;
    if (typeof value !== 'object') return `${margin}${name}: ${value}`;
    if (!isList(value)) return [`${margin}${name}:`, ...mapLines(value, nextLevel(column))];
    if (value.length === 0) return `${margin}${name}: []`;
    return [`${margin}${name}:`, ...value.flatMap((item) => itemLines(item, nextLevel(column)))];
  });
}

function isList(value: Tree): value is readonly Tree[] {
  return Array.isArray(value);
}

/** A mapping as an element of a list: its first line begins with the dash. */
function itemLines(item: Tree, column: number): string[] {
  if (typeof item !== 'object' || isList(item)) return [`${' '.repeat(column)}- ${JSON.stringify(item)}`];
  const [first = '', ...others] = mapLines(item, column + 2);
  return [`${' '.repeat(column)}- ${first.slice(column + 2)}`, ...others];
}

function literalLines(name: string, text: string, column: number): string[] {
  const inner = ' '.repeat(nextLevel(column));
  const body = text.trimEnd().split('\n');
  return [
    `${' '.repeat(column)}${name}: ${text.endsWith('\n') ? '|' : '|-'}`,
    ...body.map((line) => (line === '' ? '' : inner + line)),
  ];
}

function nextLevel(column: number): number {
  return INDENT * Math.floor((column + INDENT) / INDENT);
}

/** The comment of an SSH recipient is anybody's text. */
function recipientText(recipient: string): string {
  return /^[\w+/=@. -]+$/.test(recipient) ? recipient : JSON.stringify(recipient);
}

/** Plain where no reader can take it for something else; `lastmodified` must be quoted (spec 6.1). */
function yamlText(text: string): string {
  const plain = /^(?:ENC\[[A-Za-z0-9+/=,:_]+\]|[A-Za-z_^(][\w^$()|.+*-]*|\d+\.\d+\.\d+)$/;
  return plain.test(text) ? text : JSON.stringify(text);
}

/** The block as a JSON member; `indent` of undefined means on one line. */
export function jsonMember(fields: BlockFields, indent: { unit: string; margin: string } | undefined): string {
  const block = blockTree(fields);
  if (indent === undefined) return `"sops": ${JSON.stringify(block)}`;
  return `"sops": ${JSON.stringify(block, null, indent.unit).replaceAll('\n', `\n${indent.margin}`)}`;
}

/** The fields with the names and texts that dotenv and INI files have them under (spec 6.4), in alphabetical order. */
export function flatBlock(fields: BlockFields): [string, string][] {
  return Object.entries(blockTree(fields))
    .flatMap(([name, value]) => flattened(name, value))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function flattened(name: string, value: Tree): [string, string][] {
  if (typeof value !== 'object') return [[name, String(value)]];
  if (isList(value)) return value.flatMap((item, index) => flattened(`${name}__list_${index}`, item));
  return Object.entries(value).flatMap(([key, item]) => flattened(`${name}__map_${key}`, item));
}
