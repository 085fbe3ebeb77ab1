/**
 * Reader of the RE2 forms that key patterns use. Written here because a `RegExp` differs from RE2 in many forms, and
 * because a hostile pattern must not be able to backtrack: `pattern.ts` runs what this makes in linear time.
 */

/** Inclusive ranges of code points. */
export type Ranges = readonly (readonly [number, number])[];

export type Pattern =
  | { readonly op: 'chars'; readonly ranges: Ranges; readonly negated: boolean; readonly fold: boolean }
  | { readonly op: 'start' | 'end' | 'boundary' | 'notBoundary' }
  | { readonly op: 'all'; readonly parts: readonly Pattern[] }
  | { readonly op: 'any'; readonly choices: readonly Pattern[] }
  | {
      readonly op: 'repeat';
      readonly part: Pattern;
      readonly min: number;
      readonly max: number;
      readonly counted: boolean;
    };

/** The pattern is no RE2, or uses a form that is not known here; `message` says which, without quoting it. */
export class PatternError extends Error {}

const DIGITS: Ranges = [[48, 57]];
const WORD: Ranges = [
  [48, 57],
  [65, 90],
  [95, 95],
  [97, 122],
];
const SPACE: Ranges = [
  [9, 10],
  [12, 13],
  [32, 32],
];
const NEWLINE: Ranges = [[10, 10]];
const ANYTHING: Ranges = [[0, 0x10ffff]];
const POSIX: Readonly<Record<string, Ranges>> = {
  alnum: [
    [48, 57],
    [65, 90],
    [97, 122],
  ],
  alpha: [
    [65, 90],
    [97, 122],
  ],
  digit: DIGITS,
  lower: [[97, 122]],
  punct: [
    [33, 47],
    [58, 64],
    [91, 96],
    [123, 126],
  ],
  space: [
    [9, 13],
    [32, 32],
  ],
  upper: [[65, 90]],
  word: WORD,
  xdigit: [
    [48, 57],
    [65, 70],
    [97, 102],
  ],
};
/** RE2's own caps: repeat counts, and nesting of groups. */
const MAX_REPEAT = 1000;
const MAX_GROUPS = 100;
const MAX_COUNT_LENGTH = 200;

interface Flags {
  readonly fold: boolean;
  readonly dotAll: boolean;
}

export function parsePattern(source: string): Pattern {
  const parser = new Parser(source);
  const pattern = parser.choice({ fold: false, dotAll: false }, 0);
  if (!parser.done) throw new PatternError('a closing parenthesis has no opening one');
  refuseLargeRepeats(pattern, MAX_REPEAT);
  return pattern;
}

/** Counts in each other are multiplied, and RE2 takes no more than for one. */
function refuseLargeRepeats(pattern: Pattern, left: number): void {
  if (pattern.op === 'all') for (const part of pattern.parts) refuseLargeRepeats(part, left);
  if (pattern.op === 'any') for (const choice of pattern.choices) refuseLargeRepeats(choice, left);
  if (pattern.op !== 'repeat') return;
  const count = pattern.max === Infinity ? pattern.min : pattern.max;
  if (pattern.counted && count > left) throw new PatternError('a repeat count is out of range');
  refuseLargeRepeats(pattern.part, pattern.counted && count > 0 ? Math.floor(left / count) : left);
}

class Parser {
  readonly #chars: readonly string[];
  readonly #names = new Set<string>();
  #at = 0;

  constructor(source: string) {
    this.#chars = Array.from(source);
  }

  get done(): boolean {
    return this.#at >= this.#chars.length;
  }

