import { describe, expect, it } from 'vitest';
import { SottoError } from '../../src/core/errors.ts';
import { parseDocuments } from '../../src/sops/file.ts';
import { type SopsFormat, sopsScalar } from '../../src/sops/scalar.ts';
import { entryOf } from '../../src/yaml/tree.ts';

function read(scalar: string, format: SopsFormat = 'yaml'): string {
  const text = format === 'json' ? `{"v": ${scalar}}` : `v: ${scalar}\n`;
  const [document] = parseDocuments(text, format, 'a');
  const node = document === undefined ? undefined : entryOf(document.root, 'v')?.value;
  if (node?.kind !== 'scalar') throw new Error('no scalar');
  const value = sopsScalar(node, format, 'a');
  return value.type === 'null' ? 'null' : `${value.type} ${value.text}`;
}

describe('a clear YAML scalar as sops types it', () => {
  it.each([
    ['TRUE', 'bool True'],
    ['False', 'bool False'],
    ['yes', 'str yes'],
    ['~', 'null'],
    ['0777', 'int 511'],
    ['08', 'float 8'],
    ['1_000', 'int 1000'],
    ['0b11', 'int 3'],
    ['0o17', 'int 15'],
    ['-0x1F', 'int -31'],
    ['-0', 'int 0'],
    ['9223372036854775807', 'int 9223372036854775807'],
    ['18446744073709551616', 'float 18446744073709552000'],
    ['1.0', 'float 1'],
    ['2.50', 'float 2.5'],
    ['1e3', 'float 1000'],
    ['1e21', 'float 1000000000000000000000'],
    ['1e-7', 'float 0.0000001'],
    ['-0.0', 'float -0'],
    ['123456789.123456789', 'float 123456789.12345679'],
    ['.5', 'float 0.5'],
    ['5.', 'float 5'],
    ['.inf', 'float +Inf'],
    ['-.INF', 'float -Inf'],
    ['.nan', 'float NaN'],
    ['190:20:30', 'str 190:20:30'],
    ['2024-01-01', 'time 2024-01-01T00:00:00Z'],
    ['2001-12-14t21:59:43.10-05:00', 'time 2001-12-14T21:59:43.1-05:00'],
    ['2001-12-14 21:59:43.10', 'time 2001-12-14T21:59:43.1Z'],
    ['2001-12-14 21:59:43.10 -5', 'str 2001-12-14 21:59:43.10 -5'],
    ['2023-02-29', 'str 2023-02-29'],
    ['2001-1-2T3:4:5+00:00', 'time 2001-01-02T03:04:05Z'],
    ['"7"', 'str 7'],
    ['!!str 7', 'str 7'],
    ['!!int "3"', 'int 3'],
    ['!!float 3', 'float 3'],
    ['!foo 7', 'str 7'],
    ['!!binary aGk=', 'str hi'],
    ['!!timestamp 2024-01-01', 'time 2024-01-01T00:00:00Z'],
    ['<<', 'str <<'],
  ])('%s', (scalar, expected) => {
    expect(read(scalar)).toBe(expected);
  });

  it.each([
    ['9223372036854775808', 'SOTTO-SOPS-017'],
    ['!!int x', 'SOTTO-YAML-011'],
    ['!!bool yes', 'SOTTO-YAML-011'],
  ])('%s is refused', (scalar, code) => {
    expect(() => read(scalar)).toThrow(expect.objectContaining({ code }));
    expect(() => read(scalar)).toThrow(SottoError);
  });
});

describe('a JSON value as sops types it', () => {
  it.each([
    ['7', 'int 7'],
    ['9007199254740993', 'int 9007199254740993'],
    ['9223372036854775808', 'float 9223372036854776000'],
    ['1.0', 'float 1'],
    ['1e3', 'float 1000'],
    ['true', 'bool True'],
    ['null', 'null'],
    ['"2024-01-01"', 'str 2024-01-01'],
    ['"\\u0041"', 'str A'],
  ])('%s', (scalar, expected) => {
    expect(read(scalar, 'json')).toBe(expected);
  });
});
