import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type AgeIdentity, parseAgeIdentities } from '../../src/sops/age.ts';
import { openForChange } from '../../src/sops/change.ts';
import { decryptSops } from '../../src/sops/decrypt.ts';
import { encryptSops } from '../../src/sops/encrypt.ts';
import type { Selector } from '../../src/sops/selector.ts';
import { withoutValue, withValue } from '../../src/sops/value-edit.ts';
import { refusal } from '../sops/fixtures.ts';
import { describeReal } from '../harness/real.ts';
import { newAgeKeyPair, stockOutput } from '../harness/stock.ts';

const EVERY_KIND = `base: &base
  x: 1
  s: |
    two
    lines
  plain: a, b] {c
  when: 2024-01-01
  tagged: !!str 12
  own: !mine text
  number: !!float "3"
  none: ~
  empty: ""
  odd: "bell\\a nel\\N é 😀"
  inner: &inner [1, yes, null, 0777, 1.50, {k: v}]
copy: *base
again: *inner
list: [*base, 2]
d:
  <<: *base
  y: 3
scalar: &scalar "q: x"
same: *scalar
*scalar : as a key
m:
  <<: [*base, *base]
---
second: &x y
alias: *x
`;

const SELECTORS: readonly (Selector | undefined)[] = [
  undefined,
  { kind: 'encrypted_regex', value: '^copy$' },
  { kind: 'encrypted_regex', value: '^base$' },
  { kind: 'encrypted_regex', value: '^(again|same|y)$' },
  { kind: 'unencrypted_regex', value: '^(base|d|second)$' },
  { kind: 'encrypted_suffix', value: 's' },
];

const NODE = fc.letrec<{ node: string; leaf: string }>((tie) => ({
  leaf: fc.constantFrom('1', 'x', '"a, b"', '~', "''", '2.50', 'true', '2024-01-01'),
  node: fc.oneof(
    { maxDepth: 3 },
    tie('leaf'),
    fc.array(tie('node'), { maxLength: 3 }).map((items) => `[${items.join(', ')}]`),
    fc
      .uniqueArray(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), tie('node')), {
        selector: ([key]) => key,
        maxLength: 3,
      })
      .map((entries) => `{${entries.map(([key, value]) => `${key}: ${value}`).join(', ')}}`),
  ),
})).node;

