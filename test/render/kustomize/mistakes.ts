import * as fc from 'fast-check';

interface Mistake {
  readonly at: number;
  readonly cut: number;
  readonly insert: string;
}

const INSERTS = '|{|}|[|]|"|&a |*a|<<: |../|~|!!int |: |\t|\u0000'
  .split('|')
  .concat('\n', '\n- ', '---\n', 'sops:\n  x: 1\n');

export const MISTAKES: fc.Arbitrary<readonly Mistake[]> = fc.array(
  fc.record({ at: fc.nat({ max: 2_000 }), cut: fc.nat({ max: 12 }), insert: fc.constantFrom(...INSERTS) }),
  { minLength: 1, maxLength: 3 },
);

/** A text with pieces cut out and put in. */
export function withMistakes(text: string, mistakes: readonly Mistake[]): string {
  return mistakes.reduce((before, { at, cut, insert }) => {
    const from = at % before.length;
    return before.slice(0, from) + insert + before.slice(from + cut);
  }, text);
}
