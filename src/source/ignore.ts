import { SottoError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';

/** One line of an ignore file. */
interface IgnoreRule {
  /** Folder the pattern is relative to, `` or with a slash at its end. */
  readonly base: string;
  /** `!`: names what is not ignored after all. */
  readonly isException: boolean;
  readonly foldersOnly: boolean;
  readonly segments: readonly Segment[];
}

/** `**`, or the tokens of one path component. */
type Segment = 'any-depth' | readonly Token[];

type Token =
  | { readonly kind: 'char'; readonly char: string }
  | { readonly kind: 'one' | 'many' }
  | { readonly kind: 'range'; readonly isNegated: boolean; readonly ranges: readonly (readonly [string, string])[] };

export interface IgnoreLines {
  readonly lines: readonly string[];
  /** Folder the lines are relative to; the root is the empty string. */
  readonly folder: string;
  /** For messages: `.sourceignore`, or the setting. */
  readonly origin: string;
}

/**
 * Patterns of .gitignore: `*`, `?`, `[a-z]`, `[!a-z]`, `**`, a leading `!`, `/` at the front (or inside) binds to the
 * folder, `/` at the end means folders, `\` takes the next character as it is, `#` starts a comment. The last
 * pattern that matches decides, and nothing below an ignored folder comes back. Letters are compared exactly.
 * Named classes (`[[:alpha:]]`) are refused. Throws SOTTO-GIT-033.
 */
export function parseIgnore(sources: readonly IgnoreLines[]): (path: string) => boolean {
  const rules = sources.flatMap((source) => source.lines.flatMap((line, index) => parseRule(line, index + 1, source)));
  if (rules.length > LIMITS.maxIgnorePatterns) throw tooManyPatterns(rules.length);
  // Many files share their folders; each is judged once.
  const judged = new Map<string, boolean>();
  const isIgnored = (path: string, isFolder: boolean): boolean => {
    const known = judged.get(path);
    if (known !== undefined) return known;
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    const verdict = (parent !== '' && isIgnored(parent, true)) || decide(rules, path, isFolder);
    if (isFolder) judged.set(path, verdict);
    return verdict;
  };
  return (path) => isIgnored(path, false);
}

function decide(rules: readonly IgnoreRule[], path: string, isFolder: boolean): boolean {
  const rule = rules.findLast((candidate) => matchesRule(candidate, path, isFolder));
  return rule !== undefined && !rule.isException;
}

function matchesRule(rule: IgnoreRule, path: string, isFolder: boolean): boolean {
  if (rule.foldersOnly && !isFolder) return false;
  if (!path.startsWith(rule.base)) return false;
  return matchesPath(rule.segments, path.slice(rule.base.length).split('/'));
}

function parseRule(line: string, lineNumber: number, source: IgnoreLines): IgnoreRule[] {
  const text = withoutTrailingBlanks(line.endsWith('\r') ? line.slice(0, -1) : line);
  if (text === '' || text.startsWith('#')) return [];
  const isException = text.startsWith('!');
  const pattern = isException ? text.slice(1) : text;
  const foldersOnly = pattern.endsWith('/');
  const body = foldersOnly ? pattern.slice(0, -1) : pattern;
  const inner = body.startsWith('/') ? body.slice(1) : body;
  if (inner === '') return [];
  const parsed = inner.split('/').map((part): Segment => {
    if (/^\*{2,}$/.test(part)) return 'any-depth';
    const tokens = parseTokens(part);
    if (tokens === undefined) throw badPattern(lineNumber, source);
    return tokens;
  });
  // A pattern without a slash inside names a file at any depth.
  const segments: Segment[] = body.includes('/') ? parsed : ['any-depth', ...parsed];
  const last = segments.at(-1);
  // `a/**` is everything inside, but not `a` itself.
  if (last === 'any-depth') segments.push([{ kind: 'many' }]);
  return [{ base: source.folder === '' ? '' : `${source.folder}/`, isException, foldersOnly, segments }];
}

/** Blanks at the end do not count unless a backslash stands before them. */
function withoutTrailingBlanks(line: string): string {
  let end = line.length;
  while (end > 0 && line[end - 1] === ' ' && line[end - 2] !== '\\') end--;
  return line.slice(0, end);
}

function parseTokens(part: string): Token[] | undefined {
  const tokens: Token[] = [];
  const chars = Array.from(part);
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at] ?? '';
    if (char === '*') tokens.push({ kind: 'many' });
    else if (char === '?') tokens.push({ kind: 'one' });
    else if (char === '\\') {
      const next = chars[++at];
      if (next === undefined) return undefined;
      tokens.push({ kind: 'char', char: next });
    } else if (char === '[') {
      const range = parseRange(chars, at + 1);
      if (range === undefined) return undefined;
      tokens.push(range.token);
      at = range.end;
    } else tokens.push({ kind: 'char', char });
  }
  return tokens;
}

