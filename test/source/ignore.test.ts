import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SottoError } from '../../src/core/errors.ts';
import { parseIgnore } from '../../src/source/ignore.ts';

function ignores(lines: readonly string[], path: string, folder = ''): boolean {
  return parseIgnore([{ lines, folder, origin: '.sourceignore' }])(path);
}

describe('an ignore pattern', () => {
  it.each([
    ['*.md', 'a.md', true],
    ['*.md', 'deploy/deep/a.md', true],
    ['*.md', 'a.mdx', false],
    ['/a.yaml', 'a.yaml', true],
    ['/a.yaml', 'deploy/a.yaml', false],
    ['deploy/a.yaml', 'deploy/a.yaml', true],
    ['deploy/a.yaml', 'x/deploy/a.yaml', false],
    ['test/', 'test/a.yaml', true],
    ['test/', 'x/test/b/a.yaml', true],
    ['test/', 'x/test', false],
    ['test', 'x/test', true],
    ['deploy/*', 'deploy/a.yaml', true],
    ['deploy/*/a.yaml', 'deploy/x/a.yaml', true],
    ['deploy/*/a.yaml', 'deploy/x/y/a.yaml', false],
    ['deploy/**/a.yaml', 'deploy/a.yaml', true],
    ['deploy/**/a.yaml', 'deploy/x/y/a.yaml', true],
    ['**/fixtures/**', 'x/fixtures/y/a.yaml', true],
    ['**/fixtures/**', 'x/fixtures', false],
    ['deploy/**', 'deploy/x/a.yaml', true],
    ['?.yaml', 'a.yaml', true],
    ['?.yaml', 'ab.yaml', false],
    ['?.yaml', '😀.yaml', true],
    ['[a-c].yaml', 'b.yaml', true],
    ['[!a-c].yaml', 'b.yaml', false],
    ['[^a-c].yaml', 'd.yaml', true],
    ['[]].yaml', '].yaml', true],
    ['[a-].yaml', '-.yaml', true],
    ['\\*.yaml', '*.yaml', true],
    ['\\*.yaml', 'a.yaml', false],
    ['\\!a.yaml', '!a.yaml', true],
    ['\\#a.yaml', '#a.yaml', true],
    ['# a comment', '# a comment', false],
    ['', 'a.yaml', false],
    ['/', 'a.yaml', false],
    ['a.yaml  ', 'a.yaml', true],
    ['a.yaml\r', 'a.yaml', true],
    ['a\\ ', 'a ', true],
    ['A.yaml', 'a.yaml', false],
  ])('%j says of %s: %s', (pattern, path, expected) => {
    expect(ignores([pattern], path)).toBe(expected);
  });

  it('that comes last decides', () => {
    expect(ignores(['*.yaml', '!keep.yaml'], 'deploy/keep.yaml')).toBe(false);
    expect(ignores(['!keep.yaml', '*.yaml'], 'deploy/keep.yaml')).toBe(true);
  });

  it('cannot bring back what lies in an ignored folder', () => {
    expect(ignores(['test/', '!test/keep.yaml'], 'test/keep.yaml')).toBe(true);
  });

  it('is relative to the folder of its file', () => {
    expect(ignores(['/a.yaml'], 'deploy/a.yaml', 'deploy')).toBe(true);
    expect(ignores(['/a.yaml'], 'a.yaml', 'deploy')).toBe(false);
    expect(ignores(['a.yaml'], 'deployment/a.yaml', 'deploy')).toBe(false);
  });

  it.each(['[[:alpha:]].yaml', '[a.yaml', 'a\\'])('%j is refused with its place', (pattern) => {
    expect(() => ignores(['ok', pattern], 'a.yaml')).toThrow(
      expect.objectContaining({
        code: 'SOTTO-GIT-033',
        place: expect.objectContaining({ file: '.sourceignore', line: 2 }),
      }),
    );
  });

  it('cannot make the match slow', () => {
    expect(ignores([`${'*a'.repeat(100)}b`], 'a'.repeat(5_000))).toBe(false);
    expect(ignores([`${'**/a/'.repeat(50)}b`], 'a/'.repeat(500).slice(0, -1))).toBe(false);
  });

  it('is understood or refused, whatever it is', () => {
    const line = fc.oneof(
      fc.string(),
      fc.string({ unit: fc.constantFrom('a', '*', '?', '[', ']', '\\', '/', '!', '-') }),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 5 }), fc.string({ minLength: 1 }), (lines, path) => {
        try {
          ignores(lines, path);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(SottoError);
        }
      }),
    );
  });
});
