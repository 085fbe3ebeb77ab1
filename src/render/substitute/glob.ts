import { badExpression } from './refusals.ts';

/** A pattern of `${name#pattern}`. */
export type GlobItem =
  | { readonly kind: 'any' }
  | { readonly kind: 'one' }
  | { readonly kind: 'char'; readonly char: string }
  | { readonly kind: 'class'; readonly negated: boolean; readonly ranges: readonly (readonly [string, string])[] };

/** `*`, `?`, `[a-z]`, `[^a-z]` and `\` before a character. Throws SottoError for a class that does not end. */
export function parseGlob(pattern: string, name: string): readonly GlobItem[] {
  const chars = Array.from(pattern);
  const items: GlobItem[] = [];
  let at = 0;
  while (at < chars.length) {
    const char = chars[at] ?? '';
    at += 1;
    if (char === '*') items.push({ kind: 'any' });
    else if (char === '?') items.push({ kind: 'one' });
    else if (char === '[') {
      const found = parseClass(chars, at, name);
      items.push(found.item);
      at = found.end;
    } else if (char === '\\') {
      items.push({ kind: 'char', char: chars[at] ?? badPattern(name) });
      at += 1;
    } else items.push({ kind: 'char', char });
  }
  return items;
}

function parseClass(chars: readonly string[], from: number, name: string): { item: GlobItem; end: number } {
  let at = from;
  const negated = chars[at] === '^';
  if (negated) at += 1;
  const ranges: [string, string][] = [];
  const char = (): string => {
    if (chars[at] === '\\') at += 1;
    else if (chars[at] === '-' || chars[at] === ']') badPattern(name);
    const found = chars[at] ?? badPattern(name);
    at += 1;
    return found;
  };
  while (chars[at] !== ']' || ranges.length === 0) {
    const low = char();
    if (chars[at] !== '-') {
      ranges.push([low, low]);
      continue;
    }
    at += 1;
    ranges.push([low, char()]);
  }
  return { item: { kind: 'class', negated, ranges }, end: at + 1 };
}

function badPattern(name: string): never {
  throw badExpression(name, 'its pattern ends in the middle, or has an empty class');
}

/** How many characters can be matched from the start, fewest first. Its work is pattern times text at most. */
export function prefixLengths(items: readonly GlobItem[], chars: readonly string[]): readonly number[] {
  let reached: readonly boolean[] = [true, ...chars.map(() => false)];
  for (const item of items) {
    const before = reached;
    if (item.kind === 'any') {
      const first = before.indexOf(true);
      reached = before.map((_, length) => first !== -1 && length >= first);
    } else {
      reached = before.map((_, length) => length > 0 && before[length - 1] === true && fits(item, chars[length - 1]));
    }
  }
  return reached.flatMap((is, length) => (is ? [length] : []));
}

function fits(item: Exclude<GlobItem, { kind: 'any' }>, char: string | undefined): boolean {
  if (char === undefined) return false;
  if (item.kind === 'one') return true;
  if (item.kind === 'char') return item.char === char;
  const code = char.codePointAt(0) ?? 0;
  const isIn = item.ranges.some(
    ([low, high]) => (low.codePointAt(0) ?? 0) <= code && code <= (high.codePointAt(0) ?? 0),
  );
  return isIn !== item.negated;
}
