import type { ByteWriter } from './byte-writer.ts';
import { equals, isOldReading, readPlain } from './go-resolve.ts';
import { codePointAt } from './utf8.ts';

/**
 * Strings as go-yaml v3 writes them, from bytes to bytes: `sops -d` writes them like that, and so does kustomize.
 */
export type GoStyle = 'plain' | 'single' | 'double' | 'literal';

/** What can be said of a scalar without knowing where it goes. */
export interface ScalarTraits {
  readonly multiline: boolean;
  /** Holds a line break other than `\n`. */
  readonly oddBreaks: boolean;
  readonly plainInBlock: boolean;
  readonly plainInFlow: boolean;
  readonly single: boolean;
  readonly block: boolean;
}

/** The style of a string that is no key; a key is on one line. `text` is UTF-8. */
export function styleOf(text: Uint8Array, place: { readonly inFlow: boolean; readonly isKey: boolean }): GoStyle {
  const traits = scalarTraits(text);
  if (text.includes(10)) return traits.block && !place.inFlow && !place.isKey ? 'literal' : 'double';
  if (!isText(text)) return 'double';
  if (place.inFlow ? traits.plainInFlow : traits.plainInBlock) return 'plain';
  return traits.single && !(place.isKey && traits.multiline) ? 'single' : 'double';
}

/** Whether a plain scalar of this text is read as a string, by YAML 1.1 too. */
export function isText(text: Uint8Array): boolean {
  return readPlain(text) === 'str' && !isOldReading(text);
}

const START_INDICATORS = new Set(Buffer.from('#,[]{}&*!|>\'"%@`'));
const FLOW_INDICATORS = new Set(Buffer.from(',?[]{}'));
const COLON = 58;
const HASH = 35;

export function scalarTraits(text: Uint8Array): ScalarTraits {
  if (text.length === 0) {
    return { multiline: false, oddBreaks: false, plainInBlock: true, plainInFlow: false, single: true, block: false };
  }
  let [blockIndicator, flowIndicator] = [startsMarker(text), startsMarker(text)];
  let [breaks, oddBreaks, special, tabs] = [false, false, false, false];
  let [breakSpace, spaceBreak, outerSpace, outerBreak, trailingSpace] = [false, false, false, false, false];
  let previous: 'space' | 'break' | 'other' = 'other';
  let afterBlank = true;
  for (let at = 0; at < text.length; ) {
    const point = codePointAt(text, at) ?? { code: 0xfffd, length: 1 };
    const { code, length } = point;
    const next = text[at + length];
    const beforeBlank = next === undefined || next === 32 || next === 9;
    if (at === 0) {
      if (START_INDICATORS.has(code) || (code === 45 && beforeBlank)) [blockIndicator, flowIndicator] = [true, true];
      else if (code === 63 || code === COLON) [blockIndicator, flowIndicator] = [blockIndicator || beforeBlank, true];
    } else if (FLOW_INDICATORS.has(code)) flowIndicator = true;
    else if (code === COLON) [blockIndicator, flowIndicator] = [blockIndicator || beforeBlank, true];
    else if (code === HASH && afterBlank) [blockIndicator, flowIndicator] = [true, true];
    const isLast = at + length === text.length;
    const kind = code === 32 ? 'space' : isBreak(code) ? 'break' : 'other';
    if (code === 9) tabs = true;
    else if (!isGoPrintable(code)) special = true;
    if (kind === 'space') {
      if (at === 0 || isLast) outerSpace = true;
      if (isLast) trailingSpace = true;
      if (previous === 'break') breakSpace = true;
    } else if (kind === 'break') {
      breaks = true;
      if (code !== 10) oddBreaks = true;
      if (at === 0 || isLast) outerBreak = true;
      if (previous === 'space') spaceBreak = true;
    }
    previous = kind;
    afterBlank = kind !== 'other' || code === 9 || code === 0;
    at += length;
  }
  const unquotable = outerSpace || outerBreak || breakSpace || spaceBreak || tabs || special || breaks;
  return {
    multiline: breaks,
    oddBreaks,
    plainInBlock: !unquotable && !blockIndicator,
    plainInFlow: !unquotable && !flowIndicator,
    single: !breakSpace && !spaceBreak && !tabs && !special,
    block: !trailingSpace && !spaceBreak && !special,
  };
}

