import * as fc from 'fast-check';
import { beforeAll, expect, it } from 'vitest';
import { decryptFile, openForChange } from '../../src/sops/change.ts';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import { listValues } from '../../src/sops/list-values.ts';
import type { WholeFormat } from '../../src/sops/scalar.ts';
import { type KeyPair, newKeyPair, valueOrCode } from './fixtures.ts';

const CLEAR: readonly (readonly [WholeFormat, string])[] = [
  ['yaml', '# c\na: one\nb: [x, {c: 2}]\nd: |\n  t\n---\ne: f\n'],
  ['json', '{"a": "one", "b": [1, {"c": null}]}\n'],
  ['dotenv', '# c\nA=1\nB=2\n'],
  ['ini', 'top=1\n[s]\n; c\na = `x;y`\nb_unencrypted = two\n'],
  ['binary', 'bytes'],
];
const VALUES: Partial<Record<WholeFormat, readonly string[]>> = {
  yaml: ['one', 't', 'f'],
  json: ['one', '1'],
  dotenv: ['1', '2'],
  ini: ['1', 'x;y', 'two'],
  binary: ['bytes'],
};
let pair: KeyPair;
const sealed = new Map<WholeFormat, string>();

beforeAll(async () => {
  pair = await newKeyPair();
  for (const [format, text] of CLEAR) {
    const options = { format, file: 'f', recipients: [pair.recipient], now: new Date() };
    sealed.set(format, await encryptFile(Buffer.from(text), options));
  }
});

const PIECE = fc.oneof(
  fc.string({ maxLength: 6 }),
  fc.constantFrom(
    '\n',
    ': ',
    '- ',
    '"',
    '{',
    ']',
    '#',
    '&a *a',
    '|',
    'ENC[',
    '---\n',
    'sops',
    '`',
    ';',
    '"""',
    '\\\n',
    '[s]\n',
    '=',
  ),
);

it.each(CLEAR)('a damaged %s file opens to what it was or ends in a code', async (format) => {
  const text = sealed.get(format) ?? '';
  await fc.assert(
    fc.asyncProperty(fc.nat(text.length), fc.nat(12), PIECE, async (at, length, piece) => {
      const damaged = text.slice(0, at) + piece + text.slice(at + length);
      await valueOrCode(() => listValues(damaged, format, 'f'));
      await valueOrCode(async () => {
        using opened = await decryptFile(damaged, format, 'f', pair.identities);
        // The MAC fits, so the values are what they were: what may differ is layout, comments and what is empty.
        for (const value of VALUES[format] ?? []) {
          expect(Buffer.from(opened.reveal()).toString()).toContain(value);
        }
      });
    }),
    { numRuns: 300 },
  );
});

it.each(CLEAR)('any text put into a %s file is sealed or ends in a code', async (format, clear) => {
  using file = await openForChange(sealed.get(format) ?? '', format, 'f', pair.identities);
  await fc.assert(
    fc.asyncProperty(
      fc.nat(clear.length),
      fc.nat(12),
      fc.array(PIECE, { maxLength: 3 }),
      async (at, length, pieces) => {
        const changed = Buffer.from(clear.slice(0, at) + pieces.join('') + clear.slice(at + length));
        await valueOrCode(async () => {
          const text = await file.sealed(changed, new Date());
          using again = await decryptFile(text, format, 'f', pair.identities);
          if (format === 'binary') expect(Buffer.from(again.reveal())).toEqual(changed);
          expect(text).toContain('lastmodified');
        });
      },
    ),
    { numRuns: 300 },
  );
});
