import type { SottoError } from '../../core/errors.ts';
import type { ReplacementRule } from './findings.ts';
import { splitsSecret } from './refusals.ts';

/**
 * Replacements that split a value which may be a secret. A token has no delimiter, so its first piece is the whole
 * token: the wrong value, with nothing to see afterwards. A secret may also come by way of another object.
 */
export function splitSecrets(rules: readonly ReplacementRule[], secretPaths: readonly string[]): SottoError[] {
  const kinds = new Set<string | undefined>(['Secret']);
  let before = 0;
  while (before !== kinds.size) {
    before = kinds.size;
    for (const rule of rules) if (takesFrom(rule, kinds)) for (const { kind } of rule.targets) kinds.add(kind);
  }
  const taken = rules.filter((rule) => takesFrom(rule, kinds));
  // A text that becomes a secret as a whole is a token for the replacements that follow.
  const whole = taken.flatMap(({ targets }) => targets.filter(({ splits }) => !splits).flatMap(({ paths }) => paths));
  const closed = [...secretPaths, ...whole].map(unescaped);
  return rules
    .filter((rule) => (rule.splitsSource && takesFrom(rule, kinds)) || splitsTarget(rule, closed))
    .map((rule) => splitsSecret(rule));
}

function splitsTarget({ targets }: ReplacementRule, closed: readonly string[]): boolean {
  return targets.some(
    ({ kind, paths, splits }) =>
      splits && mayBe(kind, 'Secret') && paths.some((path) => closed.some((each) => mayReach(unescaped(path), each))),
  );
}

/** By their letters; a path that chooses may choose anything. */
function mayReach(path: string, closed: string): boolean {
  if (/[*[\]]/.test(path)) return /^(?:data|stringData|\*|\[)/.test(path);
  return path === closed || path.startsWith(`${closed}.`) || (closed === 'data.*' && path.startsWith('data.'));
}

/** Keys with dots are written with `\\.` in a field path. */
function unescaped(path: string): string {
  return path.replaceAll('\\', '').replaceAll('/', '.');
}

function takesFrom({ from }: ReplacementRule, kinds: ReadonlySet<string | undefined>): boolean {
  return !from.isName && [...kinds].some((kind) => mayBe(kind, from.kind));
}

/** Selectors are regular expressions; what is not a plain word is taken to fit, and so is none. */
export function mayBe(selector: string | undefined, kind: string | undefined): boolean {
  if (selector === undefined || kind === undefined || selector === '' || kind === '') return true;
  return selector === kind || !/^[A-Za-z0-9]*$/.test(selector);
}
