import { SottoError } from '../core/errors.ts';
import { emitComment, emitIni, type QuotesOf, quotedName, stockQuotes } from './emit-ini.ts';
import { isGoSpace, trimGoEnd } from './go-space.ts';
import { parseIni } from './ini.ts';

/** What an INI file says, however it is laid out. */
export interface IniTree {
  readonly name: string;
  readonly comment: string | undefined;
  readonly keys: readonly IniTreeKey[];
}

export interface IniTreeKey {
  readonly name: string;
  readonly value: string;
  readonly comment: string | undefined;
}

/**
 * The text as sops lays it out. With its own quotes too, unless others are wanted: an encrypted file in which a value in clear
 * needs others would be spoilt by the next change that sops makes. Throws SottoError for what no text says.
 */
export function iniText(tree: readonly IniTree[], file: string, quotesOf: QuotesOf = stockQuotes): string {
  const sections = tree.map(({ name, comment, keys }) => ({
    name,
    comment: optionalBytes(comment),
    keys: keys.map((key) => ({ name: key.name, value: Buffer.from(key.value), comment: optionalBytes(key.comment) })),
  }));
  const bytes = emitIni(sections, file, quotesOf);
  const text = Buffer.from(bytes).toString('utf8');
  bytes.fill(0);
  const differs = firstDifference(readAgain(text), tree);
  if (differs !== undefined) throw unsayable(file, differs);
  return text;
}

/** Nothing for a text of which lines are not readable: they are nobody's lines. */
export function readAgain(text: string): IniTree[] {
  try {
    return parseIni(text, '');
  } catch (thrown) {
    if (thrown instanceof SottoError) return [];
    throw thrown;
  }
}

function optionalBytes(text: string | undefined): Uint8Array | undefined {
  return text === undefined ? undefined : Buffer.from(text);
}

/** One section as it stands in a text, with its header. */
export function sectionText(section: IniTree, file: string): string {
  const width = keyWidth(section.keys);
  const lines = section.keys.map((key) => keyText(key, width, file));
  return `${commentLines(section.comment, 'section', file)}[${section.name}]\n${lines.join('')}`;
}

/** A key in its lines, its name filled up to a width in bytes. */
export function keyText({ name, value, comment }: IniTreeKey, width: number, file: string): string {
  const quoted = quotedName(name);
  const padding = ' '.repeat(Math.max(0, width - Buffer.byteLength(quoted)));
  return `${commentLines(comment, 'key', file)}${quoted}${padding} = ${valueText(value)}\n`;
}

export function keyWidth(keys: readonly IniTreeKey[]): number {
  return keys.reduce((widest, { name }) => Math.max(widest, Buffer.byteLength(quotedName(name))), 0);
}

export function valueText(value: string): string {
  const quotes = stockQuotes(Buffer.from(value));
  return quotes + value + quotes;
}

export function commentLines(comment: string | undefined, of: 'section' | 'key', file: string): string {
  if (comment === undefined) return '';
  return Buffer.from(emitComment(Buffer.from(comment), of, file)).toString('utf8');
}

/**
 * What a comment says: sops changes markers and blanks of it whenever it writes the file, so they do not count.
 */
export function commentSense(comment: string | undefined): string {
  if (comment === undefined) return '';
  return comment.split('\n').map(lineSense).join('\n');
}

function lineSense(line: string): string {
  let at = 0;
  while (at < line.length && (line[at] === ';' || line[at] === '#' || isGoSpace(line.charCodeAt(at)))) at += 1;
  return trimGoEnd(line.slice(at));
}

/** Where two files say something else: the path of a key, the name of a section; empty for all of it. */
export function firstDifference(some: readonly IniTree[], others: readonly IniTree[]): readonly string[] | undefined {
  if (some.length !== others.length) return [];
  for (const [index, section] of some.entries()) {
    const other = others[index];
    if (other === undefined || section.name !== other.name) return [];
    const { name } = section;
    if (commentSense(section.comment) !== commentSense(other.comment)) return [name];
    for (const [at, key] of other.keys.entries()) {
      const same = section.keys[at];
      if (same?.name !== key.name || same.value !== key.value) return [name, key.name];
      if (commentSense(same.comment) !== commentSense(key.comment)) return [name, key.name];
    }
    if (section.keys.length !== other.keys.length) return [name];
  }
  return undefined;
}

const CANDIDATES = ['', '`', '"""', '"', "'"] as const;

/** For a text in clear: those of sops where they do, else the first that keep the value. */
export const faithfulQuotes: QuotesOf = (value) => {
  const stock = stockQuotes(value);
  const text = Buffer.from(value).toString('utf8');
  // What encrypted values and most others are made of.
  if (/^[\w+/=:.,[\]@-]*$/.test(text)) return stock;
  return [stock, ...CANDIDATES].find((quotes) => readsBack(quotes + text + quotes, text)) ?? stock;
};

function readsBack(written: string, value: string): boolean {
  const [section, second] = readAgain(`k = ${written}\nl = x\n`);
  const [key, next] = section?.keys ?? [];
  return second === undefined && key?.value === value && key.comment === undefined && next?.value === 'x';
}

function unsayable(file: string, path: readonly string[]): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-042',
    what: 'an INI file cannot hold this',
    why: 'a name, value or comment would not read back as it is: no quotes keep it',
    next: 'rename the key, change the value, or encrypt the file as binary: --input-type binary',
    file,
    ...(path.length === 0 ? {} : { key: path.join('.') }),
  });
}
