import { ByteWriter } from './byte-writer.ts';
import { codePointAt, isPrintable, isUtf8 } from './utf8.ts';

/**
 * Opened values as text of YAML and JSON, from bytes to bytes. The type that the file gives a value is vouched for by
 * nobody, so a value goes out unquoted only when its bytes are of that type; else it is quoted and cannot be read as
 * anything but a string.
 */

export type OpenedType = 'str' | 'int' | 'float' | 'bool' | 'time' | 'bytes';

/** Most bytes that one byte of a value becomes: `\u00XX`. */
const MAX_GROWTH = 6;
const QUOTE = 34;
const BACKSLASH = 92;

/** `blockColumn` is the indentation that a block scalar here would have; undefined where none may stand. */
export function yamlValue(
  value: Uint8Array,
  type: OpenedType,
  place: { readonly inFlow: boolean; readonly blockColumn: number | undefined },
): ByteWriter {
  const bare = bareValue(value, type);
  if (bare === 'as-is') return new ByteWriter(value.length).bytes(value);
  if (bare !== undefined) return new ByteWriter(bare.length).ascii(bare);
  if (!isUtf8(value)) return binary(value);
  if (!place.inFlow && isPlainWord(value)) return new ByteWriter(value.length).bytes(value);
  if (place.blockColumn !== undefined && fitsBlock(value)) return block(value, place.blockColumn);
  return doubleQuoted(value);
}

export function jsonValue(value: Uint8Array, type: OpenedType): ByteWriter {
  const bare = bareValue(value, type);
  if (bare === 'as-is' && isNumber(value)) return new ByteWriter(value.length).bytes(value);
  if (bare === 'true' || bare === 'false') return new ByteWriter(bare.length).ascii(bare);
  return jsonString(value);
}

/** What stands unquoted for a value of its type: its own bytes, or other spelling; undefined when it must be quoted. */
function bareValue(value: Uint8Array, type: OpenedType): string | undefined {
  switch (type) {
    case 'int':
      return isNumber(value) && !value.includes(46) ? 'as-is' : undefined;
    case 'float':
      return floatText(value);
    case 'time':
      return isMadeOf(value, '0123456789-:.TZ+') ? 'as-is' : undefined;
    case 'bool':
      if (['1', 't', 'T', 'TRUE', 'true', 'True'].some((word) => equals(value, word))) return 'true';
      return ['0', 'f', 'F', 'FALSE', 'false', 'False'].some((word) => equals(value, word)) ? 'false' : undefined;
    case 'str':
    case 'bytes':
    default:
      return undefined;
  }
}

function floatText(value: Uint8Array): string | undefined {
  if (equals(value, '+Inf')) return '.inf';
  if (equals(value, '-Inf')) return '-.inf';
  if (equals(value, 'NaN')) return '.nan';
  return isNumber(value) ? 'as-is' : undefined;
}

/** A decimal in fixed notation without needless zeros before it, as sops writes numbers. */
function isNumber(value: Uint8Array): boolean {
  const start = value[0] === 45 ? 1 : 0;
  const digits = value.subarray(start);
  const leadingZero = digits[0] === 48 && digits.length > 1 && digits[1] !== 46;
  const points = digits.filter((byte) => byte === 46).length;
  if (leadingZero || points > 1 || !isDigit(digits[0]) || !isDigit(digits.at(-1))) return false;
  return digits.every((byte) => isDigit(byte) || byte === 46);
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 48 && byte <= 57;
}

function isMadeOf(value: Uint8Array, characters: string): boolean {
  return value.length > 0 && value.every((byte) => characters.includes(String.fromCharCode(byte)));
}

function equals(value: Uint8Array, word: string): boolean {
  return value.length === word.length && value.every((byte, at) => byte === word.charCodeAt(at));
}

/** Words to which some reader of YAML 1.1 or 1.2 gives a meaning. */
const KEYWORDS = ['y', 'n', 'yes', 'no', 'on', 'off', 'true', 'false', 'null'];

/** Starts with a letter, has no indicators, and means nothing but itself in any case. */
function isPlainWord(value: Uint8Array): boolean {
  if (!isLetter(value[0] ?? 0) || KEYWORDS.some((word) => equalsFolded(value, word))) return false;
  return value.every((byte) => isLetter(byte) || isDigit(byte) || byte === 45 || byte === 46 || byte === 95);
}

