import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { charactersOf } from '../../src/sops/decrypt.ts';

it('the characters of a text are as many as its string has', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      expect(charactersOf(Buffer.from(text))).toBe(text.length);
    }),
  );
});
