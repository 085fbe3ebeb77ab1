import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SottoError } from '../../src/core/errors.ts';
import { stockQuotes } from '../../src/sops/emit-ini.ts';
import { parseIni } from '../../src/sops/ini.ts';
import { faithfulQuotes, firstDifference, iniText, type IniTree } from '../../src/sops/ini-text.ts';
import { rewriteIni } from '../../src/sops/rewrite-ini.ts';
import { refusal } from './fixtures.ts';
import { INI_FILES, INI_TEXT } from './ini-files.ts';

const says = (text: string): unknown =>
  parseIni(text, 'f').map(({ name, comment, keys }) => [
    name,
    comment,
    Object.fromEntries(keys.map((key) => [key.name, key.comment === undefined ? key.value : [key.value, key.comment]])),
  ]);

describe('an INI file', () => {
  it('is read with its sections, quotes, and comments', () => {
    expect(says('; top\na=1 ; beside\n\n[s] # of s\n"x y" : `1;2`\nz = "q"\n-=one\n-=two\n')).toEqual([
      ['DEFAULT', undefined, { a: ['1', 'top\n; beside'] }],
      ['s', 'of s', { 'x y': '1;2', z: 'q', '#1': 'one', '#2': 'two' }],
    ]);
  });

  it('of which nothing counts is read', () => {
    expect(says('')).toEqual([['DEFAULT', undefined, {}]]);
    expect(says('\ufeff\n \n; lost\n')).toEqual([['DEFAULT', undefined, {}]]);
  });

  it.each([
    ['a line without a delimiter', 'a=1\n\nb\n', 3],
    ['a key without a name', '[s]\n= 1\n', 2],
    ['a key whose quoted name is blank', '" " = 1\n', 1],
    ['a name whose quotes are open', '`a = 1\n', 1],
    ['a section that is not closed', 'a=1\n[s\n', 2],
    ['a section without a name', '[]\n', 1],
    ['quotes that stay open', 'a=1\nb=`x\ny\n', 2],
    ['quotes that end behind a backslash', 'b=`x\ny` \\', 1],
  ])('is refused with its line: %s', async (_, text, line) => {
    expect(await refusal(() => parseIni(text, 'f'))).toEqual({ code: 'SOTTO-SOPS-040', line });
  });

  it('of any text is read or ends in its one code', () => {
    fc.assert(
      fc.property(fc.oneof(INI_TEXT, fc.string({ unit: 'binary' })), (text) => {
        try {
          parseIni(text, 'f');
        } catch (thrown) {
          if (!(thrown instanceof SottoError)) throw thrown;
          expect(thrown.code).toBe('SOTTO-SOPS-040');
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['joined lines', 'a=b\\\n'.padEnd(4_000_000, ' x\\\n')],
    ['quotes over many lines', `a=\`\n${'x` \\\n'.repeat(800_000)}\``],
    ['quotes that stay open', `a="""${'\n"'.repeat(2_000_000)}`],
    ['comments', '; c\n'.repeat(1_000_000)],
    ['markers', `${';#'.repeat(2_000_000)}\na=1\n`],
    ['blanks', `a=${' \t'.repeat(2_000_000)}x${' \t'.repeat(500_000)}\n`],
    ['keys', Array.from({ length: 300_000 }, (_, at) => `k${at}=v`).join('\n')],
    ['sections', Array.from({ length: 300_000 }, (_, at) => `[s${at % 3}]`).join('\n')],
    ['one key many times', 'k=v\n'.repeat(1_000_000)],
    ['brackets', `[${'[]'.repeat(2_000_000)}]`],
  ])('of hostile size is read in one go: %s', (_, text) => {
    expect(text.length).toBeGreaterThan(1_000_000);
    try {
      expect(rewriteIni(text, parseIni(text, 'f'), 'f')).toBeDefined();
    } catch (thrown) {
      if (!(thrown instanceof SottoError)) throw thrown;
      expect(thrown.code).toMatch(/^SOTTO-SOPS-04[012]$/);
    }
  });
});

const NAME = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 5 }),
  fc.constantFrom('a', 'b', 'c', 'k:v', '[k', '#k', ';', '-', '`"'),
);
const VALUE = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 6 }),
  fc.string({ unit: fc.constantFrom(...Array.from('\n`"\';#\\ ab=[]')), maxLength: 6 }),
);
const COMMENT = fc.option(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 }), { nil: undefined });
const TREE: fc.Arbitrary<IniTree[]> = fc
  .array(
    fc.record({
      name: fc.constantFrom('s', 't', 's', 'u v'),
      comment: COMMENT,
      keys: fc.uniqueArray(fc.record({ name: NAME, value: VALUE, comment: COMMENT }), {
        selector: ({ name }) => name,
        maxLength: 4,
      }),
    }),
    { maxLength: 4 },
  )
  .map((sections) => [{ name: 'DEFAULT', comment: undefined, keys: [] }, ...sections]);

/** Undefined where it is refused by name. */
function written(make: () => string): string | undefined {
  try {
    return make();
  } catch (thrown) {
    if (!(thrown instanceof SottoError)) throw thrown;
    expect(thrown.code).toMatch(/^SOTTO-SOPS-04[12]$/);
    return undefined;
  }
}

