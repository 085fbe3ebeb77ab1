import { type Splice, spliceText } from '../yaml/splice.ts';
import { type IniKey, type IniPlace, type IniSection, parseIni } from './ini.ts';
import {
  commentLines,
  commentSense,
  firstDifference,
  iniText,
  type IniTree,
  keyText,
  keyWidth,
  readAgain,
  sectionText,
  valueText,
} from './ini-text.ts';

/**
 * The text changed so that it says something else, every line that says the same left alone. What cannot be done in
 * place (another order, keys that stand there twice) is laid out anew as a whole. Throws SottoError.
 */
export function rewriteIni(text: string, wanted: readonly IniTree[], file: string): string {
  const old = parseIni(text, file);
  const splices = old.some(({ repeats }) => repeats) ? undefined : splicesFor({ text, file }, old, wanted);
  if (splices === undefined) return iniText(wanted, file);
  const rewritten = spliceText(text, inOrder(splices));
  return saysAs(rewritten, wanted) ? rewritten : iniText(wanted, file);
}

function saysAs(text: string, wanted: readonly IniTree[]): boolean {
  return firstDifference(readAgain(text), wanted) === undefined;
}

interface OldText {
  readonly text: string;
  readonly file: string;
}

/** What is put in stands before what is taken out at the same place. */
function inOrder(splices: readonly Splice[]): Splice[] {
  return splices.toSorted((a, b) => a.start - b.start || Number(a.end > a.start) - Number(b.end > b.start));
}

/** Undefined where what stays stands in another order. */
function splicesFor(
  around: OldText,
  old: readonly IniSection[],
  wanted: readonly IniTree[],
): readonly Splice[] | undefined {
  const pairs = paired(old, wanted);
  if (pairs === undefined) return undefined;
  const ends = new Map(old.map((section, index) => [section, old[index + 1]?.place.start ?? around.text.length]));
  const endOf = (section: IniSection): number => ends.get(section) ?? around.text.length;
  const kept = new Set(pairs.map(({ before }) => before));
  const splices = old
    .filter((section) => !kept.has(section))
    .map((section): Splice => ({ start: section.place.start, end: endOf(section), by: '' }));
  let at = 0;
  for (const { before, after } of pairs) {
    if (before === undefined) {
      splices.push({ start: at, end: at, by: newSection(around, after, at) });
      continue;
    }
    const inSection = sectionSplices(around, before, after, endOf(before));
    if (inSection === undefined) return undefined;
    splices.push(...inSection);
    at = endOf(before);
  }
  return splices;
}

interface Pair<Before, After> {
  readonly before: Before | undefined;
  readonly after: After;
}

/** Each wanted part with the one of its name that is there; undefined where these are in another order. */
function paired<Before extends { readonly name: string }, After extends { readonly name: string }>(
  old: readonly Before[],
  wanted: readonly After[],
): readonly Pair<Before, After>[] | undefined {
  const places = new Map<string, number[]>();
  for (const [index, { name }] of old.entries()) {
    const list = places.get(name);
    if (list === undefined) places.set(name, [index]);
    else list.push(index);
  }
  const taken = new Map<string, number>();
  let last = -1;
  const pairs: Pair<Before, After>[] = [];
  for (const after of wanted) {
    const nth = taken.get(after.name) ?? 0;
    const index = places.get(after.name)?.[nth];
    taken.set(after.name, nth + 1);
    if (index !== undefined && index < last) return undefined;
    if (index !== undefined) last = index;
    pairs.push({ before: index === undefined ? undefined : old[index], after });
  }
  return pairs;
}

/** With an empty line before it, and one behind it where something follows. */
function newSection({ text, file }: OldText, section: IniTree, at: number): string {
  const before = text.slice(0, at);
  const lead = before === '' || before.endsWith('\n\n') ? '' : before.endsWith('\n') ? '\n' : '\n\n';
  return lead + sectionText(section, file) + (at < text.length ? '\n' : '');
}

function sectionSplices(
  around: OldText,
  before: IniSection,
  after: IniTree,
  end: number,
): readonly Splice[] | undefined {
  const { text, file } = around;
  const pairs = paired(before.keys, after.keys);
  if (pairs === undefined) return undefined;
  const splices = commentSplices(around, before, after, 'section');
  const kept = new Set(pairs.map((pair) => pair.before));
  for (const key of before.keys) {
    if (!kept.has(key)) splices.push({ start: key.place.start, end: key.place.end, by: '' });
  }
  const width = keyWidth(before.keys.length === 0 ? after.keys : before.keys);
  let at = before.place.end;
  for (const pair of pairs) {
    if (pair.before !== undefined) {
      splices.push(...keySplices(around, pair.before, pair.after.value));
      splices.push(...commentSplices(around, pair.before, pair.after, 'key'));
      at = pair.before.place.end;
      continue;
    }
    const lead = at === 0 || text[at - 1] === '\n' || (at === 1 && text[0] === '\uFEFF') ? '' : '\n';
    splices.push({ start: at, end: at, by: lead + keyText(pair.after, width, file) });
  }
  // Keys that come before the first header, where there were none.
  if (before.keys.length === 0 && after.keys.length > 0 && at === end && end < text.length) {
    splices.push({ start: at, end: at, by: '\n' });
  }
  return splices;
}

function keySplices({ text }: OldText, { place, value }: IniKey, wanted: string): Splice[] {
  if (value === wanted) return [];
  const { valueStart, valueEnd } = place;
  const lead = /[=:]/.test(text.charAt(valueStart - 1)) && valueStart === valueEnd ? ' ' : '';
  return [{ start: valueStart, end: valueEnd, by: lead + valueText(wanted) }];
}

function commentSplices(
  { text, file }: OldText,
  before: { readonly comment: string | undefined; readonly place: IniPlace },
  after: { readonly comment: string | undefined },
  of: 'section' | 'key',
): Splice[] {
  if (commentSense(before.comment) === commentSense(after.comment)) return [];
  const { comments, ownLine } = before.place;
  const lines = commentLines(after.comment, of, file);
  const above = comments.filter(({ isBeside }) => !isBeside);
  const splices = comments.map(({ start, end, isBeside }): Splice => {
    if (!isBeside) return { start, end, by: start === above[0]?.start ? lines : '' };
    let from = start;
    while (text[from - 1] === ' ' || text[from - 1] === '\t') from -= 1;
    return { start: from, end, by: '' };
  });
  return above.length > 0 ? splices : [...splices, { start: ownLine, end: ownLine, by: lines }];
}
