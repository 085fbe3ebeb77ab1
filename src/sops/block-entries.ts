import { LOCAL_LIMITS } from '../yaml/limits.ts';
import type { YamlMap, YamlNode } from '../yaml/tree.ts';
import type { WrittenEntry, WrittenGroup } from './block.ts';
import { parseDotenv, unflatten } from './dotenv.ts';
import { parseDocuments } from './file.ts';
import { INI_METADATA_SECTION } from './ini-file.ts';
import { parseIni } from './ini.ts';
import { keyName, type KeyList, KEY_LISTS } from './key-name.ts';
import { unusable } from './metadata.ts';
import type { WholeFormat } from './scalar.ts';
import { isSopsKey } from './sops-key.ts';

/** The entries of a sops block as they are written, of every kind, known here or not. */
export interface BlockEntries {
  /** One, or several key groups. */
  readonly groups: readonly WrittenGroup[];
  /** Lists with a field that is no text: they can be named, but not written again. */
  readonly unwritable: readonly string[];
  /** Whether the block says how values are selected, or leaves it to the default. */
  readonly saysSelector: boolean;
}

const SELECTORS = /_(?:suffix|regex)$/;

/** Reads them from a file of any format. Throws SottoError. */
export function blockEntries(text: string, format: WholeFormat, file: string): BlockEntries {
  const block = blockNode(text, format, file);
  const groups = fieldOf(block, 'key_groups');
  const top = entriesOf(block);
  const nested = groups?.kind === 'seq' ? groups.items.map((item) => entriesOf(item)) : [];
  const read = top.length > 0 || nested.length === 0 ? [top] : nested;
  return {
    groups: read.map((group) => group.map(({ entry }) => entry)),
    unwritable: [...new Set(read.flat().flatMap(({ entry, isWhole }) => (isWhole ? [] : entry.list)))],
    saysSelector: block.entries.some(({ key }) => key.kind === 'scalar' && SELECTORS.test(key.text.toLowerCase())),
  };
}

function blockNode(text: string, format: WholeFormat, file: string): YamlMap {
  if (format === 'dotenv') return parseDotenv(text, file).metadata;
  if (format === 'ini') {
    const section = parseIni(text, file).find(({ name }) => name === INI_METADATA_SECTION);
    const fields = section?.keys.map(({ name, line, value }) => ({ name, line, text: value.replaceAll('\\n', '\n') }));
    return unflatten(fields ?? [], file);
  }
  const [document] = parseDocuments(text, format === 'yaml' ? 'yaml' : 'json', file, LOCAL_LIMITS);
  const root = document?.root;
  const block = root?.kind === 'map' ? root.entries.find(({ key }) => isSopsKey(key))?.value : undefined;
  if (block?.kind === 'map') return block;
  throw unusable({ file, line: document?.line ?? 1, key: 'sops' }, 'it is not a mapping');
}

function entriesOf(block: YamlNode): { readonly entry: WrittenEntry; readonly isWhole: boolean }[] {
  return KEY_LISTS.flatMap((list) => {
    const items = fieldOf(block, list);
    if (items?.kind !== 'seq') return [];
    return items.items.map((item) => entryOf(list, item));
  });
}

function entryOf(list: KeyList, item: YamlNode): { readonly entry: WrittenEntry; readonly isWhole: boolean } {
  const pairs = item.kind === 'map' ? item.entries : [];
  const fields = pairs.flatMap(({ key, value }): [string, string][] =>
    key.kind === 'scalar' && value.kind === 'scalar' ? [[key.text.toLowerCase(), value.text]] : [],
  );
  return { entry: { list, fields: Object.fromEntries(fields) }, isWhole: fields.length === pairs.length };
}

function fieldOf(node: YamlNode, name: string): YamlNode | undefined {
  if (node.kind !== 'map') return undefined;
  return node.entries.find(({ key }) => key.kind === 'scalar' && key.text.toLowerCase() === name)?.value;
}

/** For whom an entry is wrapped, in words that compare with those of a rule. */
export function holderName({ list, fields }: WrittenEntry): string {
  const known = KEY_LISTS.find((each) => each === list);
  const text = (field: string): string => {
    const written = fields[field];
    return typeof written === 'string' ? written : '';
  };
  return known === undefined ? list : keyName(known, text);
}