describe('an INI file that is written', () => {
  it('reads back as what was put in, or is refused', () => {
    let count = 0;
    fc.assert(
      fc.property(TREE, (tree) => {
        for (const quotes of [stockQuotes, faithfulQuotes]) {
          const text = written(() => iniText(tree, 'f', quotes));
          if (text === undefined) continue;
          count += 1;
          expect(firstDifference(parseIni(text, 'f'), tree)).toBeUndefined();
        }
      }),
      { numRuns: 500 },
    );
    expect(count).toBeGreaterThan(150);
  });

  it.each([...INI_FILES])('stays as it is where nothing changed: $name', ({ text }) => {
    const tree = parseIni(text, 'f');
    if (!tree.some(({ repeats }) => repeats)) expect(rewriteIni(text, tree, 'f')).toBe(text);
  });

  it('of any text stays as it is where nothing changed', () => {
    fc.assert(
      fc.property(INI_TEXT, (text) => {
        const tree = parsed(text);
        if (tree === undefined || tree.some(({ repeats }) => repeats)) return;
        expect(written(() => rewriteIni(text, tree, 'f')) ?? text).toBe(text);
      }),
      { numRuns: 1_000 },
    );
  });

  it('of any text says what it is made to say, or is refused', () => {
    fc.assert(
      fc.property(INI_TEXT, TREE, fc.array(fc.nat(), { maxLength: 5 }), (text, other, picks) => {
        const old = parsed(text);
        if (old === undefined) return;
        const wanted = mixed(old, other, picks);
        const rewritten = written(() => rewriteIni(text, wanted, 'f'));
        if (rewritten !== undefined) expect(firstDifference(parseIni(rewritten, 'f'), wanted)).toBeUndefined();
      }),
      { numRuns: 1_000 },
    );
  });

  it('has other bytes only where a value changed', () => {
    const plain = fc.stringMatching(/^[a-z0-9]{1,8}$/);
    fc.assert(
      fc.property(INI_TEXT, fc.nat(), fc.nat(), plain, (text, nth, which, value) => {
        const tree = parsed(text);
        const section = tree?.[nth % tree.length];
        const key = section?.keys[which % section.keys.length];
        if (tree === undefined || section === undefined || key === undefined) return;
        if (tree.some(({ repeats }) => repeats)) return;
        const keys = section.keys.map((each) => (each === key ? { ...each, value } : each));
        const wanted = tree.map((each) => (each === section ? { ...each, keys } : each));
        const rewritten = written(() => rewriteIni(text, wanted, 'f'));
        if (rewritten === undefined) return;
        const { valueStart, valueEnd } = key.place;
        expect(rewritten.startsWith(text.slice(0, valueStart))).toBe(true);
        expect(rewritten.endsWith(text.slice(valueEnd))).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  const TEXT = '; top\na = 1\n\n[s]\n; about\nlong = x ; beside\nb    = y\n\n[t]\nc = z\n';
  it.each<[string, (tree: readonly IniTree[]) => IniTree[], string]>([
    [
      'a new key goes behind the others',
      (tree) => withKeys(tree, 1, (keys) => [...keys, entry('n', 'v')]),
      TEXT.replace('b    = y\n', 'b    = y\nn    = v\n'),
    ],
    [
      'a longer name moves no other',
      (tree) => withKeys(tree, 1, (keys) => [...keys, entry('longest', 'v')]),
      TEXT.replace('b    = y\n', 'b    = y\nlongest = v\n'),
    ],
    [
      'a key goes with its comment',
      (tree) => withKeys(tree, 1, (keys) => keys.slice(1)),
      TEXT.replace('; about\nlong = x ; beside\n', ''),
    ],
    ['a section goes', (tree) => tree.filter(({ name }) => name !== 's'), '; top\na = 1\n\n[t]\nc = z\n'],
    [
      'a section comes',
      (tree) => [...tree, { name: 'n', comment: 'new', keys: [entry('d', '1')] }],
      `${TEXT}\n; new\n[n]\nd = 1\n`,
    ],
    [
      'a comment changes',
      (tree) => withKeys(tree, 0, ([first]) => (first ? [{ ...first, comment: 'other' }] : [])),
      TEXT.replace('top', 'other'),
    ],
    [
      'a value with a marker is quoted',
      (tree) => withKeys(tree, 2, () => [entry('c', 'a;b')]),
      TEXT.replace('c = z', 'c = `a;b`'),
    ],
  ])('is changed in place: %s', (_, change, expected) => {
    expect(rewriteIni(TEXT, change(parseIni(TEXT, 'f')), 'f')).toBe(expected);
  });

  it('is laid out anew where the order changed', () => {
    const tree = parseIni('a=1\n[s]\nb=2\n[t]\n', 'f');
    expect(rewriteIni('a=1\n[s]\nb=2\n[t]\n', [...tree.slice(0, 1), ...tree.slice(1).toReversed()], 'f')).toBe(
      'a = 1\n\n[t]\n\n[s]\nb = 2\n',
    );
  });
});

function entry(name: string, value: string): IniTree['keys'][number] {
  return { name, value, comment: undefined };
}

function withKeys(
  tree: readonly IniTree[],
  nth: number,
  change: (keys: IniTree['keys']) => IniTree['keys'],
): IniTree[] {
  return tree.map((section, index) => (index === nth ? { ...section, keys: change(section.keys) } : section));
}

function parsed(text: string): ReturnType<typeof parseIni> | undefined {
  try {
    return parseIni(text, 'f');
  } catch {
    return undefined;
  }
}

/** Sections of both, some left out. */
function mixed(old: readonly IniTree[], other: readonly IniTree[], picks: readonly number[]): IniTree[] {
  const [first, ...rest] = old;
  const more = other.slice(1);
  const kept = rest.filter((_, index) => !picks.includes(index));
  const head = first ?? { name: 'DEFAULT', comment: undefined, keys: [] };
  const keys = more[0]?.keys.filter(({ name }) => !head.keys.some((each) => each.name === name)) ?? [];
  return [{ ...head, keys: [...head.keys.slice(picks.length % 2), ...keys] }, ...kept, ...more];
}
