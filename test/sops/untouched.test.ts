import * as fc from 'fast-check';
import { beforeAll, expect, it } from 'vitest';
import { openForChange } from '../../src/sops/change.ts';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import type { KeyPath } from '../../src/sops/key-path.ts';
import type { WholeFormat } from '../../src/sops/scalar.ts';
import { withoutValue, withValue } from '../../src/sops/value-edit.ts';
import { type KeyPair, newKeyPair } from './fixtures.ts';

let pair: KeyPair;
beforeAll(async () => {
  pair = await newKeyPair();
});

const NAMES = ['alpha', 'beta', 'gamma', 'delta'] as const;
type Name = (typeof NAMES)[number];
const VALUE = fc.stringMatching(/^[a-zA-Z0-9 ]{1,20}$/).filter((each) => each.trim() === each);

interface Layout {
  readonly format: WholeFormat;
  readonly text: (values: readonly string[]) => string;
  readonly path: (name: Name) => KeyPath;
}

const LAYOUTS: readonly Layout[] = [
  {
    format: 'yaml',
    text: (values) =>
      `# head\nstringData:\n${NAMES.map((name, at) => `  ${name}:   "${values[at]}"   # beside\n`).join('')}\nlast: [x, x]\n`,
    path: (name) => ['stringData', name],
  },
  {
    format: 'json',
    text: (values) =>
      `{\n "o":{\n ${NAMES.map((name, at) => `"${name}" :"${values[at]}"`).join(',\n ')}},\n "last": ["x", "x"]\n}\n`,
    path: (name) => ['o', name],
  },
  {
    format: 'dotenv',
    text: (values) => `# head\n\n${NAMES.map((name, at) => `${name}=${values[at]}\n`).join('\n')}LAST=x\nLAST=x\n`,
    path: (name) => [name],
  },
  {
    format: 'ini',
    text: (values) =>
      `; head\n[s]\n${NAMES.map((name, at) => `${name} = ${values[at]}\n`).join('')}\n; other\n[t]\nlast = x\n`,
    path: (name) => ['s', name],
  },
];

/** Lines of one text that the other has not in this order. */
function differing(some: string, others: string): string[] {
  const lines = others.split('\n');
  let at = 0;
  return some.split('\n').filter((line) => {
    const found = lines.indexOf(line, at);
    if (found !== -1) at = found + 1;
    return found === -1;
  });
}

const isTouched = (name: string) => (line: string) =>
  new RegExp(`^\\W*(?:sops_)?(?:${name}|mac|lastmodified)\\b`).test(line);

it.each(LAYOUTS)('a value set in a $format file leaves every other byte as it was', async ({ format, text, path }) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(VALUE, { minLength: 4, maxLength: 4 }),
      fc.constantFrom(...NAMES),
      VALUE,
      async (values, name, value) => {
        const options = { format, file: 'f', recipients: [pair.recipient], now: new Date('2026-01-02T03:04:05Z') };
        const before = await encryptFile(Buffer.from(text(values)), options);
        using opened = await openForChange(before, format, 'f', pair.identities);
        const clear = { text: Buffer.from(opened.clear.reveal()).toString(), format, file: 'f', document: 1 };
        const set = withValue(clear, path(name), { kind: 'text', bytes: Buffer.from(`${value}!`) });
        const now = new Date('2026-02-03T04:05:06Z');
        const after = await opened.sealed(Buffer.from(set), now);
        expect(differing(after, before).filter((line) => !isTouched(name)(line))).toEqual([]);
        expect(differing(before, after).filter((line) => !isTouched(name)(line))).toEqual([]);
        const without = await opened.sealed(Buffer.from(withoutValue(clear, path(name))), now);
        expect(differing(without, before).filter((line) => !isTouched('')(line) && !/^\W*last\b/.test(line))).toEqual(
          [],
        );
        expect(await opened.sealed(Buffer.from(clear.text), new Date('2026-01-02T03:04:05Z'))).toHaveLength(
          before.length,
        );
      },
    ),
    { numRuns: 40 },
  );
});

it('a changed binary file keeps its block but for the time and the MAC', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 1, maxLength: 60 }),
      fc.uint8Array({ minLength: 1, maxLength: 60 }),
      async (bytes, other) => {
        const options = { format: 'binary' as const, file: 'f', recipients: [pair.recipient], now: new Date() };
        const before = await encryptFile(bytes, options);
        using opened = await openForChange(before, 'binary', 'f', pair.identities);
        const after = await opened.sealed(other, new Date('2026-02-03T04:05:06Z'));
        expect(differing(after, before).filter((line) => !isTouched('data')(line))).toEqual([]);
      },
    ),
    { numRuns: 40 },
  );
});
