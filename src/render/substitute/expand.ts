import { type GlobItem, parseGlob, prefixLengths } from './glob.ts';
import type { Expansion, Part, Use } from './template.ts';
import { badExpression, badValue, tooMuch, unknownVariable } from './refusals.ts';

export type Variables = ReadonlyMap<string, string>;

/** What may be spent on all objects of a sync: characters that are written, and comparisons of patterns. */
export interface Budget {
  left: number;
}

/** What expressions are read with, and what they leave. */
export interface Expanding {
  readonly variables: Variables;
  readonly budget: Budget;
  /** Names that were asked for and are there. */
  readonly used: Set<string>;
}

/** The text that a template stands for. Values are put in as they are: what they hold is not read again. */
export function expand(parts: readonly Part[], expanding: Expanding): string {
  const pieces = parts.map((part) => (part.kind === 'text' ? part.text : expandOne(part, expanding)));
  spend(
    expanding.budget,
    pieces.reduce((sum, piece) => sum + piece.length, 0),
  );
  return pieces.join('');
}

function expandOne({ name, use }: Expansion, expanding: Expanding): string {
  const value = expanding.variables.get(name);
  if (value !== undefined) expanding.used.add(name);
  if (use.op === 'default') {
    // As Flux does it, and as it must be for what follows: also when the value is not needed.
    const byDefault = expand(use.parts, expanding);
    return value === undefined || value === '' ? byDefault : usable(value, name);
  }
  const text = (part: Part): string => expand([part], expanding);
  if (value === undefined) throw unknownVariable(name);
  return applied(usable(value, name), use, { name, text, budget: expanding.budget });
}

interface Application {
  readonly name: string;
  readonly text: (part: Part) => string;
  readonly budget: Budget;
}

function applied(value: string, use: Exclude<Use, { op: 'default' }>, { name, text, budget }: Application): string {
  switch (use.op) {
    case 'value':
      return value;
    case 'length':
      return String(Buffer.byteLength(value));
    case 'case':
      return use.first ? firstCased(value, use.to, name) : cased(value, use.to, name);
    case 'substring':
      return substring(value, text(use.offset), use.length && text(use.length), name);
    case 'trim':
      return trimmed(value, use, text(use.pattern), { name, budget });
    case 'replace':
      return replaced(value, use.where, {
        pattern: text(use.pattern),
        by: use.by === undefined ? '' : text(use.by),
        name,
        budget,
      });
    default:
      return use satisfies never;
  }
}

// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const NO_TEXT = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]|\p{Cs}/u;

/** Control characters and line breaks of all kinds could end the line they are put into. */
function usable(value: string, name: string): string {
  if (NO_TEXT.test(value)) throw badValue(name, 'it holds a control character or a line break');
  return value;
}

/** Character by character, as Go does it; a character that becomes several is refused. */
function cased(value: string, to: 'upper' | 'lower', name: string): string {
  return Array.from(value, (char) => oneCased(char, to, name)).join('');
}

function firstCased(value: string, to: 'upper' | 'lower', name: string): string {
  const [first, ...rest] = Array.from(value);
  return first === undefined ? value : oneCased(first, to, name) + rest.join('');
}

function oneCased(char: string, to: 'upper' | 'lower', name: string): string {
  const other = to === 'upper' ? char.toUpperCase() : char.toLowerCase();
  if (Array.from(other).length !== 1)
    throw badValue(name, 'it holds a character whose other case is more than one character');
  return other;
}

const WHOLE_NUMBER = /^[-+]?\d{1,15}$/;

/** Counted in bytes, from the end where it is negative. */
function substring(value: string, offsetText: string, lengthText: string | undefined, name: string): string {
  for (const text of [offsetText, lengthText ?? '0']) {
    if (!WHOLE_NUMBER.test(text)) throw badExpression(name, 'offset and length are whole numbers');
  }
  const bytes = Buffer.from(value, 'utf8');
  const offset = Number(offsetText);
  const start = offset < 0 ? Math.max(0, bytes.length + offset) : Math.min(offset, bytes.length);
  const length = lengthText === undefined ? bytes.length : Number(lengthText);
  const end = length < 0 ? bytes.length + length : Math.min(bytes.length, start + length);
  const cut = bytes.subarray(start, Math.max(start, end));
  const text = cut.toString('utf8');
  if (!Buffer.from(text, 'utf8').equals(cut)) throw badValue(name, 'the piece taken of it ends inside of a character');
  return text;
}

interface Matching {
  readonly name: string;
  readonly budget: Budget;
}

function trimmed(value: string, use: Extract<Use, { op: 'trim' }>, pattern: string, matching: Matching): string {
  const { name, budget } = matching;
  const chars = Array.from(value);
  spend(budget, (chars.length + 1) * (pattern.length + 1));
  if (use.from === 'start') return cutStart(chars, parseGlob(pattern, name), use.longest).join('');
  // Flux turns value and pattern round, and with the pattern its brackets and backslashes.
  if (/[[\]\\]/.test(pattern)) throw badExpression(name, 'a pattern for the end has neither brackets nor backslashes');
  const turned = parseGlob(Array.from(pattern).toReversed().join(''), name);
  return cutStart(chars.toReversed(), turned, use.longest).toReversed().join('');
}

/** Without what the pattern matches; at least one character is matched, as in Flux. */
function cutStart(chars: readonly string[], items: readonly GlobItem[], longest: boolean): readonly string[] {
  const lengths = prefixLengths(items, chars).filter((length) => length > 0);
  return chars.slice((longest ? lengths.at(-1) : lengths[0]) ?? 0);
}

type Where = Extract<Use, { op: 'replace' }>['where'];

interface Replacement extends Matching {
  readonly pattern: string;
  readonly by: string;
}

/** The pattern is a text, not a glob. */
function replaced(value: string, where: Where, { pattern, by, name, budget }: Replacement): string {
  if (pattern === '') throw badExpression(name, 'the text to replace is empty');
  switch (where) {
    case 'first':
      return value.replace(pattern, () => by);
    case 'start':
      return value.startsWith(pattern) ? by + value.slice(pattern.length) : value;
    case 'end':
      return value.endsWith(pattern) ? value.slice(0, value.length - pattern.length) + by : value;
    case 'all': {
      const pieces = value.split(pattern);
      spend(budget, value.length + pieces.length * by.length);
      return pieces.join(by);
    }
    default:
      return where satisfies never;
  }
}

function spend(budget: Budget, amount: number): void {
  budget.left -= amount;
  if (budget.left < 0) throw tooMuch();
}
