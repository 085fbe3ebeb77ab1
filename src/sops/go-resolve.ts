import { ownedBytes } from '../core/sensitive.ts';

/**
 * What go-yaml v3 reads in a plain scalar (spec/sops.md, 7.2), told from its bytes: they may be a secret. Needed to
 * know what it would quote on the way out.
 */
export type PlainReading = 'str' | 'null' | 'bool' | 'int' | 'float' | 'time' | 'merge';

const WORDS: readonly (readonly [PlainReading, readonly string[]])[] = [
  ['bool', ['true', 'True', 'TRUE', 'false', 'False', 'FALSE']],
  ['null', ['', '~', 'null', 'Null', 'NULL']],
  ['float', ['.nan', '.NaN', '.NAN', '.inf', '.Inf', '.INF', '+.inf', '+.Inf', '+.INF', '-.inf', '-.Inf', '-.INF']],
];
const OLD_BOOLS = ['y', 'Y', 'yes', 'Yes', 'YES', 'on', 'On', 'ON', 'n', 'N', 'no', 'No', 'NO', 'off', 'Off', 'OFF'];
const LONGEST_WORD = 5;
const PLUS = 43;
const MINUS = 45;
const POINT = 46;
const COLON = 58;
const UNDERSCORE = 95;

export function readPlain(value: Uint8Array): PlainReading {
  if (value.length <= LONGEST_WORD) {
    const word = WORDS.find(([, spellings]) => isOneOf(value, spellings));
    if (word !== undefined) return word[0];
  }
  const first = value[0] ?? 0;
  if (first === POINT) return isGoFloat(value) ? 'float' : 'str';
  if (!isDigit(first) && first !== PLUS && first !== MINUS) return 'str';
  if (isTimestamp(value)) return 'time';
  return readNumber(without(value, UNDERSCORE));
}

/** Words and numbers of YAML 1.1 that go-yaml takes for text but quotes all the same. */
export function isOldReading(value: Uint8Array): boolean {
  return (value.length <= LONGEST_WORD && isOneOf(value, OLD_BOOLS)) || isBase60(value);
}

export function isOneOf(value: Uint8Array, words: readonly string[]): boolean {
  return words.some((word) => equals(value, word));
}

export function equals(value: Uint8Array, word: string): boolean {
  return value.length === word.length && value.every((byte, at) => byte === word.charCodeAt(at));
}

/** A copy without a byte, in memory of its own; the caller wipes it. */
export function without(value: Uint8Array, left: number): Uint8Array<ArrayBuffer> {
  const copy = ownedBytes(value.length);
  let length = 0;
  for (const byte of value) {
    if (byte === left) continue;
    copy[length] = byte;
    length += 1;
  }
  return copy.subarray(0, length);
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 48 && byte <= 57;
}

/** `plain` is a copy without underscores, and is wiped. */
function readNumber(plain: Uint8Array): PlainReading {
  try {
    if (isInteger(plain)) return 'int';
    return isYamlFloat(plain) ? 'float' : 'str';
  } finally {
    plain.fill(0);
  }
}

const DIGITS = '0123456789abcdef';
const BASES: readonly (readonly [prefix: string, base: number])[] = [
  ['x', 16],
  ['b', 2],
  ['o', 8],
];

/** A 64-bit integer, signed or not, of the base that its start tells. */
function isInteger(plain: Uint8Array): boolean {
  const isNegative = plain[0] === MINUS;
  const isSigned = isNegative || plain[0] === PLUS;
  const body = isSigned ? plain.subarray(1) : plain;
  const letter = String.fromCharCode((body[1] ?? 0) | 32);
  const named = body[0] === 48 ? BASES.find(([prefix]) => prefix === letter) : undefined;
  const isOctal = named === undefined && body[0] === 48 && body.length > 1;
  const digits = named !== undefined ? body.subarray(2) : isOctal ? body.subarray(1) : body;
  const limit = isNegative ? 2n ** 63n : isSigned ? 2n ** 63n - 1n : 2n ** 64n - 1n;
  const base = named?.[1] ?? (isOctal ? 8 : 10);
  return digits.length > 0 && isAtMost(digits, limit.toString(base), base);
}

function digitOf(byte: number): number {
  return DIGITS.indexOf(String.fromCharCode(byte >= 65 ? byte | 32 : byte));
}

/** Compared digit by digit: a number made of them would be a copy that nobody can wipe. */
function isAtMost(digits: Uint8Array, limit: string, base: number): boolean {
  if (digits.some((byte) => digitOf(byte) === -1 || digitOf(byte) >= base)) return false;
  const first = digits.findIndex((byte) => byte !== 48);
  const rest = first === -1 ? digits.subarray(0, 0) : digits.subarray(first);
  if (rest.length !== limit.length) return rest.length < limit.length;
  for (let at = 0; at < limit.length; at += 1) {
    const difference = digitOf(rest[at] ?? 0) - DIGITS.indexOf(limit.charAt(at));
    if (difference !== 0) return difference < 0;
  }
  return true;
}