  choice(flags: Flags, depth: number): Pattern {
    if (depth > MAX_GROUPS) throw new PatternError('groups are nested too deeply');
    const choices: Pattern[] = [];
    let now = flags;
    do {
      const parts: Pattern[] = [];
      while (!this.done && this.#peek() !== '|' && this.#peek() !== ')') {
        const inline = this.#inlineFlags(now);
        if (inline !== undefined) now = inline;
        else if (this.#rest(2) === '\\Q') parts.push(...this.#quoted(now));
        else parts.push(this.#repeated(now, depth));
      }
      choices.push({ op: 'all', parts });
    } while (this.#take('|'));
    return choices.length === 1 && choices[0] !== undefined ? choices[0] : { op: 'any', choices };
  }

  #repeated(flags: Flags, depth: number): Pattern {
    return this.#times(this.#atom(flags, depth));
  }

  #times(part: Pattern): Pattern {
    const counted = this.#peek() === '{';
    const bounds = this.#quantifier();
    if (bounds === undefined) return part;
    // Lazy or greedy: the same question, whether there is a match at all.
    this.#take('?');
    if (this.#quantifier() !== undefined) throw new PatternError('a repetition is repeated');
    return { op: 'repeat', part, ...bounds, counted };
  }

  #quantifier(): { min: number; max: number } | undefined {
    if (this.#take('*')) return { min: 0, max: Infinity };
    if (this.#take('+')) return { min: 1, max: Infinity };
    if (this.#take('?')) return { min: 0, max: 1 };
    const counted = /^\{(0|[1-9]\d*)(?:(,)(|0|[1-9]\d*))?\}/.exec(this.#rest(MAX_COUNT_LENGTH));
    if (counted === null) return undefined;
    this.#at += counted[0].length;
    const min = Number(counted[1]);
    const max = counted[2] === undefined ? min : counted[3] === '' ? Infinity : Number(counted[3]);
    if (min > MAX_REPEAT || (max !== Infinity && max > MAX_REPEAT) || max < min) {
      throw new PatternError('a repeat count is out of range');
    }
    return { min, max };
  }

  #atom(flags: Flags, depth: number): Pattern {
    const char = this.#next();
    switch (char) {
      case '(':
        return this.#group(flags, depth);
      case '[':
        return this.#class(flags);
      case '.':
        return chars(flags.dotAll ? ANYTHING : NEWLINE, !flags.dotAll);
      case '^':
        return { op: 'start' };
      case '$':
        return { op: 'end' };
      case '\\':
        return this.#escape(flags);
      case '*':
      case '+':
      case '?':
      case '{':
        if (char === '{') {
          this.#at -= 1;
          if (this.#quantifier() === undefined) {
            this.#at += 1;
            return literal(char, flags);
          }
        }
        throw new PatternError('a repetition has nothing to repeat');
      default:
        return literal(char, flags);
    }
  }

  #group(flags: Flags, depth: number): Pattern {
    let inner = flags;
    if (this.#take('?')) {
      const head = /^(?:P?<[A-Za-z_]\w*>|([is]*)(?:-([is]+))?:)/.exec(this.#rest(80));
      if (head === null) throw new PatternError('a group has a form that is not known');
      this.#at += head[0].length;
      this.#name(/<(\w+)>/.exec(head[0])?.[1]);
      inner = withFlags(flags, head[1] ?? '', head[2] ?? '');
    }
    const pattern = this.choice(inner, depth + 1);
    if (!this.#take(')')) throw new PatternError('a group is not closed');
    return pattern;
  }

  #name(name: string | undefined): void {
    if (name === undefined) return;
    if (this.#names.has(name)) throw new PatternError('two groups have one name');
    this.#names.add(name);
  }

  /** `(?i)` holds to the end of the group it stands in. */
  #inlineFlags(flags: Flags): Flags | undefined {
    const head = /^\(\?([is]*)(?:-([is]+))?\)/.exec(this.#rest(20));
    if (head === null) return undefined;
    this.#at += head[0].length;
    return withFlags(flags, head[1] ?? '', head[2] ?? '');
  }

  #escape(flags: Flags): Pattern {
    const char = this.#next();
    switch (char) {
      case 'A':
        return { op: 'start' };
      case 'z':
        return { op: 'end' };
      case 'b':
        return { op: 'boundary' };
      case 'B':
        return { op: 'notBoundary' };
      default: {
        const perl = perlClass(char);
        if (perl !== undefined) return { op: 'chars', ...perl, fold: flags.fold };
        return literal(this.#escapedChar(char), flags);
      }
    }
  }

  /** Each character stands for itself; a repetition behind it means the last one. */
  #quoted(flags: Flags): Pattern[] {
    this.#at += 2;
    const parts: Pattern[] = [];
    while (!this.done && this.#rest(2) !== '\\E') parts.push(literal(this.#next(), flags));
    if (!this.done) this.#at += 2;
    const last = parts.pop();
    if (last !== undefined) return [...parts, this.#times(last)];
    if (this.#quantifier() !== undefined) throw new PatternError('a repetition has nothing to repeat');
    return [];
  }

  #escapedChar(char: string): string {
    const named = { a: '\u0007', f: '\f', t: '\t', n: '\n', r: '\r', v: '\v' }[char];
    if (named !== undefined) return named;
    if (char === 'x') return this.#hex();
    if (/^[\u0021-\u007e]$/.test(char) && !/^[A-Za-z0-9]$/.test(char)) return char;
    throw new PatternError('an escape is not known');
  }

  #hex(): string {
    const digits = /^(?:([0-9a-fA-F]{2})|\{([0-9a-fA-F]{1,6})\})/.exec(this.#rest(8));
    const code = Number.parseInt(digits?.[1] ?? digits?.[2] ?? '', 16);
    if (digits === null || code > 0x10ffff) throw new PatternError('an escape is not known');
    this.#at += digits[0].length;
    return String.fromCodePoint(code);
  }

  #class(flags: Flags): Pattern {
    const negated = this.#take('^');
    const ranges: [number, number][] = [];
    let first = true;
    while (first || this.#peek() !== ']') {
      if (this.done) throw new PatternError('a character class is not closed');
      first = false;
      const posix = /^\[:(\^?)([a-z]+):\]/.exec(this.#rest(12));
      const perl = this.#peek() === '\\' ? perlClass(this.#chars[this.#at + 1] ?? '') : undefined;
      if (posix !== null) {
        const named = POSIX[posix[2] ?? ''];
        if (named === undefined) throw new PatternError('a character class is not known');
        ranges.push(...group(named, posix[1] === '^', flags));
        this.#at += posix[0].length;
      } else if (perl !== undefined) {
        ranges.push(...group(perl.ranges, perl.negated, flags));
        this.#at += 2;
      } else ranges.push(this.#range());
    }
    this.#at += 1;
    return { op: 'chars', ranges, negated, fold: flags.fold };
  }

  #range(): [number, number] {
    const low = this.#classChar();
    const isRange = this.#peek() === '-' && this.#chars[this.#at + 1] !== ']' && this.#at + 1 < this.#chars.length;
    if (!isRange) return [low, low];
    this.#at += 1;
    const high = this.#classChar();
    if (high < low) throw new PatternError('a range of a character class is reversed');
    return [low, high];
  }

  #classChar(): number {
    const char = this.#next();
    return (char === '\\' ? this.#escapedChar(this.#next()) : char).codePointAt(0) ?? 0;
  }

  #peek(): string | undefined {
    return this.#chars[this.#at];
  }

  #rest(length: number): string {
    return this.#chars.slice(this.#at, this.#at + length).join('');
  }

  #next(): string {
    const char = this.#chars[this.#at];
    if (char === undefined) throw new PatternError('it ends too early');
    this.#at += 1;
    return char;
  }

  #take(char: string): boolean {
    if (this.#peek() !== char) return false;
    this.#at += 1;
    return true;
  }
}

function chars(ranges: Ranges, negated: boolean): Pattern {
  return { op: 'chars', ranges, negated, fold: false };
}

function literal(char: string, flags: Flags): Pattern {
  const code = char.codePointAt(0) ?? 0;
  return { op: 'chars', ranges: [[code, code]], negated: false, fold: flags.fold };
}

function withFlags(flags: Flags, on: string, off: string): Flags {
  return {
    fold: off.includes('i') ? false : flags.fold || on.includes('i'),
    dotAll: off.includes('s') ? false : flags.dotAll || on.includes('s'),
  };
}

function perlClass(char: string): { ranges: Ranges; negated: boolean } | undefined {
  const ranges = { d: DIGITS, w: WORD, s: SPACE }[char.toLowerCase()];
  return ranges === undefined ? undefined : { ranges, negated: char !== char.toLowerCase() };
}

/** A named class inside of brackets. Its complement is made after folding, which only ASCII classes can be here. */
function group(ranges: Ranges, negated: boolean, flags: Flags): [number, number][] {
  const own = negated ? complement(flags.fold ? folded(ranges) : ranges) : ranges;
  return own.map(([low, high]) => [low, high]);
}

/** With the other case of each letter, and the two letters beyond ASCII that have an ASCII one. */
function folded(ranges: Ranges): Ranges {
  const has = (char: string): boolean => {
    const code = char.codePointAt(0) ?? 0;
    return ranges.some(([low, high]) => code >= low && code <= high);
  };
  const letters = Array.from('abcdefghijklmnopqrstuvwxyz').filter((char) => has(char) || has(char.toUpperCase()));
  const cases = letters.flatMap((char) => [char, char.toUpperCase()]);
  if (letters.includes('k')) cases.push('\u212a');
  if (letters.includes('s')) cases.push('\u017f');
  const all = [
    ...ranges,
    ...cases.map((char): [number, number] => [char.codePointAt(0) ?? 0, char.codePointAt(0) ?? 0]),
  ];
  return all.toSorted(([a], [b]) => a - b);
}

/** Of ranges in order. */
function complement(ranges: Ranges): Ranges {
  const gaps: [number, number][] = [];
  let from = 0;
  for (const [low, high] of ranges) {
    if (low > from) gaps.push([from, low - 1]);
    from = Math.max(from, high + 1);
  }
  return [...gaps, [from, 0x10ffff]];
}
