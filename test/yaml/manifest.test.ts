import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SottoError } from '../../src/core/errors.ts';
import { readManifests } from '../../src/yaml/manifest.ts';

const only = (text: string): unknown => readManifests(text, 'a.yaml')[0]?.value;
const value = (scalar: string): unknown => {
  const read = only(`v: ${scalar}\n`);
  return typeof read === 'object' && read !== null && 'v' in read ? read.v : undefined;
};
const codeOf = (text: string, file = 'a.yaml'): string => {
  try {
    readManifests(text, file);
    return 'none';
  } catch (thrown) {
    if (thrown instanceof SottoError) return thrown.code;
    throw thrown;
  }
};

describe('a scalar as kubectl reads it', () => {
  it.each([
    ['yes', true],
    ['Off', false],
    ['y', true],
    ['N', false],
    ['yEs', 'yEs'],
    ['0777', 511],
    ['010', 8],
    ['0o17', 15],
    ['0O17', 15],
    ['0XFF', 255],
    ['-0x1F', -31],
    ['0b101', 5],
    ['08', 8],
    ['1_000', 1000],
    ['1e3', 1000],
    ['12e3', 12_000],
    ['1.', 1],
    ['.5', 0.5],
    ['+12', 12],
    ['12:30:45', '12:30:45'],
    ['2026-11-23', '2026-11-23'],
    ['2001-12-14t21:59:43.10-05:00', '2001-12-14t21:59:43.10-05:00'],
    ['9007199254740993', 9_007_199_254_740_993n],
    ['18446744073709551615', 18_446_744_073_709_551_615n],
    ['18446744073709551616', 18_446_744_073_709_551_616],
    ['1e400', '1e400'],
    ['"1"', '1'],
    ["'yes'", 'yes'],
    ['!!str 1', '1'],
    ['!!int "3"', 3],
    ['!!float 3', 3],
    ['!foo bar', 'bar'],
    ['!foo 12', '12'],
    ['!!binary aGk=', 'hi'],
    ['~', null],
    ['', null],
    ['1.2.3', '1.2.3'],
    ['-', '-'],
    ['--', '--'],
    ['0x', '0x'],
    ['.', '.'],
    ['1__2', 12],
    ['<<', '<<'],
  ])('%s', (scalar, expected) => {
    if (scalar === '-') return expect(only('v:\n- -\n')).toEqual({ v: [[null]] });
    expect(value(scalar)).toEqual(expected);
  });

  it.each([
    ['.inf', 'SOTTO-YAML-010'],
    ['-.INF', 'SOTTO-YAML-010'],
    ['.NaN', 'SOTTO-YAML-010'],
    ['!!int x', 'SOTTO-YAML-011'],
    ['!!int 1e3', 'SOTTO-YAML-011'],
    ['!!bool 1', 'SOTTO-YAML-011'],
    ['!!binary "*"', 'SOTTO-YAML-011'],
  ])('%s is refused', (scalar, code) => {
    expect(codeOf(`v: ${scalar}\n`)).toBe(code);
  });
});

describe('keys', () => {
  it('are written out as sigs.k8s.io/yaml does', () => {
    expect(only('yes: 1\n10: 2\n0x10: 3\n1.50: 4\n1e6: 5\n1000000: 6\n')).toEqual({
      true: 1,
      10: 2,
      16: 3,
      '1.5': 4,
      '1e+06': 5,
      1000000: 6,
    });
  });

  it('may be called __proto__', () => {
    const read = only('__proto__: {a: 1}\n');
    expect(Object.keys(read as object)).toEqual(['__proto__']);
  });

  it.each([
    ['a: 1\na: 2\n', 'SOTTO-YAML-008'],
    ['yes: 1\n"true": 2\n', 'SOTTO-YAML-008'],
    ['~: 1\n', 'SOTTO-YAML-009'],
    ['[a]: 1\n', 'SOTTO-YAML-009'],
  ])('%j is refused', (text, code) => {
    expect(codeOf(text)).toBe(code);
  });
});

describe('anchors and merge keys', () => {
  it('are expanded; what stands later wins', () => {
    const text = 'base: &b {x: 1, z: 2}\nafter: {<<: *b, x: 3}\nbefore: {x: 3, <<: *b}\nlist: {<<: [{x: 0}, *b]}\n';
    expect(only(text)).toEqual({
      base: { x: 1, z: 2 },
      after: { x: 3, z: 2 },
      before: { x: 1, z: 2 },
      list: { x: 0, z: 2 },
    });
  });

  it('are refused when they cannot be', () => {
    expect(codeOf('a: *b\n')).toBe('SOTTO-YAML-007');
    expect(codeOf('a: &a [*a]\n')).toBe('SOTTO-YAML-007');
    expect(codeOf('<<: 1\n')).toBe('SOTTO-YAML-012');
  });
});

