import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/core/limits.ts';
import { compareWithRule, readPolicy } from '../../src/sops/policy.ts';
import { refusal } from './fixtures.ts';

// A .sops.yaml that whoever may push has written, as a command reads it. The bounds of time are those of the test runner.

const rules = (lines: string): string => `creation_rules:\n${lines}`;
const refused = (text: string) => refusal(() => readPolicy(text, 'a/.sops.yaml'));

describe('a hostile .sops.yaml', () => {
  it('has rules whose lines are known, however many keys stand before them', () => {
    const keys = Array.from({ length: 45_000 }, (_, index) => `k${index}: 1\n`).join('');
    const { rules: read } = readPolicy(`${keys}${rules('- {}\n'.repeat(100_000))}`, 'f');
    expect(read[99_999]?.line).toBe(45_000 + 1 + 100_000);
  });

  it('compiles to no more than fits into memory', async () => {
    const patterns = `- path_regex: '${'a{1000}'.repeat(9)}'\n`.repeat(20_000);
    const error = await refused(rules(patterns));
    expect(error.code).toBe('SOTTO-SOPS-010');
    expect(error.line).toBeGreaterThan(1);
  });

  it.each([
    ['a rule', `- age: ${Array.from({ length: 600_000 }, (_, index) => index.toString(36)).join(',')}\n`],
    ['groups', `- key_groups:\n${'  - age: [a1, a2]\n'.repeat(30_000)}`],
    [
      'a merge',
      `- key_groups:\n  - merge:\n    - age: [${Array.from({ length: 2_000 }, (_, i) => `a${i}`).join(',')}]\n`,
    ],
  ])('names no more keys than anything is compared with: %s', async (_, text) => {
    const error = await refused(rules(text));
    expect(error.code).toBe('SOTTO-SOPS-020');
    expect(error.line).toBe(2);
  });

  it('names no key that nobody could read', async () => {
    expect((await refused(rules(`- age: "${'a'.repeat(LIMITS.maxKeyNameLength + 1)}"\n`))).code).toBe('SOTTO-SOPS-020');
    expect(readPolicy(rules(`- age: "${'a'.repeat(LIMITS.maxKeyNameLength)}"\n`), 'f').rules).toHaveLength(1);
  });

  it('finds who is planted and who is missing among as many as there may be', () => {
    for (let file = 0; file < 2_000; file += 1) {
      const { planted, missing } = compareWithRule(
        { groups: [names(1)], threshold: 1 },
        { groups: [names(0)], threshold: 1 },
      );
      expect([planted, missing]).toEqual([[`age1x${LIMITS.maxRuleKeys}`], ['age1x0']]);
    }
  });

  it('takes __proto__ and constructor for names of nothing', () => {
    const [rule] = readPolicy(rules('- __proto__: {age: x}\n  constructor: {age: y}\n'), 'f').rules;
    expect(rule?.groups).toEqual([]);
  });
});

function names(from: number): string[] {
  return Array.from({ length: LIMITS.maxRuleKeys }, (_, index) => `age1x${from + index}`);
}