function parseRange(chars: readonly string[], from: number): { token: Token; end: number } | undefined {
  const isNegated = chars[from] === '!' || chars[from] === '^';
  const first = isNegated ? from + 1 : from;
  const ranges: [string, string][] = [];
  for (let at = first; at < chars.length; at++) {
    // A bracket right at the front is a member.
    if (chars[at] === ']' && at > first) return { token: { kind: 'range', isNegated, ranges }, end: at };
    if (chars[at] === '[' && (chars[at + 1] === ':' || chars[at + 1] === '.' || chars[at + 1] === '='))
      return undefined;
    if (chars[at] === '\\') at++;
    const low = chars[at];
    if (low === undefined) return undefined;
    const isSpan = chars[at + 1] === '-' && chars[at + 2] !== undefined && chars[at + 2] !== ']';
    const high = isSpan ? chars[at + 2] : low;
    if (high === undefined || high === '\\') return undefined;
    if (isSpan) at += 2;
    ranges.push([low, high]);
  }
  return undefined;
}

/**
 * Wildcards by going back to the last one only: linear for each, so that a pattern out of a hostile repository cannot
 * keep us busy as a regular expression would.
 */
function matchesPath(segments: readonly Segment[], parts: readonly string[]): boolean {
  return matchWithGaps(
    segments,
    parts,
    (segment) => segment === 'any-depth',
    (segment, part) => segment !== 'any-depth' && matchesPart(segment, part),
  );
}

function matchesPart(tokens: readonly Token[], part: string): boolean {
  return matchWithGaps(tokens, Array.from(part), (token) => token.kind === 'many', matchesChar);
}

function matchesChar(token: Token, char: string): boolean {
  if (token.kind === 'char') return token.char === char;
  if (token.kind === 'range')
    return token.ranges.some(([low, high]) => low <= char && char <= high) !== token.isNegated;
  return true;
}

function matchWithGaps<Pattern, Item>(
  pattern: readonly Pattern[],
  items: readonly Item[],
  isGap: (part: Pattern) => boolean,
  matches: (part: Pattern, item: Item) => boolean,
): boolean {
  let [at, item, gap, resume] = [0, 0, -1, 0];
  while (item < items.length) {
    const part = pattern[at];
    const current = items[item];
    if (part !== undefined && isGap(part)) {
      [gap, resume] = [at++, item];
    } else if (part !== undefined && current !== undefined && matches(part, current)) {
      at++;
      item++;
    } else if (gap !== -1) {
      at = gap + 1;
      item = ++resume;
    } else return false;
  }
  return pattern.slice(at).every(isGap);
}

function badPattern(line: number, source: IgnoreLines): SottoError {
  return new SottoError({
    code: 'SOTTO-GIT-033',
    what: 'the ignore pattern is not understood',
    why: 'it ends in a backslash, has an open bracket, or a named class, which is not in this version',
    next: 'write it with *, ?, ** and plain ranges such as [a-z]',
    file: source.origin,
    line,
  });
}

function tooManyPatterns(count: number): SottoError {
  return new SottoError({
    code: 'SOTTO-GIT-033',
    what: 'the ignore patterns are not used',
    why: `there are ${count}, the cap is ${LIMITS.maxIgnorePatterns}`,
    next: 'ignore folders instead of single files, or choose a narrower path',
  });
}