function startsMarker(text: Uint8Array): boolean {
  return [45, 46].some((byte) => text[0] === byte && text[1] === byte && text[2] === byte);
}

function isBreak(code: number): boolean {
  return code === 10 || code === 13 || code === 0x85 || code === 0x2028 || code === 0x2029;
}

/** Beyond the basic plane go-yaml takes nothing for printable. */
function isGoPrintable(code: number): boolean {
  if (code === 10 || (code >= 0x20 && code <= 0x7e)) return true;
  return code >= 0xa0 && code < 0x10000 && code !== 0xfeff && code !== 0xfffe && code !== 0xffff;
}

/** A scalar on one line, in quotes or without. */
export function writeInline(text: Uint8Array, style: Exclude<GoStyle, 'literal'>, writer: ByteWriter): void {
  if (style === 'double') return writeDouble(text, writer);
  // The one text that go-yaml takes for a merge key on the way in and for nothing on the way out.
  if (style === 'plain') void (equals(text, '<<') ? writer.ascii('!!merge <<') : writer.bytes(text));
  else writeSingle(text, writer);
}

function writeSingle(text: Uint8Array, writer: ByteWriter): void {
  writer.byte(39);
  for (const byte of text) {
    if (byte === 39) writer.byte(39);
    writer.byte(byte);
  }
  writer.byte(39);
}

const ESCAPES: ReadonlyMap<number, string> = new Map([
  [0x00, '\\0'],
  [0x07, '\\a'],
  [0x08, '\\b'],
  [0x09, '\\t'],
  [0x0a, '\\n'],
  [0x0b, '\\v'],
  [0x0c, '\\f'],
  [0x0d, '\\r'],
  [0x1b, '\\e'],
  [0x22, '\\"'],
  [0x5c, '\\\\'],
  [0x85, '\\N'],
  [0xa0, '\\_'],
  [0x2028, '\\L'],
  [0x2029, '\\P'],
]);
const NEVER_RAW = new Set([10, 0x22, 0x5c, 0x85, 0x2028, 0x2029]);

function writeDouble(text: Uint8Array, writer: ByteWriter): void {
  // With a byte order mark in front, go-yaml escapes every character.
  const all = text[0] === 0xef && text[1] === 0xbb && text[2] === 0xbf;
  writer.byte(34);
  for (let at = 0; at < text.length; ) {
    const { code, length } = codePointAt(text, at) ?? { code: 0xfffd, length: 1 };
    if (!all && isGoPrintable(code) && !NEVER_RAW.has(code)) writer.bytes(text.subarray(at, at + length));
    else writeEscape(code, writer);
    at += length;
  }
  writer.byte(34);
}

function writeEscape(code: number, writer: ByteWriter): void {
  const short = ESCAPES.get(code);
  if (short !== undefined) writer.ascii(short);
  else if (code <= 0xff) writer.ascii('\\x').hex(code, 2);
  else if (code <= 0xffff) writer.ascii('\\u').hex(code, 4);
  else writer.ascii('\\U').hex(code, 8);
}

/** A block scalar, its header included, ended by a line break. `comment` goes behind the header. */
export function writeLiteral(
  text: Uint8Array,
  writer: ByteWriter,
  place: { readonly column: number; readonly indent: number; readonly comment: Uint8Array | undefined },
): void {
  writer.byte(124);
  if (text[0] === 32 || text[0] === 10) writer.ascii(String(place.indent));
  const last = text.length - 1;
  if (text[last] !== 10) writer.byte(45);
  else if (last === 0 || text[last - 1] === 10) writer.byte(43);
  if (place.comment !== undefined) writer.ascii(' #').bytes(place.comment);
  writer.byte(10);
  let lineStart = true;
  for (const byte of text) {
    if (lineStart && byte !== 10) for (let blank = 0; blank < place.column; blank += 1) writer.byte(32);
    writer.byte(byte);
    lineStart = byte === 10;
  }
  if (!lineStart) writer.byte(10);
}
