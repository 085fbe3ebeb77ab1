import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { ClosedObject } from '../../src/core/closed.ts';
import type { SourceDigest } from '../../src/core/ids.ts';
import { canonicalJson, type Json, memberAt, parseJson, stringAt, stringifyJson } from '../../src/core/json.ts';
import { substitute } from '../../src/render/substitute/substitute.ts';
import { describeReal } from '../harness/real.ts';
import { stockOutput } from '../harness/stock.ts';

interface Case {
  readonly object: ClosedObject & Json;
  readonly variables: Readonly<Record<string, string>>;
}

async function ofFlux(cases: readonly Case[]): Promise<readonly Json[]> {
  const lines = cases.map(({ object, variables }) => stringifyJson({ object, variables }));
  const output = await stockOutput('flux-substitute', [], { stdin: lines.join('\n') });
  return output.toString().trim().split('\n').map(parseJson);
}

/** The object as it became, or the code. */
function ofSotto({ object, variables }: Case): ClosedObject | string {
  const values = Object.entries(variables).map(([name, value]): [string, string] => [name, value.replaceAll('\n', '')]);
  const { objects, refused } = substitute([{ tree: object, digest: '' as SourceDigest }], new Map(values));
  return refused[0]?.error.code ?? objects[0]?.tree ?? 'nothing';
}

// Of a next line in clear, Flux makes a blank before it looks for variables (it reads JSON as YAML), so none is here.
const LETTERS = ['a', 'b', ' ', '-', ':', ': ', ' #', '#', '"', "'", '\n', '\t', '\\', '$', '{', '}', '/', '1', '0'];
const SIGNS = ['é', '😀', '.', '*', '?', '&', '!', '|', '>', '%', '@', '`', ',', '[', ']', 'null', 'true', '\u00a0'];
const USED = ['${x}', '${y}', '${n}', '$${x}', '$$', '${x:=d}', '${u:=d e}', '${u:-}', '${x=d}', '${u=${y}z}', '${#x}'];
const CASED = ['${x^}', '${x^^}', '${x,}', '${x,,}', '${x:1}', '${x:1:2}', '${x:0:-1}', '${x:${n}}', '${1:=k}'];
const TRIMMED = ['${x#a}', '${x##*b}', '${x%b}', '${x%%b*}', '${x#[a-c]}', '${x##*[^b]}', '${x#${y}}', '${x#?}'];
const REPLACED = ['${x/a/b}', '${x//a/}', '${x/#a/Z}', '${x/%b/Z}', '${x/\\//-}', '${x/${y}/b}', '${x/a/$$}'];
const QUOTED = ['${q}${n}${q}', '${q}${x}${q}'];
const WRONG = ['${u}', '${x', '${x-d}', '${}', '${x[0]}', '${x/a}', '${x^,}', '${#}'];
const FITTING = [...USED, ...CASED, ...TRIMMED, ...REPLACED, ...QUOTED];

const text = fc
  .array(fc.constantFrom(...LETTERS, ...SIGNS, ...FITTING, ...FITTING, ...WRONG), { maxLength: 5 })
  .map((parts) => parts.join(''));
const PARTS = [
  'a',
  'b',
  'c',
  'ab',
  '1',
  '0',
  'é',
  'yes',
  'null',
  '1.5',
  '0x1f',
  '2024-01-02',
  '${y}',
  '.',
  '/',
  '-',
  '~',
];
const ODD_PARTS = [
  ' ',
  ':',
  ': ',
  ' #',
  '"',
  "'",
  '\\',
  '\\n',
  '*',
  '&',
  '!',
  '[',
  ']',
  '{',
  '}',
  ',',
  '|',
  '%',
  '@',
  '\n',
];
const value = fc
  .array(fc.constantFrom(...PARTS, ...PARTS, ...ODD_PARTS), { maxLength: 4 })
  .map((parts) => parts.join(''));
const WORDS = ['1', 'true', 'null', '', '1e3', '010', '12:30', '.5', 'abc', '0b11', '1_000', '9223372036854775808'];
const variables = fc.record({
  x: value,
  y: value,
  n: fc.constantFrom(...WORDS, '+1', '-0', '0o17', 'on', 'N', '~', '-.5', '1.', 'y'),
  q: fc.constantFrom('"', "'", ''),
});
const object = fc.oneof(
  text.map((each): ClosedObject & Json => ({ map: { [`k${each}`]: 'v' } })),
  text.map((each): ClosedObject & Json => ({ list: [each], map: { in: { deep: each } } })),
);
const anyCase: fc.Arbitrary<Case> = fc.record({ object, variables });

/** Flux counts bytes where a pattern takes one character, and leaves a part of it. */
function isCut(answer: Json): boolean {
  return stringAt(answer, 'text')?.includes('\ufffd') === true;
}

const RUNS = 20_000;
const CODE = /^SOTTO-RENDER-07\d$/;

describeReal('variables', ['flux-substitute'], () => {
  it('make of any object what Flux makes of it, or are refused', async () => {
    const cases = fc.sample(anyCase, RUNS);
    const answers = await ofFlux(cases);
    let same = 0;
    const wrong = cases.flatMap((each, index) => {
      const answer = answers[index] ?? null;
      const ours = ofSotto(each);
      if (typeof ours === 'string') return CODE.test(ours) ? [] : [[each, ours]];
      const theirs = memberAt(answer, 'object');
      if (isCut(answer)) return [];
      if (theirs !== undefined && canonicalJson(theirs) === canonicalJson(ours as Json)) same += 1;
      else return [[each, ours, answer]];
      return [];
    });
    expect(wrong.slice(0, 3)).toEqual([]);
    expect(same).toBeGreaterThan(RUNS / 2);
  });

  it('are refused where Flux refuses them, whatever the reason', async () => {
    const cases = fc.sample(anyCase, RUNS);
    const answers = await ofFlux(cases);
    const failed = cases.filter((_, index) => {
      const answer = answers[index] ?? null;
      return stringAt(answer, 'error') !== undefined && !isCut(answer);
    });
    expect(failed.length).toBeGreaterThan(1000);
    expect(failed.filter((each) => typeof ofSotto(each) !== 'string').slice(0, 3)).toEqual([]);
  });

  it('are refused nowhere where Flux takes them, as long as values are words and numbers', async () => {
    const plain = fc.record({
      object: fc
        .array(fc.constantFrom('a', ' ', '-', '.', '/', 'é', '1', ...FITTING), { maxLength: 5 })
        .map((parts): ClosedObject & Json => ({ k: parts.join('') })),
      variables: fc.record({
        x: fc.stringMatching(/^[a-z]([-a-z0-9./]{0,10}[a-z0-9])?$/),
        y: fc.stringMatching(/^[a-z]{1,5}$/),
        n: fc.constantFrom('0', '1', '2'),
        q: fc.constantFrom('"', "'"),
      }),
    });
    const cases = fc.sample(plain, RUNS);
    const answers = await ofFlux(cases);
    const stricter = cases.filter(
      (each, index) => memberAt(answers[index] ?? null, 'object') !== undefined && typeof ofSotto(each) === 'string',
    );
    expect(stricter.slice(0, 3)).toEqual([]);
  });
});
