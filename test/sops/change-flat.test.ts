import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { openForChange } from '../../src/sops/change.ts';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import type { WholeFormat } from '../../src/sops/scalar.ts';
import { type KeyPair, newKeyPair, refusal } from './fixtures.ts';

let pair: KeyPair;
beforeAll(async () => {
  pair = await newKeyPair();
});

const encrypt = (clear: Uint8Array | string, format: WholeFormat): Promise<string> =>
  encryptFile(Buffer.from(clear), { format, file: 'f', recipients: [pair.recipient], now: new Date() });

async function open(sealed: string, format: WholeFormat): Promise<Buffer> {
  using file = await openForChange(sealed, format, 'f', pair.identities);
  return Buffer.from(file.clear.reveal());
}

async function change(sealed: string, format: WholeFormat, edit: (clear: string) => string): Promise<string> {
  using file = await openForChange(sealed, format, 'f', pair.identities);
  return await file.sealed(Buffer.from(edit(Buffer.from(file.clear.reveal()).toString())), new Date('2026-06-07'));
}

const changed = (before: string, after: string): string[] => {
  const old = new Set(before.split('\n'));
  return after.split('\n').filter((line) => !old.has(line));
};

describe('a dotenv file', () => {
  const text = '# comment\nA=1\n\nB="quoted" \n#\nC=\nD=line\\nline\nE_unencrypted=clear\n=no name\nA=2\n';

  it('comes back as it was, empty lines and duplicates too', async () => {
    const sealed = await encrypt(text, 'dotenv');
    expect(sealed).toMatch(/^#ENC\[.*\nA=ENC\[.*\n\nB=ENC\[.*\n#\nC=\nD=ENC\[.*\nE_unencrypted=clear\n=ENC\[.*\nA=ENC/);
    expect((await open(sealed, 'dotenv')).toString()).toBe(text);
  });

  it('of which a value was changed has every other line as it was', async () => {
    const sealed = await encrypt(text, 'dotenv');
    const after = await change(sealed, 'dotenv', (clear) =>
      clear.replace('"quoted" ', 'new').replace('# comment\n', ''),
    );
    expect(changed(sealed, after).map((line) => line.replace(/=.*/, ''))).toEqual([
      'B',
      'sops_lastmodified',
      'sops_mac',
    ]);
    expect((await open(after, 'dotenv')).toString()).toContain('B=new\n#\n');
  });

  it('of any lines comes back as it was, or is refused', async () => {
    const line = fc.oneof(
      fc.tuple(fc.string({ maxLength: 5 }), fc.string({ unit: 'grapheme' })).map(([key, value]) => `${key}=${value}`),
      fc.string({ unit: 'grapheme' }).map((comment) => `#${comment}`),
      fc.constantFrom('', 'x', ' ', 'sops_mac=x', 'A=a\\nb'),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(line), async (lines) => {
        const clear = lines.map((each) => `${each.replaceAll('\n', ' ')}\n`).join('');
        const { code } = await refusal(async () => {
          expect((await open(await encrypt(clear, 'dotenv'), 'dotenv')).toString()).toBe(clear);
        });
        expect(code).toMatch(/^(none|SOTTO-SOPS-0(16|22))$/);
      }),
      { numRuns: 100 },
    );
  });
});

describe('a binary file', () => {
  it('of any bytes comes back as it was, changed too', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), fc.uint8Array({ maxLength: 64 }), async (bytes, other) => {
        const sealed = await encrypt(bytes, 'binary');
        expect(await open(sealed, 'binary')).toEqual(Buffer.from(bytes));
        using file = await openForChange(sealed, 'binary', 'f', pair.identities);
        const after = await file.sealed(other, new Date());
        expect(await open(after, 'binary')).toEqual(Buffer.from(other));
        expect(changed(sealed, after).every((line) => /"(data|mac|lastmodified)": /.test(line))).toBe(true);
      }),
      { numRuns: 40 },
    );
  });
});

describe('an INI file', () => {
  it.each([
    ['a value of the first is changed', 'a = 1', 'a = new', ['a', 'mac']],
    ['a value of the first is taken out', 'b = 2\n', '', ['mac']],
    ['the comment of the first is taken out', '; c\n', '', ['mac']],
  ])('with two sections of one name and content keeps the second as it is when %s', async (_, gone, by, lines) => {
    const section = '[s]\n; c\na = 1\nb = 2\n';
    const sealed = await encrypt(`${section}[t]\nd = 3\n${section}`, 'ini');
    const after = await change(sealed, 'ini', (clear) => clear.replace(gone, by));
    expect(lastSection(after)).toBe(lastSection(sealed));
    const names = changed(sealed, after).map((line) => line.replace(/ *=.*/, ''));
    expect(names.filter((name) => name !== 'lastmodified')).toEqual(lines);
  });
});

function lastSection(sealed: string): string {
  return sealed.slice(sealed.lastIndexOf('[s]'), sealed.indexOf('[sops]'));
}
