import { SottoError } from '../core/errors.ts';
import { goFloat, goInteger, yamlNumber } from './go-scalars.ts';
import { badTag } from './refusals.ts';
import { coreTag } from './tag.ts';
import type { YamlNode, YamlScalar } from './tree.ts';

type Scalar = null | boolean | number | bigint | string;

const WORDS = new Map<string, null | boolean>([
  ...words(true, 'y Y yes Yes YES true True TRUE on On ON'),
  ...words(false, 'n N no No NO false False FALSE off Off OFF'),
  ...words(null, '~ null Null NULL'),
  ['', null],
]);

function words(value: null | boolean, spellings: string): [string, null | boolean][] {
  return spellings.split(' ').map((spelling) => [spelling, value]);
}

const NOT_FINITE = /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;

/** A scalar as kubectl reads it; what it would refuse, or silently turn into something else, is refused. */
export function manifestScalar(scalar: YamlScalar, file: string): Scalar {
  const tag = coreTag(scalar.tag);
  if (scalar.tag === undefined) return scalar.style === 'plain' ? plainScalar(scalar, file) : scalar.text;
  switch (tag) {
    case 'int':
    case 'float':
    case 'bool':
    case 'null':
      return taggedScalar(scalar, tag, file);
    case 'binary':
      return binaryText(scalar, file);
    case undefined:
    default:
      // A custom tag is dropped, !!timestamp stays text.
      return scalar.text;
  }
}

function plainScalar(scalar: YamlScalar, file: string): Scalar {
  const { text } = scalar;
  const word = WORDS.get(text);
  if (word !== undefined) return word;
  const first = text.charCodeAt(0);
  // Only a digit, a sign or a point can start a number: the test that most scalars end at.
  const digit = first >= 48 && first <= 57;
  if (!digit && first !== 43 && first !== 45 && first !== 46) return text;
  if (NOT_FINITE.test(text)) throw notFinite(scalar, file);
  if (first === 46) return goFloat(text) ?? text;
  const number = yamlNumber(text);
  return number === undefined ? text : exact(number);
}

function taggedScalar(scalar: YamlScalar, tag: 'int' | 'float' | 'bool' | 'null', file: string): Scalar {
  const value = plainScalar(scalar, file);
  if (tag === 'null' && value === null) return null;
  if (tag === 'bool' && typeof value === 'boolean') return value;
  if (tag === 'float' && (typeof value === 'number' || typeof value === 'bigint')) return Number(value);
  if (tag === 'int' && wholeNumber(scalar.text) !== undefined) return value;
  throw badTag(tag, { file, line: scalar.line });
}

function wholeNumber(text: string): bigint | undefined {
  return goInteger(text.replaceAll('_', ''));
}

/** Whole numbers up to 2^53 as numbers, beyond as bigints. */
function exact(value: bigint | number): number | bigint {
  if (typeof value === 'number') return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function binaryText(scalar: YamlScalar, file: string): string {
  const packed = scalar.text.replace(/[\r\n]/g, '');
  if (packed.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(packed))
    throw badTag('binary', { file, line: scalar.line });
  return Buffer.from(packed, 'base64').toString('utf8');
}

/** A key as text: sigs.k8s.io/yaml writes booleans and numbers out, so `yes: x` has the key `true`. */
export function keyText(key: YamlNode, file: string): string {
  if (key.kind !== 'scalar') throw badKey(key, file, 'it is a list or a mapping');
  const value = manifestScalar(key, file);
  if (value === null) throw badKey(key, file, 'it is null');
  if (typeof value === 'number' && wholeNumber(key.text) === undefined) return floatKey(value);
  return String(value);
}

/** Float keys are written with the precision of 32 bits: strconv.FormatFloat(value, 'g', -1, 32). */
function floatKey(value: number): string {
  const single = Math.fround(value);
  for (let digits = 1; digits < 10; digits += 1) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === single) return goShortest(Number(text));
  }
  return goShortest(value);
}

/** 'g' turns to an exponent of at least two digits below 1e-4 and from 1e6 on. */
function goShortest(value: number): string {
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-4 && size < 1e6)) return String(value);
  const [digits = '', exponent = '+0'] = value.toExponential().split('e');
  return `${digits}e${exponent.charAt(0)}${exponent.slice(1).padStart(2, '0')}`;
}

function notFinite(scalar: YamlScalar, file: string): SottoError {
  return new SottoError({
    code: 'SOTTO-YAML-010',
    what: 'a number is not finite',
    why: '.inf and .nan have no form in JSON, in which the API server takes objects',
    next: 'quote the text, or write a finite number',
    file,
    line: scalar.line,
  });
}

function badKey(key: YamlNode, file: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-YAML-009',
    what: 'a key is not usable as a key',
    why,
    next: 'write the key as a string',
    file,
    line: key.line,
  });
}
