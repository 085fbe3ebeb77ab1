import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../../src/core/json.ts';
import { canonicalYaml } from '../../../src/render/kustomize/canonical.ts';
import { readNodes, readValues } from '../../../src/render/kustomize/documents.ts';

function read(text: string) {
  return readValues(readNodes(new TextEncoder().encode(text), 'a.yaml'), 'a.yaml');
}

function rewritten(text: string): string {
  return read(text)
    .map(({ root }) => canonicalYaml(root))
    .join('\n---\n');
}

describe('the canonical form', () => {
  it('is one line with the same value, for any value', () => {
    const value = fc.letrec<{ json: Json }>((tie) => ({
      json: fc.oneof(
        { maxDepth: 4 },
        fc.string({ unit: 'grapheme' }),
        fc.string({ unit: fc.constantFrom(...Array.from('\u0085\u2028\ufeff\u0000\u007f\n\r\t"\\: #-?{[&*!|>%@`~')) }),
        fc.constantFrom('y', 'null', '0123', '1e3', '2001-01-01', '<<', '', '.inf'),
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('json'), { maxLength: 4 }),
        fc.dictionary(fc.string(), tie('json'), { maxKeys: 4 }),
      ),
    })).json;
    fc.assert(
      fc.property(value, (json) => {
        const text = JSON.stringify({ json }).replace(/[\u007f-\u009f\u2028\u2029\ufeff]/g, escaped);
        const once = rewritten(text);
        expect(once).not.toMatch(/[\n\r\u0085\u2028\u2029]/);
        expect(read(once).map((document) => document.value)).toEqual([{ json }]);
        expect(rewritten(once)).toBe(once);
      }),
      { seed: 20_261_128, numRuns: 2_000 },
    );
  });

  it.each([
    ['a: &x [1, 0123, 1_0, .5]\nb: *x', '{a: [1, 0123, 1_0, .5], b: [1, 0123, 1_0, .5]}'],
    ['a: {x: y}\n<<: {b: no, "c": "no"}', '{a: {x: y}, <<: {b: no, "c": "no"}}'],
    ['a: !!str 1\nb: !!binary aGk=\nc: !x z\nd:\ne: ~', '{a: !!str 1, b: !!binary "aGk=", c: z, d: null, e: ~}'],
    [
      'a: 2001-12-14t21:59:43.10-05:00\nb: 12:30:45\ny: x y',
      '{a: 2001-12-14t21:59:43.10-05:00, b: 12:30:45, y: "x y"}',
    ],
    ['a: |\n  x\n  y\nb: >-\n  x\n  y', '{a: "x\\ny\\n", b: "x y"}'],
  ])('keeps as it was written what readers see differently: %j', (text, canonical) => {
    expect(rewritten(text)).toBe(canonical);
    expect(read(canonical).map(({ value }) => value)).toEqual(read(text).map(({ value }) => value));
  });
});

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
