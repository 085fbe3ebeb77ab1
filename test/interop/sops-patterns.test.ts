import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { isJsonObject, type Json } from '../../src/core/json.ts';
import { compilePattern, PatternError } from '../../src/sops/pattern.ts';
import { describeReal } from '../harness/real.ts';
import { newAgeKeyPair, stockOutput } from '../harness/stock.ts';

/** Read by both and never meant otherwise: it tells a pattern that Go does not compile from one that matches nothing. */
const SENTINEL = 'sentinel of the test';

/** Characters that are one letter to a reader who does not mind the case, the odd ones of Unicode among them. */
const LETTERS = Array.from({ length: 0x20000 }, (_, code) => code)
  .filter((code) => code < 0xd800 || code > 0xdfff)
  .map((code) => String.fromCodePoint(code))
  .filter((char) => char.toLowerCase() !== char || char.toUpperCase() !== char)
  .filter((char) => matchedHere([char], '(?i)x') !== undefined);

const KEYS = [
  'data',
  'stringData',
  'password',
  'PassWord',
  'tls.key',
  'my key',
  'my-key',
  'monkey',
  'a_b',
  '_',
  '-',
  '.',
  '',
  'a',
  'b',
  'c',
  'aa',
  'ab',
  'ba',
  'aab',
  'abc',
  'aaa',
  'aaaa',
  'AB',
  'aB',
  'a1',
  '1',
  '12',
  '0',
  '{2}',
  'a{2}',
  'a{01}',
  'a{1,02}',
  'a{9999999}',
  '[',
  ']',
  '^',
  '$',
  '(',
  ')',
  '|',
  '*',
  '+',
  '?',
  '\\',
  'a*',
  'a b',
  ' ',
  '\t',
  '\n',
  'a\nb',
  '\nb',
  'a\n',
  '\v',
  '\f',
  '\r',
  '\u00a0',
  ':',
  'a:',
  '[:a:]',
  '[:^alpha:]',
  'i-s',
  'E',
  'Q',
  'ab*',
  'k',
  'K',
  '\u212a',
  's',
  'S',
  'ſ',
  'σ',
  'ς',
  'Σ',
  'ß',
  'ẞ',
  'i',
  'I',
  'İ',
  'ı',
  'é',
  'É',
  'Ǆ',
  'ǅ',
  'ǆ',
  'µ',
  'μ',
  'θ',
  'ϑ',
  'ϴ',
  'å',
  'Å',
  '\u212b',
  '日本',
  '😀',
  'x'.repeat(40),
  '~',
  '!',
  '@',
  ',',
  '<',
  '\u007f',
  '\u0080',
];

const CHAR = fc.constantFrom(
  'a',
  'b',
  'k',
  's',
  'S',
  '1',
  '_',
  '-',
  ' ',
  '.',
  'ſ',
  '\u212a',
  'ς',
  'é',
  ':',
  '{',
  ',',
  ']',
);
const IN_CLASS = fc.oneof(
  CHAR.filter((char) => char !== ']'),
  fc.constantFrom(
    'a-c',
    'A-Z',
    '0-9',
    '\\d',
    '\\W',
    '\\s',
    '\\S',
    '\\w',
    '\\D',
    '\\]',
    '\\-',
    '\\x41',
    '^',
    '\\n',
    '[',
    '-',
  ),
  fc.constantFrom(
    '[:alpha:]',
    '[:^alpha:]',
    '[:word:]',
    '[:^word:]',
    '[:space:]',
    '[:punct:]',
    '[:xdigit:]',
    '[:upper:]',
  ),
);
const CLASS = fc
  .tuple(fc.constantFrom('[', '[^', '[]', '[^]'), fc.array(IN_CLASS, { minLength: 1, maxLength: 4 }))
  .map(([open, parts]) => `${open}${parts.join('')}]`);