function isLetter(byte: number): boolean {
  return (byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122);
}

function equalsFolded(value: Uint8Array, word: string): boolean {
  return value.length === word.length && value.every((byte, at) => (byte | 32) === word.charCodeAt(at));
}

/** Several lines of printable text whose indentation and end a literal block can tell. */
function fitsBlock(value: Uint8Array): boolean {
  const first = value[0] ?? 0;
  const end = value.length;
  if (!value.subarray(0, -1).includes(10) || first <= 32) return false;
  if (value[end - 1] === 10 && value[end - 2] === 10) return false;
  for (let at = 0; at < end; ) {
    const point = codePointAt(value, at);
    if (point === undefined || (point.code !== 10 && !isPrintable(point.code))) return false;
    at += point.length;
  }
  return true;
}

/** A literal block without its last line break, which the text behind the replaced scalar has. */
function block(value: Uint8Array, column: number): ByteWriter {
  const ends = value[value.length - 1] === 10;
  const body = ends ? value.subarray(0, -1) : value;
  const lines = body.reduce((count, byte) => count + (byte === 10 ? 1 : 0), 1);
  const writer = new ByteWriter(body.length + lines * (column + 1) + 4);
  writer.ascii(ends ? '|' : '|-').byte(10);
  let lineStart = true;
  for (const byte of body) {
    if (lineStart && byte !== 10) for (let blank = 0; blank < column; blank += 1) writer.byte(32);
    writer.byte(byte);
    lineStart = byte === 10;
  }
  return writer;
}

const SHORT_ESCAPES: ReadonlyMap<number, string> = new Map([
  [9, '\\t'],
  [10, '\\n'],
  [13, '\\r'],
  [QUOTE, '\\"'],
  [BACKSLASH, '\\\\'],
]);

function doubleQuoted(value: Uint8Array): ByteWriter {
  const writer = new ByteWriter(value.length * MAX_GROWTH + 2).byte(QUOTE);
  for (let at = 0; at < value.length; ) {
    const point = codePointAt(value, at) ?? { code: 0xfffd, length: 1 };
    const short = SHORT_ESCAPES.get(point.code);
    if (short !== undefined) writer.ascii(short);
    else if (isPrintable(point.code)) writer.bytes(value.subarray(at, at + point.length));
    else if (point.code < 0x100) writer.ascii('\\x').hex(point.code, 2);
    else if (point.code < 0x10000) writer.ascii('\\u').hex(point.code, 4);
    else writer.ascii('\\U').hex(point.code, 8);
    at += point.length;
  }
  return writer.byte(QUOTE);
}

/** Bytes that are not UTF-8 become U+FFFD, as Go writes them: JSON has no form for them. */
function jsonString(value: Uint8Array): ByteWriter {
  const writer = new ByteWriter(value.length * MAX_GROWTH + 2).byte(QUOTE);
  for (let at = 0; at < value.length; ) {
    const point = codePointAt(value, at);
    const short = point === undefined ? undefined : SHORT_ESCAPES.get(point.code);
    if (point === undefined) writer.ascii('\\ufffd');
    else if (short !== undefined) writer.ascii(short);
    else if (point.code < 0x20) writer.ascii('\\u').hex(point.code, 4);
    else writer.bytes(value.subarray(at, at + point.length));
    at += point?.length ?? 1;
  }
  return writer.byte(QUOTE);
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** YAML's form for bytes that are not text, as sops writes them. */
function binary(value: Uint8Array): ByteWriter {
  const writer = new ByteWriter(value.length * 2 + 16).ascii('!!binary ');
  for (let at = 0; at < value.length; at += 3) {
    const group = ((value[at] ?? 0) << 16) | ((value[at + 1] ?? 0) << 8) | (value[at + 2] ?? 0);
    const left = value.length - at;
    for (let digit = 0; digit < 4; digit += 1) {
      writer.byte(digit > left ? 61 : BASE64.charCodeAt((group >> (18 - 6 * digit)) & 63));
    }
  }
  return writer;
}

/** The text of a comment on one line: a line break in it would let it become anything. */
export function commentText(value: Uint8Array): ByteWriter {
  const writer = new ByteWriter(value.length + 1).byte(35);
  for (const byte of value) writer.byte(byte < 32 && byte !== 9 ? 32 : byte);
  return writer;
}
