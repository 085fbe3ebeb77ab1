/**
 * Text to value as Go's standard library reads it. Both goyaml.v2 (kubectl) and go-yaml v3 (sops) build on these.
 * Every function gives undefined for text that Go refuses.
 */

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;

const BASE_ZERO = /^([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|([1-9][0-9]*|0))$/;

/** strconv.ParseInt(text, 0, 64), then ParseUint: a sign, and a base told by `0x`, `0b`, `0o` or a leading `0`. */
export function goInteger(text: string): bigint | undefined {
  const match = BASE_ZERO.exec(text);
  if (match === null) return undefined;
  const [, sign, hex, binary, octal, decimal] = match;
  const digits = hex ?? binary ?? octal ?? decimal ?? '0';
  // Digits beyond 64 bits in any base: refused before they are converted, which is not linear in their number.
  if (digits.replace(/^0+/, '').length > 64) return undefined;
  const prefix = hex !== undefined ? '0x' : binary !== undefined ? '0b' : octal !== undefined ? '0o' : '';
  const size = BigInt(prefix + digits);
  const value = sign === '-' ? -size : size;
  if (value >= INT64_MIN && value <= INT64_MAX) return value;
  return sign === '' && value <= UINT64_MAX ? value : undefined;
}

export function isInt64(value: bigint): boolean {
  return value >= INT64_MIN && value <= INT64_MAX;
}

const DECIMAL_FLOAT = /^[-+]?(?:\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:[eE][-+]?\d+(?:_\d+)*)?$/;

/** strconv.ParseFloat of a decimal: out of range is refused, as Go's callers treat ErrRange as "no float". */
export function goFloat(text: string): number | undefined {
  if (!DECIMAL_FLOAT.test(text)) return undefined;
  const value = Number(text.replaceAll('_', ''));
  return Number.isFinite(value) ? value : undefined;
}

const YAML_FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;

/** The numbers of both goyaml lines: `_` is taken out, then an integer of any base, else a float written as YAML does. */
export function yamlNumber(text: string): bigint | number | undefined {
  const plain = text.replaceAll('_', '');
  const integer = goInteger(plain);
  if (integer !== undefined) return integer;
  return YAML_FLOAT.test(plain) ? goFloat(plain) : undefined;
}

/** Fixed notation with the fewest digits that read back the same: strconv.FormatFloat(value, 'f', -1, 64). */
export function fixedNotation(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Object.is(value, -0)) return '-0';
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:e([-+]\d+))?$/.exec(String(value));
  const [, sign = '', whole = '', fraction = '', exponent] = match ?? [];
  if (exponent === undefined) return String(value);
  const digits = whole + fraction;
  const point = whole.length + Number(exponent);
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  if (point >= digits.length) return sign + digits + '0'.repeat(point - digits.length);
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

const TIMESTAMP =
  /^(\d{4})-(\d{1,2})-(\d{1,2})(?:([Tt ])(\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,](\d+))?(Z|[-+]\d{2}:\d{2})?)?$/;

/** A timestamp of go-yaml v3 as RFC 3339 text, or undefined for text that is none (spec/sops.md, 7.2, step 6). */
export function goTimestamp(text: string): string | undefined {
  const match = TIMESTAMP.exec(text);
  if (match === null) return undefined;
  const [, year = '', month = '', day = '', separator, hour = '0', minute = '0', second = '0', fraction = '', zone] =
    match;
  // With a T there must be a zone, with a blank there must be none, a date alone is midnight UTC.
  if (separator !== undefined && (separator === ' ') !== (zone === undefined)) return undefined;
  const date = { year, month: Number(month), day: Number(day) };
  if (!isDate(date) || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  const offset = zoneText(zone);
  if (offset === undefined) return undefined;
  const nanoseconds = fraction.slice(0, 9).replace(/0+$/, '');
  const time = [hour, minute, second].map((part) => part.padStart(2, '0')).join(':');
  const fractionText = nanoseconds === '' ? '' : `.${nanoseconds}`;
  return `${year}-${two(date.month)}-${two(date.day)}T${time}${fractionText}${offset}`;
}

function isDate(date: { year: string; month: number; day: number }): boolean {
  if (date.month < 1 || date.month > 12 || date.day < 1) return false;
  const year = Number(date.year);
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][date.month - 1] ?? 0;
  return date.day <= days;
}

/** Go takes offsets up to 24:60 when it reads and refuses 24:00 and more when it writes RFC 3339. */
function zoneText(zone: string | undefined): string | undefined {
  if (zone === undefined || zone === 'Z') return 'Z';
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(4, 6));
  if (hours > 24 || minutes > 60) return undefined;
  const total = hours * 60 + minutes;
  if (total === 0) return 'Z';
  return `${zone.charAt(0)}${two(Math.floor(total / 60))}:${two(total % 60)}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
