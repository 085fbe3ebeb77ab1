import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { SottoError } from '../../src/core/errors.ts';
import { convertClear } from '../../src/sops/convert-clear.ts';
import type { WholeFormat } from '../../src/sops/scalar.ts';

const FORMATS = ['yaml', 'json', 'dotenv', 'ini', 'binary'] as const;

function convert(text: string, from: WholeFormat, to: WholeFormat): string {
  return Buffer.from(convertClear(Buffer.from(text), from, to, 'f')).toString('utf8');
}

const aName = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_.]{0,9}$/).filter((each) => !each.startsWith('sops_'));
const value = fc.string({ unit: 'grapheme', maxLength: 30 });

it('what one format says, another says the same or it is refused: variables through YAML and JSON', () => {
  fc.assert(
    fc.property(fc.dictionary(aName, value, { maxKeys: 8 }), (variables) => {
      const source = `${JSON.stringify(variables)}\n`;
      let env: string;
      try {
        env = convert(source, 'json', 'dotenv');
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(SottoError);
        return;
      }
      expect(JSON.parse(convert(env, 'dotenv', 'json'))).toEqual(variables);
      const yaml = refusedOr(() => convert(env, 'dotenv', 'yaml'));
      if (yaml !== undefined) expect(JSON.parse(convert(yaml, 'yaml', 'json'))).toEqual(variables);
    }),
  );
});

it('what one format says, another says the same or it is refused: sections through INI', () => {
  const sections = fc.dictionary(aName, fc.dictionary(aName, value, { minKeys: 1, maxKeys: 4 }), { maxKeys: 4 });
  fc.assert(
    fc.property(sections, (tree) => {
      const ini = refusedOr(() => convert(JSON.stringify(tree), 'json', 'ini'));
      if (ini === undefined) return;
      const { DEFAULT, ...rest } = JSON.parse(convert(ini, 'ini', 'json')) as Record<string, unknown>;
      expect(DEFAULT ?? {}).toEqual(tree['DEFAULT'] ?? {});
      expect({ ...rest, ...('DEFAULT' in tree ? { DEFAULT } : {}) }).toEqual(tree);
    }),
  );
});

it('no content of any format ends in anything but a result or a coded error', () => {
  const format = fc.constantFrom(...FORMATS);
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 80 }),
    fc
      .array(fc.constantFrom('a: ', 'b=', '[s]', '{', '}', '"x"', '\n', '# c', '- ', '1', '&a ', '*a', '<<: ', 'sops'))
      .map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, format, format, (content, from, to) => {
      refusedOr(() => convert(content, from, to));
    }),
    { numRuns: 2000 },
  );
});

function refusedOr<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(SottoError);
    return undefined;
  }
}