const ATOM = fc.oneof(
  CHAR,
  CLASS,
  fc.constantFrom(
    '.',
    '^',
    '$',
    '\\b',
    '\\B',
    '\\A',
    '\\z',
    '\\d',
    '\\D',
    '\\w',
    '\\W',
    '\\s',
    '\\S',
    '\\.',
    '\\_',
    '\\n',
  ),
  fc.constantFrom(
    '\\Qab\\E',
    '\\Q*\\E',
    '\\Q\\E',
    '\\x{212a}',
    '\\x6b',
    '\\pL',
    '\\p{Greek}',
    '\\1',
    '\\012',
    '\\C',
    '\\Z',
    '\\-',
  ),
);
const TIMES = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  fc.constantFrom(
    '*',
    '+',
    '?',
    '*?',
    '+?',
    '??',
    '{2}',
    '{1,2}',
    '{0}',
    '{0,1}',
    '{2,}',
    '{,2}',
    '{01}',
    '{1,02}',
    '{2,1}',
  ),
  fc.constantFrom('{1000}', '{1001}', '{9999999}', '{30}', '**', '{2}{2}', '*{2}', '{2}?', '{', '{a}'),
);
const PATTERN = fc.letrec<{ pattern: string; group: string }>((tie) => ({
  pattern: fc
    .array(fc.tuple(fc.oneof({ maxDepth: 3 }, ATOM, ATOM, ATOM, tie('group')), TIMES), { maxLength: 4 })
    .map((parts) => parts.map((part) => part.join('')).join('')),
  group: fc
    .tuple(
      fc.constantFrom(
        '(',
        '(?:',
        '(?i:',
        '(?i)',
        '(?s)',
        '(?-i)',
        '(?is-i:',
        '(?P<n>',
        '(?<m>',
        '(?m:',
        '(?U)',
        '(?)',
        '(?=',
        '|',
      ),
      tie('pattern'),
      tie('pattern'),
    )
    .map(([open, a, b]) => (open === '|' || open.endsWith(')') ? `${open}${a}` : `${open}${a}|${b})`)),
})).pattern;

describeReal('the patterns of selectors', ['sops', 'age-keygen'], () => {
  let folder: string;
  let recipient: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sotto-patterns-'));
    recipient = (await newAgeKeyPair()).recipient;
    put('keys.json', KEYS);
    put('letters.json', LETTERS);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function put(name: string, keys: readonly string[]): void {
    writeFileSync(join(folder, name), JSON.stringify(Object.fromEntries([...keys, SENTINEL].map((key) => [key, 'v']))));
  }

  /** The keys of a file that stock sops encrypts. */
  async function matchedByGo(name: string, pattern: string): Promise<string[]> {
    const args = ['encrypt', '--age', recipient, '--encrypted-regex', pattern, name];
    const file = JSON.parse(
      (await stockOutput('sops', args, { env: { HOME: folder }, cwd: folder })).toString(),
    ) as Json;
    if (!isJsonObject(file)) throw new TypeError('sops writes a mapping');
    return Object.keys(file).filter((key) => key !== 'sops' && file[key] !== 'v');
  }

  async function expectSame(name: string, keys: readonly string[], source: string): Promise<boolean> {
    const pattern = `(?:${source})|^${SENTINEL}$`;
    const here = matchedHere(keys, pattern);
    if (here === undefined) return false;
    const go = new Set(await matchedByGo(name, pattern));
    expect([...keys, SENTINEL].filter((key) => go.has(key))).toEqual(here);
    return true;
  }

  it.each([
    '(?i)\\w',
    '(?i)[\\W]',
    '(?i)\u212a',
    '(?i)ς',
    '(?i)[ẞ]',
    '(?i)^[[:lower:]]+$',
    '[[:^alpha:]]',
    '\\Qab\\E*$',
    'a{9999999}',
    'a{01}',
    'a{1,02}',
    '{2}',
    '(a{50}){50}',
    '(?P<n>a)|(?P<n>b)',
    '^a(?i)b|C$',
    '[]a-]',
    '[^\\d]',
    'a(|b)*$',
    '(?s)^.$',
  ])('mean the same to Go, or are refused: %s', async (pattern) => {
    await expectSame('keys.json', KEYS, pattern);
  });

  it('mean the same to Go, or are refused: any at all', async () => {
    let same = 0;
    await fc.assert(
      fc.asyncProperty(PATTERN, async (pattern) => {
        if (await expectSame('keys.json', KEYS, pattern)) same += 1;
      }),
      { numRuns: 300 },
    );
    expect(same).toBeGreaterThan(60);
  });

  it('fold the case of every letter as Go does, or are refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.subarray(LETTERS, { minLength: 600, maxLength: 900 }), async (letters) => {
        expect(await expectSame('letters.json', LETTERS, `(?i)^[${letters.join('')}]$`)).toBe(true);
        await expectSame('letters.json', LETTERS, `(?i)^[^${letters.slice(0, 100).join('')}]$`);
      }),
      { numRuns: 6 },
    );
  });
});

/** Undefined when it is refused. */
function matchedHere(keys: readonly string[], pattern: string): string[] | undefined {
  try {
    const matches = compilePattern(pattern);
    return [...keys, SENTINEL].filter((key) => matches(key));
  } catch (thrown) {
    if (!(thrown instanceof PatternError)) throw thrown;
    return undefined;
  }
}
