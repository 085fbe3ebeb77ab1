import type { SottoError } from '../core/errors.ts';
import { afterSpaces, trimGo, trimGoEnd } from './go-space.ts';
import { type IniLine, IniLines, unreadable } from './ini-lines.ts';
import { type IniComment, readIniValue } from './ini-value.ts';

/**
 * INI as the library of sops reads it (spec/sops.md, section 11): sections of one name stay apart, of keys of one name
 * the last one counts, what is behind `;` or `#` is a comment unless quotes keep it.
 */
export interface IniSection {
  readonly name: string;
  /** 1-based; of the header. */
  readonly line: number;
  /** Without marker; undefined where there is none. */
  readonly comment: string | undefined;
  readonly keys: readonly IniKey[];
  readonly place: IniPlace;
  /** A key stood there twice: the places of its keys do not tell all of the text. */
  readonly repeats: boolean;
}

export interface IniKey {
  readonly name: string;
  /** 1-based. */
  readonly line: number;
  readonly value: string;
  readonly comment: string | undefined;
  readonly place: IniKeyPlace;
}

/** Offsets of whole lines, from the first line of the comment on. */
export interface IniPlace {
  readonly start: number;
  /** Where the line of the header or key starts. */
  readonly ownLine: number;
  readonly end: number;
  readonly comments: readonly IniComment[];
}

export interface IniKeyPlace extends IniPlace {
  /** Of the value with its quotes. */
  readonly valueStart: number;
  readonly valueEnd: number;
}

export const DEFAULT_SECTION = 'DEFAULT';

interface OpenSection {
  readonly head: Omit<IniSection, 'keys' | 'repeats'>;
  readonly keys: Map<string, IniKey>;
  repeats: boolean;
}

/** Throws SottoError for what sops would refuse. */
export function parseIni(text: string, file: string): IniSection[] {
  const lines = new IniLines(text);
  const start = lines.at;
  const nowhere = { start, ownLine: start, end: start, comments: [] };
  let section = opened({ name: DEFAULT_SECTION, line: 1, comment: undefined, place: nowhere });
  const sections = [section];
  let comments: IniComment[] = [];
  let unnamed = 1;
  while (!lines.atEnd) {
    const whole = lines.next();
    const blanks = afterSpaces(whole.text);
    const line = whole.text.slice(blanks);
    if (line === '') continue;
    if (line[0] === '#' || line[0] === ';') {
      comments.push({ text: line, start: whole.start, end: whole.end, isBeside: false });
      continue;
    }
    if (line[0] === '[') {
      section = opened(sectionOf(whole, line, comments, file));
      sections.push(section);
      comments = [];
      unnamed = 1;
      continue;
    }
    const key = keyName(line, whole, file);
    const name = key.name === '-' ? `#${unnamed++}` : key.name;
    const value = readIniValue(lines, whole, whole.start + blanks + key.end, file);
    if (value.comment !== undefined) comments.push(value.comment);
    section.repeats ||= section.keys.has(name);
    // The place of a key in the order of keys is that of the first of its name.
    section.keys.set(name, {
      name,
      line: whole.line,
      value: value.value,
      comment: commentText(comments),
      place: {
        start: comments[0] === undefined ? whole.start : Math.min(comments[0].start, whole.start),
        ownLine: whole.start,
        end: lines.at,
        comments,
        valueStart: value.start,
        valueEnd: value.end,
      },
    });
    comments = [];
  }
  return sections.map(({ head, keys, repeats }) => ({ ...head, keys: [...keys.values()], repeats }));
}

function opened(head: OpenSection['head']): OpenSection {
  return { head, keys: new Map(), repeats: false };
}

function sectionOf(whole: IniLine, line: string, above: IniComment[], file: string): OpenSection['head'] {
  const close = line.lastIndexOf(']');
  if (close === -1) throw unreadable(file, whole.line, 'the name of a section is not closed with ]');
  const name = line.slice(1, close);
  if (name === '') throw unreadable(file, whole.line, 'the name of a section is empty');
  const beside = line.slice(close + 1).search(/[#;]/);
  const comments = [...above];
  if (beside !== -1) {
    const text = line.slice(close + 1 + beside);
    const start = whole.end - text.length;
    comments.push({ text, start, end: start + trimGoEnd(text).length, isBeside: true });
  }
  const start = Math.min(above[0]?.start ?? whole.start, whole.start);
  const place = { start, ownLine: whole.start, end: whole.end, comments };
  return { name, line: whole.line, comment: commentText(comments), place };
}

/** What sops keeps of a comment: the markers of its first line are taken away, those of further lines are not. */
function commentText(parts: readonly IniComment[]): string | undefined {
  const raw = trimGo(parts.map(({ text }) => text).join(''));
  if (raw === '') return undefined;
  let at = 0;
  while (raw[at] === raw[0] || raw[at] === ' ') at += 1;
  return raw.slice(at);
}

/** The name, and where what follows the delimiter starts. */
function keyName(
  line: string,
  { line: number }: IniLine,
  file: string,
): { readonly name: string; readonly end: number } {
  const quote = keyQuote(line);
  if (quote === '') {
    const at = line.search(/[=:]/);
    if (at === -1) throw noDelimiter(file, number);
    if (at === 0) throw noName(file, number);
    return { name: trimGoEnd(line.slice(0, at)), end: at + 1 };
  }
  const close = line.indexOf(quote, quote.length);
  if (close === -1) throw unreadable(file, number, 'the quotes around the name of a key are not closed');
  const rest = line.slice(close + quote.length).search(/[=:]/);
  if (rest === -1) throw noDelimiter(file, number);
  const name = trimGo(line.slice(quote.length, close));
  if (name === '') throw noName(file, number);
  return { name, end: close + quote.length + rest + 1 };
}

function keyQuote(line: string): string {
  if (line[0] === '`') return '`';
  if (line[0] !== '"') return '';
  return line.startsWith('"""') && Buffer.byteLength(line) > 6 ? '"""' : '"';
}

function noDelimiter(file: string, line: number): SottoError {
  return unreadable(file, line, 'it is no section, no comment, and has neither = nor :');
}

function noName(file: string, line: number): SottoError {
  return unreadable(file, line, 'the name of a key is empty');
}
