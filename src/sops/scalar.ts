import { SottoError } from '../core/errors.ts';
import { fixedNotation, goFloat, goInteger, goTimestamp, isInt64, yamlNumber } from '../yaml/go-scalars.ts';
import { badTag } from '../yaml/refusals.ts';
import { coreTag } from '../yaml/tag.ts';
import type { YamlScalar } from '../yaml/tree.ts';

/** A clear scalar as sops types it, with the byte form that is encrypted and counted in the MAC (spec 3.2). */
export type SopsValue =
  | { readonly type: 'null' }
  | { readonly type: 'str' | 'int' | 'float' | 'bool' | 'time'; readonly text: string };

export type SopsFormat = 'yaml' | 'json';

/** In what form a file is encrypted; `binary` is any file at all, inside of a JSON document. */
export type WholeFormat = SopsFormat | 'dotenv' | 'binary' | 'ini';

/** Throws SottoError for what sops cannot hold: integers beyond 64 bits, values that do not fit their tag. */
export function sopsScalar(scalar: YamlScalar, format: SopsFormat, file: string): SopsValue {
  if (format === 'json') return jsonScalar(scalar, file);
  const tag = coreTag(scalar.tag);
  if (scalar.tag === undefined) return scalar.style === 'plain' ? plainScalar(scalar, file) : string(scalar.text);
  if (tag === undefined || tag === 'str') return string(scalar.text);
  const value = tag === 'binary' ? binaryValue(scalar.text) : taggedScalar(scalar, tag, file);
  if (value === undefined) throw badTag(tag, { file, line: scalar.line });
  return value;
}

function string(text: string): SopsValue {
  return { type: 'str', text };
}

const WORDS = new Map<string, SopsValue>([
  ...['true', 'True', 'TRUE'].map((word): [string, SopsValue] => [word, { type: 'bool', text: 'True' }]),
  ...['false', 'False', 'FALSE'].map((word): [string, SopsValue] => [word, { type: 'bool', text: 'False' }]),
  ...['', '~', 'null', 'Null', 'NULL'].map((word): [string, SopsValue] => [word, { type: 'null' }]),
]);

const INFINITE = /^([-+]?)\.(?:inf|Inf|INF)$/;

/** go-yaml v3's resolution of a plain scalar (spec 7.2). */
function plainScalar(scalar: YamlScalar, file: string): SopsValue {
  const { text } = scalar;
  const word = WORDS.get(text);
  if (word !== undefined) return word;
  const first = text.charCodeAt(0);
  const isDigit = first >= 48 && first <= 57;
  if (!isDigit && first !== 43 && first !== 45 && first !== 46) return string(text);
  const infinite = INFINITE.exec(text);
  if (infinite !== null) return { type: 'float', text: infinite[1] === '-' ? '-Inf' : '+Inf' };
  if (/^\.(?:nan|NaN|NAN)$/.test(text)) return { type: 'float', text: 'NaN' };
  if (first === 46) return floatValue(goFloat(text)) ?? string(text);
  const time = goTimestamp(text);
  if (time !== undefined) return { type: 'time', text: time };
  const number = yamlNumber(text);
  if (number === undefined) return string(text);
  if (typeof number === 'number') return floatValue(number) ?? string(text);
  if (!isInt64(number)) throw outOfRange(scalar, file);
  return { type: 'int', text: number.toString() };
}

function taggedScalar(scalar: YamlScalar, tag: string, file: string): SopsValue | undefined {
  if (tag === 'timestamp') {
    const time = goTimestamp(scalar.text);
    return time === undefined ? undefined : { type: 'time', text: time };
  }
  const value = plainScalar(scalar, file);
  if (tag === 'float' && value.type === 'int') return floatValue(Number(value.text));
  if (tag === value.type) return value;
  // Tags of YAML that are no scalar types (!!set, !!map) are dropped like custom ones.
  return ['int', 'float', 'bool', 'null'].includes(tag) ? undefined : string(scalar.text);
}

function binaryValue(text: string): SopsValue | undefined {
  const packed = text.replace(/[\r\n]/g, '');
  if (packed.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(packed)) return undefined;
  return string(Buffer.from(packed, 'base64').toString('utf8'));
}

function floatValue(value: number | undefined): SopsValue | undefined {
  return value === undefined ? undefined : { type: 'float', text: fixedNotation(value) };
}

/** Since sops 3.13.2 a literal that is a 64-bit integer is one; every other number is a float (spec, section 8). */
function jsonScalar(scalar: YamlScalar, file: string): SopsValue {
  const { text } = scalar;
  if (scalar.style === 'double') return string(text);
  if (text === 'null') return { type: 'null' };
  if (text === 'true' || text === 'false') return { type: 'bool', text: text === 'true' ? 'True' : 'False' };
  const integer = /^-?\d{1,19}$/.test(text) ? goInteger(text) : undefined;
  if (integer !== undefined && isInt64(integer)) return { type: 'int', text: integer.toString() };
  const float = Number(text);
  if (!Number.isFinite(float)) throw outOfRange(scalar, file);
  return { type: 'float', text: fixedNotation(float) };
}

function outOfRange(scalar: YamlScalar, file: string): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-017',
    what: 'a number is out of the range of SOPS',
    why: 'sops has signed 64-bit integers only and refuses the file',
    next: 'quote the number',
    file,
    line: scalar.line,
  });
}