/** `[-+]? ( . digits | digits ( . digits? )? ) ( e [-+]? digits )?`, and not beyond the range of a double. */
function isYamlFloat(plain: Uint8Array): boolean {
  let at = plain[0] === MINUS || plain[0] === PLUS ? 1 : 0;
  const whole = skipDigits(plain, at);
  let end = whole;
  if (plain[end] === POINT) end = skipDigits(plain, end + 1);
  if (end === at || (end === at + 1 && plain[at] === POINT)) return false;
  at = end;
  if (plain[at] === 101 || plain[at] === 69) {
    const digits = plain[at + 1] === MINUS || plain[at + 1] === PLUS ? at + 2 : at + 1;
    end = skipDigits(plain, digits);
    if (end === digits) return false;
  }
  return end === plain.length && isInRange(plain, whole);
}

/** Go refuses what rounds to infinity. Told from the size only: the digits may be a secret. */
function isInRange(plain: Uint8Array, wholeEnd: number): boolean {
  const mark = plain.findIndex((byte) => byte === 101 || byte === 69);
  let exponent = 0;
  if (mark !== -1) {
    for (const byte of plain.subarray(mark + 1)) if (isDigit(byte)) exponent = Math.min(1e6, exponent * 10 + byte - 48);
    if (plain[mark + 1] === MINUS) exponent = -exponent;
  }
  let start = plain[0] === MINUS || plain[0] === PLUS ? 1 : 0;
  while (start < wholeEnd && plain[start] === 48) start += 1;
  if (wholeEnd > start) return wholeEnd - start + exponent <= 308;
  let zeros = 0;
  while (plain[wholeEnd + 1 + zeros] === 48) zeros += 1;
  return exponent - zeros <= 308;
}

function skipDigits(bytes: Uint8Array, from: number): number {
  let at = from;
  while (isDigit(bytes[at])) at += 1;
  return at;
}

/** What strconv.ParseFloat takes that starts with a point: underscores too, one at a time and between digits. */
function isGoFloat(value: Uint8Array): boolean {
  if (!isDigit(value[1])) return false;
  const separates = value.every(
    (byte, at) => byte !== UNDERSCORE || (isDigit(value[at - 1]) && isDigit(value[at + 1])),
  );
  const plain = without(value, UNDERSCORE);
  const isFloat = separates && isYamlFloat(plain);
  plain.fill(0);
  return isFloat;
}

/** `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?` */
function isBase60(value: Uint8Array): boolean {
  const start = value[0] === PLUS || value[0] === MINUS ? 1 : 0;
  if (!isDigit(value[start])) return false;
  let at = start;
  while (isDigit(value[at]) || value[at] === UNDERSCORE) at += 1;
  let groups = 0;
  while (value[at] === COLON && isDigit(value[at + 1])) {
    const two = isDigit(value[at + 2]);
    if (two && (value[at + 1] ?? 0) > 53) return false;
    at += two ? 3 : 2;
    groups += 1;
  }
  if (groups > 0 && value[at] === POINT) {
    at += 1;
    while (isDigit(value[at]) || value[at] === UNDERSCORE) at += 1;
  }
  return groups > 0 && at === value.length;
}

/** A date, or date and time with a zone, or with a blank between and no zone. */
function isTimestamp(value: Uint8Array): boolean {
  if (skipDigits(value, 0) !== 4 || value[4] !== MINUS) return false;
  const month = numberAt(value, 5);
  if (month === undefined || value[month.end] !== MINUS) return false;
  const day = numberAt(value, month.end + 1);
  if (day === undefined || !isDay(value, month.value, day.value)) return false;
  if (day.end === value.length) return true;
  const separator = value[day.end];
  const blank = separator === 32;
  if (!blank && separator !== 84 && separator !== 116) return false;
  const end = timeEnd(value, day.end + 1);
  if (end === undefined) return false;
  return blank ? end === value.length : isZone(value.subarray(end));
}

/** Offset behind `h:m:s` and its fraction. */
function timeEnd(value: Uint8Array, start: number): number | undefined {
  const hour = numberAt(value, start);
  if (hour === undefined || hour.value > 23 || value[hour.end] !== COLON) return undefined;
  const minute = numberAt(value, hour.end + 1);
  if (minute === undefined || minute.value > 59 || value[minute.end] !== COLON) return undefined;
  const second = numberAt(value, minute.end + 1);
  if (second === undefined || second.value > 59) return undefined;
  const hasFraction = (value[second.end] === POINT || value[second.end] === 44) && isDigit(value[second.end + 1]);
  return hasFraction ? skipDigits(value, second.end + 1) : second.end;
}

function numberAt(value: Uint8Array, at: number): { readonly value: number; readonly end: number } | undefined {
  const end = Math.min(skipDigits(value, at), at + 2);
  if (end === at) return undefined;
  return { value: value.subarray(at, end).reduce((sum, byte) => sum * 10 + byte - 48, 0), end };
}

function isDay(value: Uint8Array, month: number, day: number): boolean {
  const year = value.subarray(0, 4).reduce((sum, byte) => sum * 10 + byte - 48, 0);
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1];
  return days !== undefined && day >= 1 && day <= days;
}

function isZone(zone: Uint8Array): boolean {
  if (zone.length === 1) return zone[0] === 90;
  if (zone.length !== 6 || (zone[0] !== PLUS && zone[0] !== MINUS) || zone[3] !== COLON) return false;
  const hours = numberAt(zone, 1);
  const minutes = numberAt(zone, 4);
  return hours?.end === 3 && minutes?.end === 6 && hours.value <= 24 && minutes.value <= 60;
}