describe('documents', () => {
  it('are found with their lines; comment-only and empty ones are left out', () => {
    const read = readManifests(
      '# c\n---\na: 1\n---\n# only\n---\n\n---\nb:\n  - x\n  - z: 2\n...\n---\nc: 3\n',
      'a.yaml',
    );
    expect(read.map(({ value: v, line }) => [v, line])).toEqual([
      [{ a: 1 }, 3],
      [{ b: ['x', { z: 2 }] }, 9],
      [{ c: 3 }, 14],
    ]);
    expect(read[1]?.lineAt(['b', '1', 'z'])).toBe(11);
    expect(read[1]?.lineAt(['b'])).toBe(9);
    expect(read[1]?.lineAt(['x'])).toBeUndefined();
  });

  it('of a .json file are JSON, strictly', () => {
    expect(readManifests('{"a": 9007199254740993, "b": [1.5, "\\u00e9\\n", null]}', 'a.json')[0]?.value).toEqual({
      a: 9_007_199_254_740_993n,
      b: [1.5, 'é\n', null],
    });
    for (const bad of [
      '{a: 1}',
      '{"a": 1,}',
      '{"a": 01}',
      '[1] 2',
      '',
      '{"a": "\n"}',
      "{'a': 1}",
      '{"a": "\\x"}',
      '"',
    ]) {
      expect(codeOf(bad, 'a.json')).toBe('SOTTO-YAML-013');
    }
    expect(codeOf('{"a": 1, "a": 2}', 'a.json')).toBe('SOTTO-YAML-008');
  });

  it('are told apart from text that looks like a marker', () => {
    expect(readManifests('a: |\n  ---\n  ...\nb: "---"\n# ---\n', 'a.yaml').map((m) => m.value)).toEqual([
      { a: '---\n...\n', b: '---' },
    ]);
    expect(readManifests('%YAML 1.2\n---\na: 1\n...\n%TAG ! tag:x,2000:\n---\nb: !y z\n', 'a.yaml')).toHaveLength(2);
  });
});

describe('hostile text', () => {
  it.each([
    ['deep nesting', '['.repeat(5000), 'SOTTO-YAML-003'],
    ['deep block nesting', `${'- '.repeat(200)}x\n`, 'SOTTO-YAML-003'],
    [
      'aliases that multiply',
      Array.from(
        { length: 12 },
        (_, i) => `a${i}: &a${i} [${i === 0 ? 'x' : `*a${i - 1}`.concat(`, *a${i - 1}`.repeat(9))}]`,
      ).join('\n'),
      'SOTTO-YAML-005',
    ],
    [
      'aliases that nest',
      Array.from({ length: 150 }, (_, i) => `a${i}: &a${i} [${i === 0 ? 'x' : `*a${i - 1}`}]`).join('\n'),
      'SOTTO-YAML-003',
    ],
    ['many aliases', `a: &a 1\nb: [${'*a, '.repeat(1500)}]\n`, 'SOTTO-YAML-006'],
    ['aliases of one long text', `a: &a ${'x'.repeat(10_000)}\nb: [${'*a, '.repeat(900)}]\n`, 'SOTTO-YAML-014'],
    [
      'aliases of long texts, spread over documents',
      `---\na: &a ${'x'.repeat(1_000)}\nb: [${'*a, '.repeat(900)}]\n`.repeat(10),
      'SOTTO-YAML-014',
    ],
    [
      'aliases of lists, spread over documents',
      `---\na: &a [${'1, '.repeat(100)}]\nb: [${'*a, '.repeat(900)}]\n`.repeat(10),
      'SOTTO-YAML-014',
    ],
    ['many documents', '---\na\n'.repeat(10_001), 'SOTTO-YAML-004'],
    ['many nodes', `[${'a,'.repeat(300_000)}]`, 'SOTTO-YAML-005'],
    ['very many nodes', `[${'a,'.repeat(1_500_000)}]`, 'SOTTO-YAML-005'],
    ['a tab', 'a:\n\tb: 1\n', 'SOTTO-YAML-001'],
    ['a null byte', 'a: \u0000\n', 'SOTTO-YAML-001'],
  ])('ends in its code: %s', (_name, text, code) => {
    expect(codeOf(text)).toBe(code);
  });

  it('is never quoted in an error', () => {
    for (const text of [
      'p: !hunter2"x y\n',
      'p: !e!hunter2 y\n',
      'p: "hunter2\n',
      'hunter2: [\n',
      '- hunter2: a: b\n',
    ]) {
      try {
        readManifests(text, 'a.yaml');
        expect.unreachable();
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(SottoError);
        expect((thrown as SottoError).text()).not.toContain('hunter2');
      }
    }
  });

  // Pieces of syntax parted by blanks here; `_` stands for a blank, `/` for a line break.
  const syntax = 'a:_ -_ ?_ :_ / __ [ ] { } , " \' | > &a_ *a !!int_ !t_ # % ---/ .../ <<:_ 1 x é |2-/ ~ !<x>_';
  const pieces = syntax.split(' ').map((piece) => piece.replaceAll('_', ' ').replaceAll('/', '\n'));
  const piece = fc.constantFrom(...pieces, '\t', '\r\n', '\\', '\uFEFF', '\u2028', '\ud800');

  it('of any make gives a tree or a SottoError with a line', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), fc.constantFrom('a.yaml', 'a.json'), (chosen, file) => {
        const text = chosen.join('');
        try {
          for (const manifest of readManifests(text, file)) manifest.lineAt(['a']);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(SottoError);
          if (thrown instanceof SottoError) expect(thrown.place).toMatchObject({ file, line: expect.any(Number) });
        }
      }),
      { numRuns: 2000 },
    );
  });
});
