import { afterSpaces, trimGo, trimGoEnd } from './go-space.ts';
import { type IniLine, type IniLines, unreadable } from './ini-lines.ts';

/** A part of a comment: a line, or what stands behind a value. */
export interface IniComment {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly isBeside: boolean;
}

/** A value with the offsets between which it stands, quotes and what is lost behind them included, and what is beside it. */
export interface IniValue {
  readonly value: string;
  readonly start: number;
  readonly end: number;
  readonly comment: IniComment | undefined;
}

/** Reads what follows the delimiter of a key, and the further lines that belong to it. Throws SottoError. */
export function readIniValue(lines: IniLines, first: IniLine, from: number, file: string): IniValue {
  const start = first.start + afterSpaces(first.text, from - first.start);
  const rest = first.text.slice(start - first.start);
  if (rest === '') {
    // Behind the one blank that is written there.
    const at = first.text[from - first.start] === ' ' ? from + 1 : from;
    return { value: '', start: at, end: at, comment: undefined };
  }
  const quote = valueQuote(rest);
  if (quote !== undefined) return quoted(lines, { first, start, rest, quote, file });
  const line = trimGoEnd(rest);
  if (line.endsWith('\\')) return continued(lines, line, start);
  return onOneLine(line, start);
}

function valueQuote(rest: string): '"""' | '`' | undefined {
  if (rest.length > 3 && rest.startsWith('"""')) return '"""';
  return rest[0] === '`' ? '`' : undefined;
}

interface Quoted {
  readonly first: IniLine;
  readonly start: number;
  readonly rest: string;
  readonly quote: '"""' | '`';
  readonly file: string;
}

function quoted(lines: IniLines, { first, start, rest, quote, file }: Quoted): IniValue {
  const open = quote.length;
  const close = rest.slice(open).lastIndexOf(quote);
  // What is behind closing quotes on the line of the opening ones is lost.
  if (close !== -1) {
    const value = rest.slice(open, open + close);
    return { value, start, end: start + trimGoEnd(rest).length, comment: undefined };
  }
  const parts = [rest.slice(open)];
  for (;;) {
    const next = lines.next();
    const at = next.text.lastIndexOf(quote);
    const goesOn = at !== -1 && trimGoEnd(next.text.slice(at + quote.length)).endsWith('\\');
    if (at !== -1 && !goesOn) {
      parts.push(next.text.slice(0, at));
      const comment = besideQuotes(next, at);
      const behind = next.text.slice(0, comment === undefined ? undefined : comment.start - next.start);
      const end = next.start + trimGoEnd(behind).length;
      return { value: parts.join(''), start, end, comment };
    }
    parts.push(next.text);
    if (lines.atEnd && !goesOn) throw unreadable(file, first.line, 'the quotes around a value are not closed');
  }
}

function besideQuotes(line: IniLine, from: number): IniComment | undefined {
  const at = line.text.slice(from).search(/[#;]/);
  if (at === -1) return undefined;
  const text = trimGo(line.text.slice(from + at));
  const start = line.start + from + at;
  return { text, start, end: start + text.length, isBeside: true };
}

/** A backslash at the end of a line joins the next one to it; neither comments nor quotes are looked for. */
function continued(lines: IniLines, first: string, start: number): IniValue {
  const parts = [first.slice(0, -1)];
  let end = start + first.length;
  for (;;) {
    const next = lines.next();
    const text = trimGo(next.text);
    if (text === '') break;
    end = next.start + trimGoEnd(next.text).length;
    const goesOn = text.endsWith('\\');
    parts.push(goesOn ? text.slice(0, -1) : text);
    if (!goesOn) break;
  }
  return { value: parts.join(''), start, end, comment: undefined };
}

function onOneLine(line: string, start: number): IniValue {
  const beside = line.search(/[#;]/);
  const text = beside === -1 ? line : trimGo(line.slice(0, beside));
  const comment =
    beside === -1
      ? undefined
      : { text: line.slice(beside), start: start + beside, end: start + line.length, isBeside: true };
  const isQuoted = isInQuotes(text, "'") || isInQuotes(text, '"');
  return { value: isQuoted ? text.slice(1, -1) : text, start, end: start + text.length, comment };
}

/** Quotes at both ends and none of them between. */
function isInQuotes(text: string, quote: string): boolean {
  return text.length >= 2 && text.startsWith(quote) && text.indexOf(quote, 1) === text.length - 1;
}
