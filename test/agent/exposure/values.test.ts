import { describe, expect, it } from 'vitest';
import { names } from '../../../src/agent/exposure/values.ts';
import type { KeyEntry } from '../../../src/sops/key-entry.ts';

const age = (recipient: string): KeyEntry => ({ kind: 'age', recipient, enc: '', line: 1 });

const named = (...groups: readonly (readonly string[])[]): boolean =>
  names({ metadata: { groups: groups.map((group) => group.map(age)) } }, 'age1old');

describe('a file that a key in wrong hands can open', () => {
  it('names it in any of its groups: alone, beside others, or with others together', () => {
    expect(named(['age1old'])).toBe(true);
    expect(named(['age1kim', 'age1old'])).toBe(true);
    expect(named(['age1kim'], ['age1old'])).toBe(true);
    expect(named(['age1old'], ['age1kim'])).toBe(true);
    expect(named(['age1kim'], ['age1lee'])).toBe(false);
    expect(named()).toBe(false);
  });
});
