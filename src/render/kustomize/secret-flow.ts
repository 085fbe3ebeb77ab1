import type { SottoError } from '../../core/errors.ts';
import type { ReplacementRule } from './findings.ts';
import { splitsSecret } from './refusals.ts';

/**
 * Replacements that split a value which may be a secret. A token has no delimiter, so its first piece is the whole
 * token: the wrong value, with nothing to see afterwards. A secret may also come by way of another object.
 */
export function splitSecrets(rules: readonly ReplacementRule[]): SottoError[] {
  const kinds = new Set<string | undefined>(['Secret']);
  let before = 0;
  while (before !== kinds.size) {
    before = kinds.size;
    for (const rule of rules) if (takesFrom(rule, kinds)) for (const kind of rule.toKinds) kinds.add(kind);
  }
  return rules.filter((rule) => rule.splitsSource && takesFrom(rule, kinds)).map((rule) => splitsSecret(rule));
}

function takesFrom({ from }: ReplacementRule, kinds: ReadonlySet<string | undefined>): boolean {
  return !from.isName && [...kinds].some((kind) => mayBe(kind, from.kind));
}

/** Selectors are regular expressions; what is not a plain word is taken to fit, and so is none. */
export function mayBe(selector: string | undefined, kind: string | undefined): boolean {
  if (selector === undefined || kind === undefined || selector === '' || kind === '') return true;
  return selector === kind || !/^[A-Za-z0-9]*$/.test(selector);
}
