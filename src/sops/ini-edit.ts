import { SottoError } from '../core/errors.ts';
import { parseIni } from './ini.ts';
import { faithfulQuotes, iniText, type IniTree } from './ini-text.ts';
import { formatKeyPath } from './key-path.ts';
import { noSuchValue } from './value-place.ts';

/** An INI file in clear, in which values are named by section and key. */
export interface ClearIni {
  readonly text: string;
  readonly file: string;
}

/** The text with a value set: in the first section of the name that has the key, else in the first of the name. */
export function withIniValue({ text, file }: ClearIni, path: readonly string[], value: string): string {
  const [name, key] = namesOf(path, file);
  const tree = parseIni(text, file);
  const found = placeOf(tree, name, key);
  if (found !== undefined && found.value === value) return text;
  const index = found?.index ?? tree.findIndex((section) => section.name === name);
  const section: IniTree = tree[index] ?? { name, comment: undefined, keys: [] };
  const at = section.keys.findIndex((each) => each.name === key);
  const keys =
    at === -1
      ? [...section.keys, { name: key, value, comment: undefined }]
      : section.keys.map((each, nth) => (nth === at ? { ...each, value } : each));
  const changed: IniTree = { ...section, keys };
  return iniText(
    index === -1 ? [...tree, changed] : tree.map((each, nth) => (nth === index ? changed : each)),
    file,
    faithfulQuotes,
  );
}

/** The text without a key, or without the sections of a name. */
export function withoutIniValue({ text, file }: ClearIni, path: readonly string[]): string {
  const tree = parseIni(text, file);
  if (path.length === 1) {
    const kept = tree.filter((section, index) => section.name !== path[0] || index === 0);
    const emptied = kept.map((section) => (section.name === path[0] ? { ...section, keys: [] } : section));
    if (!tree.some(({ name, keys }, index) => name === path[0] && (index > 0 || keys.length > 0))) {
      throw noSuchValue(file, path);
    }
    return iniText(emptied, file, faithfulQuotes);
  }
  const [name, key] = namesOf(path, file);
  const found = placeOf(tree, name, key);
  if (found === undefined) throw noSuchValue(file, path);
  const left = tree.map((section, index) =>
    index === found.index ? { ...section, keys: section.keys.filter((each) => each.name !== key) } : section,
  );
  return iniText(left, file, faithfulQuotes);
}

export function iniValueAt({ text, file }: ClearIni, path: readonly string[]): string | undefined {
  const [name, key] = namesOf(path, file);
  return placeOf(parseIni(text, file), name, key)?.value;
}

function placeOf(
  tree: readonly IniTree[],
  name: string,
  key: string,
): { readonly index: number; readonly value: string } | undefined {
  for (const [index, section] of tree.entries()) {
    const found = section.name === name ? section.keys.find((each) => each.name === key) : undefined;
    if (found !== undefined) return { index, value: found.value };
  }
  return undefined;
}

function namesOf(path: readonly string[], file: string): readonly [section: string, key: string] {
  const [name, key, ...more] = path;
  if (name !== undefined && key !== undefined && more.length === 0) return [name, key];
  throw new SottoError({
    code: 'SOTTO-SOPS-053',
    what: 'the path names no value of an INI file',
    why: 'a value is named by its section and its key, as section.key; what stands before the first section is in DEFAULT',
    next: `look what there is: sotto secret list ${file}`,
    file,
    key: formatKeyPath(path),
  });
}
