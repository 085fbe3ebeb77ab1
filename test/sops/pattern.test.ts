import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePattern, PatternError } from '../../src/sops/pattern.ts';

describe('a key pattern', () => {
  it.each([
    ['^(data|stringData)$', 'data', true],
    ['^(data|stringData)$', 'datas', false],
    ['pass', 'my-passport', true],
    ['(?i)^PASS', 'Password', true],
    ['(?i:A)b', 'ab', true],
    ['(?i:A)b', 'aB', false],
    ['\\Apw\\z', 'pw', true],
    ['^[[:alpha:]]+$', 'abc', true],
    ['^[[:alpha:]]+$', 'ab1', false],
    ['^[^a-c]$', 'd', true],
    ['^[]a]$', ']', true],
    ['^\\Qa.b\\E$', 'a.b', true],
    ['^\\Qa.b\\E$', 'axb', false],
    ['^a{2,3}$', 'aaaa', false],
    ['^a{2,}$', 'aaaa', true],
    ['a{x', 'a{x', true],
    ['^(?P<n>a)(?:b)?$', 'a', true],
    ['\\bkey\\b', 'my key', true],
    ['\\bkey\\b', 'monkey', false],
    ['^.$', '\n', false],
    ['(?s)^.$', '\n', true],
    ['^\\x41\\x{e9}$', 'Aé', true],
    ['^\\d+\\W\\s$', '12- ', true],
    ['^[\\d_-]+$', '1_-2', true],
    ['', 'x', true],
    ['a|b|^c', 'xc', false],
    ['tls\\.key', 'tls.key', true],
  ])('%s on %j is %s', (pattern, text, expected) => {
    expect(compilePattern(pattern)(text)).toBe(expected);
  });

  it.each(['(?=a)', '(a', 'a)', '[a', '*a', 'a**', '\\1', '\\pL', 'a{1001}', '(?m)^a', '[b-a]', '\\', '[[:nope:]]'])(
    '%s is refused',
    (pattern) => {
      expect(() => compilePattern(pattern)).toThrow(PatternError);
    },
  );

  it('that would make a backtracking engine hang is answered at once', () => {
    expect(compilePattern('^(a+)+$')(`${'a'.repeat(5000)}b`)).toBe(false);
    expect(() => compilePattern('((a{1000}){1000}){1000}')).toThrow(PatternError);
  });

  it('agrees with RegExp on the forms they share', () => {
    const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '(?:ab|b)', '\\w', '^', '$', '\\b');
    const piece = fc
      .tuple(atom, fc.constantFrom('', '', '*', '+', '?', '{2}'))
      .map(([a, q]) => (/^[\^$]|\\b/.test(a) ? a : a + q));
    const pattern = fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(pattern, fc.stringMatching(/^[ab_ ]{0,8}$/), (source, text) => {
        expect(compilePattern(source)(text)).toBe(new RegExp(source, 'u').test(text));
      }),
      { numRuns: 2000 },
    );
  });

  it('of any text compiles or is refused, and nothing else', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (source, text) => {
        try {
          compilePattern(source)(text);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(PatternError);
        }
      }),
    );
  });
});
