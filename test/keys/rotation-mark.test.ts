import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rotationMark, rotationText } from '../../src/keys/rotation-mark.ts';

const marks = fc.record({
  url: fc.webUrl(),
  branch: fc.stringMatching(/^[a-z][a-z0-9/-]{0,60}$/),
  commit: fc.stringMatching(/^[0-9a-f]{40}$/),
  files: fc.nat(),
  keepOldMs: fc.nat(),
});

const read = (text: string): ReturnType<typeof rotationMark> =>
  rotationMark({ annotations: { 'sotto.dev/rotation': text } });

describe('the mark of a rotation on the Secret of its key', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(marks, (mark) => {
        expect(read(rotationText(mark))).toEqual(mark);
      }),
    );
  });

  it('is none when somebody has written something else, and never an error', () => {
    fc.assert(fc.property(fc.anything(), (value) => void read(JSON.stringify(value) ?? '')));
    fc.assert(fc.property(fc.string(), (text) => void read(text)));
    expect(rotationMark({ annotations: {} })).toBeUndefined();
    const good = { url: 'https://a.example/b', branch: 'b', commit: 'a'.repeat(40), files: 1, keepOldMs: 1 };
    for (const wrong of [{ commit: 'main' }, { files: -1 }, { keepOldMs: 1e18 }, { keepOldMs: '90d' }, { branch: 1 }])
      expect(read(JSON.stringify({ ...good, ...wrong }))).toBeUndefined();
  });
});
