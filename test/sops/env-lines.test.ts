import { describe, expect, it } from 'vitest';
import { envVariables } from '../../src/sops/env-lines.ts';
import { refusal } from './fixtures.ts';

function read(text: string | Uint8Array): string[] {
  const bytes = Buffer.from(text);
  return envVariables(bytes, 'a.env').map(
    ({ key, line, start, end }) => `${line} ${key}=${bytes.toString('utf8', start, end)}`,
  );
}

describe('an env file', () => {
  it('is read as kustomize reads it: nothing is unquoted or trimmed', () => {
    expect(read('\ufeffA=x\r\n# comment\n\n  B="q" \n\u00a0\tC=a=b\n#D=x\nE=\n_f.g-h=\r')).toEqual([
      '1 A=x',
      '4 B="q" ',
      '5 C=a=b',
      '7 E=',
      '8 _f.g-h=',
    ]);
  });

  it.each([
    ['a line without an equals sign', 'A=x\nMIIEvQIBADAN\n', 2],
    ['a name that is none', 'MIIE/vQ==\n', 1],
    ['a byte order mark further down', 'A=x\n\ufeffB=y\n', 2],
    ['a name that starts with a digit', '1A=x\n', 1],
    ['a name of points', '..=x\n', 1],
    ['no name', '=x\n', 1],
    ['bytes that are no text', Uint8Array.from([65, 61, 255, 10]), 1],
  ])('with %s is refused', async (_name, text, line) => {
    expect(await refusal(() => read(text))).toEqual({ code: 'SOTTO-RENDER-040', line });
  });

  it('with a line of 64 KiB is refused, and one byte less is read', async () => {
    expect(read(`A=${'x'.repeat(65_533)}\nB=y\n`)).toHaveLength(2);
    expect(await refusal(() => read(`A=${'x'.repeat(65_534)}\nB=y\n`))).toEqual({ code: 'SOTTO-RENDER-041', line: 1 });
  });
});
