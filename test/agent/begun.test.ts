import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { begunIn, begunText, begunTooOften, isCounted } from '../../src/agent/begun.ts';

const PLACE = { targetNamespace: 'team', now: new Date(0) };

function requests(text: string) {
  return { metadata: { annotations: { 'sotto.dev/begun': text } } };
}

describe('how often a request was begun', () => {
  it('is read back as it was written, and nothing is written of none', () => {
    const counts = fc.dictionary(
      fc.stringMatching(/^[a-z0-9][-._a-zA-Z0-9]{0,20}$/),
      fc.integer({ min: 1, max: 1_000 }),
      {
        minKeys: 1,
      },
    );
    fc.assert(
      fc.property(counts, (each) => {
        const begun = new Map(Object.entries(each));
        expect(begunIn(requests(begunText(begun) ?? ''))).toEqual(begun);
      }),
      { seed: 1 },
    );
    expect(begunText(new Map())).toBeNull();
    expect(begunIn({})).toEqual(new Map());
  });

  it('is nothing where somebody wrote something else', () => {
    for (const text of ['', '{', '[1]', '7', '{"a":"3"}', '{"a":-1}', '{"a":1.5}', 'null'])
      expect(begunIn(requests(text))).toEqual(new Map());
  });

  it('is counted of rotations alone, and three times are the most', () => {
    expect(isCounted('{"kind":"rotate"}', PLACE)).toBe(true);
    for (const text of ['{"kind":"sync"}', '{"kind":"canary"}', 'rotate']) expect(isCounted(text, PLACE)).toBe(false);
    expect([0, 1, 2, 3, 9].map((before) => begunTooOften(before)?.code)).toEqual([
      undefined,
      undefined,
      undefined,
      'SOTTO-ROTATE-036',
      'SOTTO-ROTATE-036',
    ]);
  });
});
