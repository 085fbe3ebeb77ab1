import { type ErrorPlace, SottoError } from '../core/errors.ts';
import { compilePattern, PatternError } from './pattern.ts';

export const SELECTOR_KINDS = [
  'unencrypted_suffix',
  'encrypted_suffix',
  'unencrypted_regex',
  'encrypted_regex',
  'unencrypted_comment_regex',
  'encrypted_comment_regex',
] as const;

/** Which values of a file are encrypted (spec/sops.md, section 5). */
export interface Selector {
  readonly kind: (typeof SELECTOR_KINDS)[number];
  readonly value: string;
}

export const DEFAULT_SELECTOR: Selector = { kind: 'unencrypted_suffix', value: '_unencrypted' };

/** A compiled selector. What it chooses in one document is a `Selection`. */
export type Selects =
  /** True when the value, or comment, at a path of map keys is encrypted. A comment has the path of its container. */
  { readonly by: 'key'; readonly encrypts: (path: readonly string[]) => boolean } | CommentSelects;

/** What stands under a comment that matches is what is encrypted, or what is not. */
export interface CommentSelects {
  readonly by: 'comment';
  /** Of the text behind the `#`. */
  readonly matches: (comment: string) => boolean;
  readonly encryptsMatched: boolean;
}

/** Throws SottoError for a regular expression that is none, where sops would silently encrypt nothing or everything. */
export function compileSelector(selector: Selector, place: ErrorPlace): Selects {
  const matches = remembered(keyMatcher(selector, place));
  const wantsMatch = !selector.kind.startsWith('unencrypted');
  if (selector.kind.endsWith('comment_regex')) return { by: 'comment', matches, encryptsMatched: wantsMatch };
  // Any key on the way counts, the ancestors included.
  return { by: 'key', encrypts: (path) => path.some(matches) === wantsMatch };
}

function remembered(matches: (text: string) => boolean): (text: string) => boolean {
  const known = new Map<string, boolean>();
  return (text) => {
    const seen = known.get(text);
    if (seen !== undefined) return seen;
    const answer = matches(text);
    known.set(text, answer);
    return answer;
  };
}

function keyMatcher(selector: Selector, place: ErrorPlace): (key: string) => boolean {
  if (selector.kind.endsWith('_suffix')) return (key) => key.endsWith(selector.value);
  try {
    const pattern = compilePattern(selector.value);
    return (key) => guarded(() => pattern(key), selector.kind, place);
  } catch (thrown) {
    throw badPattern(thrown, selector.kind, place);
  }
}

function guarded(match: () => boolean, kind: string, place: ErrorPlace): boolean {
  try {
    return match();
  } catch (thrown) {
    throw badPattern(thrown, kind, place);
  }
}

export function badPattern(thrown: unknown, field: string, place: ErrorPlace): SottoError {
  if (!(thrown instanceof PatternError)) throw thrown;
  return new SottoError({
    code: 'SOTTO-SOPS-010',
    what: `the regular expression of ${field} is not usable`,
    why: thrown.message,
    next: `correct ${field}`,
    ...place,
  });
}

/** The one selector of a set of fields; undefined when none is set. */
export function selectorOf(fieldOf: (name: string) => string | undefined, place: ErrorPlace): Selector | undefined {
  const set = SELECTOR_KINDS.flatMap((kind) => {
    const value = fieldOf(kind);
    return value === undefined || value === '' ? [] : [{ kind, value }];
  });
  if (set.length < 2) return set[0];
  throw new SottoError({
    code: 'SOTTO-SOPS-008',
    what: 'more than one selector is set',
    why: `${set.map(({ kind }) => kind).join(' and ')} contradict each other; sops refuses them too`,
    next: 'keep one of them',
    ...place,
  });
}
