import { type ErrorPlace, SottoError } from '../core/errors.ts';
import { compilePattern, PatternError } from './pattern.ts';

export const SELECTOR_KINDS = [
  'unencrypted_suffix',
  'encrypted_suffix',
  'unencrypted_regex',
  'encrypted_regex',
] as const;

/** Which values of a file are encrypted (spec/sops.md, section 5). */
export interface Selector {
  readonly kind: (typeof SELECTOR_KINDS)[number];
  readonly value: string;
}

export const DEFAULT_SELECTOR: Selector = { kind: 'unencrypted_suffix', value: '_unencrypted' };

/** True when the value, or comment, at a path of map keys is encrypted. A comment has the path of its container. */
export type Selects = (path: readonly string[]) => boolean;

/** Throws SottoError for a regular expression that is none, where sops would silently encrypt nothing or everything. */
export function compileSelector(selector: Selector, place: ErrorPlace): Selects {
  const matches = keyMatcher(selector, place);
  const known = new Map<string, boolean>();
  const keyMatches = (key: string): boolean => {
    const seen = known.get(key);
    if (seen !== undefined) return seen;
    const answer = matches(key);
    known.set(key, answer);
    return answer;
  };
  const wantsMatch = selector.kind === 'encrypted_suffix' || selector.kind === 'encrypted_regex';
  // Any key on the way counts, the ancestors included.
  return (path) => path.some(keyMatches) === wantsMatch;
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
  for (const name of ['encrypted_comment_regex', 'unencrypted_comment_regex']) {
    if (fieldOf(name)) throw commentSelector(name, place);
  }
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

function commentSelector(name: string, place: ErrorPlace): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-009',
    what: `${name} is not in this version`,
    why: 'this version selects values by key name only',
    next: 'use encrypted_regex or encrypted_suffix',
    ...place,
  });
}