describeReal('a file with aliases', ['sops', 'age-keygen'], () => {
  let folder: string;
  let recipient: string;
  let env: Record<string, string>;
  let identities: readonly AgeIdentity[];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sotto-aliases-'));
    const pair = await newAgeKeyPair();
    recipient = pair.recipient;
    env = { HOME: folder, SOPS_AGE_KEY: pair.identity };
    identities = parseAgeIdentities(Buffer.from(pair.identity));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const stock = async (...args: readonly string[]): Promise<string> =>
    (await stockOutput('sops', args, { env, cwd: folder })).toString();
  const put = (text: string): void => writeFileSync(join(folder, 'f.yaml'), text);

  function sealed(text: string, selector: Selector | undefined): Promise<string> {
    return encryptSops(text, { format: 'yaml', file: 'f.yaml', recipients: [recipient], selector, now: new Date() });
  }

  async function opened(text: string): Promise<string> {
    using clear = await decryptSops(text, 'yaml', 'f.yaml', identities);
    return Buffer.from(clear.reveal()).toString();
  }

  async function byStock(clear: string, selector: Selector | undefined): Promise<string> {
    put(clear);
    const flag = selector === undefined ? [] : [`--${selector.kind.replaceAll('_', '-')}`, selector.value];
    put(await stock('encrypt', '--age', recipient, ...flag, 'f.yaml'));
    return stock('decrypt', 'f.yaml');
  }

  it.each(SELECTORS.map((each) => [each?.value ?? 'everything', each] as const))(
    'is encrypted to what sops makes of it: %s',
    async (_, selector) => {
      const wanted = await byStock(EVERY_KIND, selector);
      const bySotto = await sealed(EVERY_KIND, selector);
      put(bySotto);
      expect(await stock('decrypt', 'f.yaml')).toBe(wanted);
      expect(await byStock(await opened(bySotto), selector)).toBe(wanted);
      put(bySotto);
      await stock('rotate', '-i', 'f.yaml');
      await stock('set', 'f.yaml', '["scalar"]', '"new"');
      expect(await opened(readFileSync(join(folder, 'f.yaml'), 'utf8'))).toContain('scalar: new');
    },
  );

  it('keeps the aliases that stand for nothing encrypted', async () => {
    const clear = 'open: &o {a: 1, b: [2]}\ncopy: *o\ndata: &d\n  k: v\nmore: *d\n';
    const selector: Selector = { kind: 'encrypted_regex', value: '^data$' };
    const text = await sealed(clear, selector);
    expect(text).toContain('copy: *o\n');
    expect(text).toContain('more: {"k": "v"}\n');
    expect(await opened(text)).toBe(clear.replace('*d', '{"k": "v"}'));
    put(text);
    expect(await stock('decrypt', 'f.yaml')).toBe(await byStock(clear, selector));
  });

  it('may get aliases by a change, and keeps the ciphertext of everything else', async () => {
    const text = await sealed('a: x\nb: y\n', undefined);
    using open = await openForChange(text, 'yaml', 'f.yaml', identities);
    const changed = await open.sealed(Buffer.from('a: &a x\nb: y\nc: *a\n'), new Date());
    for (const line of text.split('\n').slice(0, 2)) expect(changed).toContain(line.replace('a: ', 'a: '));
    put(changed);
    expect(await stock('decrypt', 'f.yaml')).toBe('a: x\nb: "y"\nc: x\n');
  });

  it('is any file at all: what stock sops opens is the same', async () => {
    await fc.assert(
      fc.asyncProperty(NODE, NODE, fc.constantFrom(...SELECTORS), async (first, second, selector) => {
        const clear = `base: &p ${first}\nnext: &q {in: ${second}, s: *p}\ncopy: [*q, *p]\nagain:\n  x: *p\n  y: *q\nlast: 1\n`;
        const wanted = await byStock(clear, selector);
        put(await sealed(clear, selector));
        expect(await stock('decrypt', 'f.yaml')).toBe(wanted);
      }),
      { numRuns: 25 },
    );
  });

  it('is refused when what aliases stand for would grow too large, and in no other way', async () => {
    const large = `a: &a ${'x'.repeat(1_000_000)}\nl: [${Array(20).fill('*a').join(', ')}]\n`;
    expect(await refusal(() => sealed(large, undefined))).toEqual({ code: 'SOTTO-SOPS-015', line: 1 });
    const larger = `a: &a ${'x'.repeat(1_000_000)}\nl: [${Array(100).fill('*a').join(',')}]\n`;
    expect((await refusal(() => sealed(larger, undefined))).code).toBe('SOTTO-YAML-014');
    const bomb = `a: &a [1,1,1,1,1,1,1,1,1]\n${Array.from('bcdefghi', (name, at) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[at]}`).join(',')}]\n`).join('')}`;
    expect((await refusal(() => sealed(bomb, undefined))).code).toMatch(/^SOTTO-YAML-/);
  });

  it('is refused where comments choose, and where a single value is changed', async () => {
    const comments: Selector = { kind: 'encrypted_comment_regex', value: 'x' };
    expect((await refusal(() => sealed('a: &a 1\nb: *a\n', comments))).code).toBe('SOTTO-SOPS-009');
    const clear = { text: 'a: &a {b: 1}\nc: *a\n', format: 'yaml' as const, file: 'f', document: 1 };
    const value = { kind: 'text' as const, bytes: Buffer.from('x') };
    expect((await refusal(() => withValue(clear, ['c', 'b'], value))).code).toBe('SOTTO-SOPS-057');
    expect((await refusal(() => withoutValue(clear, ['c']))).code).toBe('SOTTO-SOPS-057');
  });
});
