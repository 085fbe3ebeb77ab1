import { SottoError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { isGoSpace } from './go-space.ts';
import { codePointAt, isUtf8 } from './utf8.ts';

/** A variable of an env file, as kustomize reads it: where its value stands in the bytes. */
export interface EnvVariable {
  /** 1-based. */
  readonly line: number;
  readonly key: string;
  readonly start: number;
  readonly end: number;
}

const EQUALS = 61;
const HASH = 35;

/**
 * The variables of an env file in clear, read exactly as kustomize reads one: the first line may start with a byte
 * order mark, blanks before a name are skipped, a carriage return at the end is dropped, nothing is unquoted. What it
 * would silently lose (everything from an over-long line on) is refused, and so is a line that is no variable: it
 * could be part of a secret, and the name of a variable is written into the renderer's tree.
 */
export function envVariables(bytes: Uint8Array, file: string): EnvVariable[] {
  const variables: EnvVariable[] = [];
  let start = 0;
  for (let line = 1; start < bytes.length; line += 1) {
    const newline = bytes.indexOf(10, start);
    const end = newline === -1 ? bytes.length : newline;
    if (end - start > LIMITS.maxEnvLineBytes) throw tooLong(file, line);
    const variable = variableOf(bytes, start, end, { file, line });
    if (variable !== undefined) variables.push(variable);
    start = end + 1;
  }
  return variables;
}

function variableOf(
  bytes: Uint8Array,
  lineStart: number,
  lineEnd: number,
  place: { readonly file: string; readonly line: number },
): EnvVariable | undefined {
  const end = lineEnd > lineStart && bytes[lineEnd - 1] === 13 ? lineEnd - 1 : lineEnd;
  if (!isUtf8(bytes.subarray(lineStart, end))) throw noVariable(place, 'it is not UTF-8 text');
  let start = lineStart;
  if (place.line === 1 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) start += 3;
  start = skipBlanks(bytes, start, end);
  if (start >= end || bytes[start] === HASH) return undefined;
  const at = bytes.subarray(start, end).indexOf(EQUALS);
  if (at === -1) throw noVariable(place, 'it has no equals sign');
  if (!isName(bytes.subarray(start, start + at)))
    throw noVariable(place, 'what stands before the equals sign is no name');
  return { line: place.line, key: nameOf(bytes.subarray(start, start + at)), start: start + at + 1, end };
}

function skipBlanks(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end) {
    const point = codePointAt(bytes, at);
    if (point === undefined || !isGoSpace(point.code)) break;
    at += point.length;
  }
  return at;
}

/** `[-._a-zA-Z][-._a-zA-Z0-9]*`, not `.`, and not starting with `..`: what Kubernetes takes for an env variable. */
function isName(name: Uint8Array): boolean {
  const first = name[0] ?? 0;
  const isFirst = isLetter(first) || first === 45 || first === 46 || first === 95;
  if (!isFirst || (first === 46 && (name.length === 1 || name[1] === 46))) return false;
  return name.every(
    (byte) => isLetter(byte) || (byte >= 48 && byte <= 57) || byte === 45 || byte === 46 || byte === 95,
  );
}

function isLetter(byte: number): boolean {
  return (byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122);
}

function nameOf(name: Uint8Array): string {
  return Buffer.from(name).toString('latin1');
}

function noVariable(place: { readonly file: string; readonly line: number }, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-040',
    what: 'a line of an env file is not a variable',
    why,
    next: 'write each variable as NAME=value on one line; a file of another kind belongs under files of the generator',
    ...place,
  });
}

function tooLong(file: string, line: number): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-041',
    what: 'a line of an env file is too long',
    why: `kustomize reads lines of at most ${LIMITS.maxEnvLineBytes} bytes, and silently drops a longer one and all that follow`,
    next: 'put the value into a file of its own and name it under files of the generator',
    file,
    line,
  });
}
