import * as fc from 'fast-check';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decryptSops as decryptWithSopsAge } from 'sops-age';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Json } from '../../src/core/json.ts';
import { type AgeIdentity, parseAgeIdentities } from '../../src/sops/age.ts';
import { decryptSops } from '../../src/sops/decrypt.ts';
import { encryptSops, type EncryptOptions } from '../../src/sops/encrypt.ts';
import type { SopsFormat } from '../../src/sops/file.ts';
import { readManifests } from '../../src/yaml/manifest.ts';
import { describeReal } from '../harness/real.ts';
import { type AgeKeyPair, newAgeKeyPair, runStock, type StockRun, stockOutput } from '../harness/stock.ts';

// Every kind of value, comment and layout. What sops reads of it is the same whoever encrypted it.
const ALL_TYPES = `# head, then a blank line

apiVersion: v1 # inline
kind: Secret
metadata:
    # in metadata
    name: db
    labels: {app: db, "8080": port}
i: 7
negative: -0x1F
octal: 0777
big: 9007199254740993
min: -9223372036854775808
f: 2.50
exponent: 1e21
tiny: 1e-7
inf: -.inf
b: TRUE
t: 2024-01-01
time: 2001-12-14t21:59:43.10-05:00
yes: no
nothing: ~
empty: ""
tagged: !!str 12
binary: !!binary aGVsbG8=
custom: !mine text
multi: |-  # behind the header
    line one
      indented

    line three
folded: >
    a
    b
quoted: "tab\\t bell\\a quote\\" é \\u2028 😀"
single: 'it''s'
"key: with #signs": x
list:
    # first in list
    - a # inline in list
    - 12
    - [nested, {deep: 1}]
    - k: v
      # in a mapping of a list
      l: w
    # last in list
same:
- column
- "true"
"0": zero
last_unencrypted: {a: 0777, b: 1_000, c: 1.0, d: yes, e: TRUE, f: 2024-01-01, g: ~, h: .5, i: 0x1F}
# foot
---
second: document
# foot of the second
---
data: {}
third: [1, 2]
`;
const JSON_TYPES = `{
  "a": "<&> \\u2028 é \\ud83d\\ude00 \\/ \\b",
  "i": 9007199254740993,
  "f": 1e3,
  "g": 1.5,
  "h": 9223372036854775808,
  "n": null,
  "e": "",
  "l": [1, true, "x", {"8080": "y"}, []],
  "o": {},
  "p_unencrypted": [1.0, "z"]
}
`;

/** Infinity has no place in a manifest. */
function values(text: string, format: SopsFormat): Json[] {
  return readManifests(text.replaceAll(/: -\.inf$/gm, ': 0'), `a.${format}`).map(({ value }) => value);
}

function comments(text: string): string[] {
  return (text.match(/# [a-z ]+/g) ?? []).toSorted();
}

describeReal('stock sops and sotto', ['sops', 'age', 'age-keygen'], () => {
  let folder: string;
  let pair: AgeKeyPair;
  let other: AgeKeyPair;
  let identities: readonly AgeIdentity[];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sotto-sops-'));
    pair = await newAgeKeyPair();
    other = await newAgeKeyPair();
    identities = parseAgeIdentities(Buffer.from(`# a key file\n${pair.identity}\n`));
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const env = (): Record<string, string> => ({ SOPS_AGE_KEY: pair.identity, HOME: folder });

  function put(name: string, text: string): string {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  }

  function sops(args: readonly string[]): Promise<StockRun> {
    return runStock('sops', args, { env: env(), cwd: folder });
  }

  async function sopsText(args: readonly string[]): Promise<string> {
    return (await stockOutput('sops', args, { env: env(), cwd: folder })).toString();
  }

  async function sottoDecrypt(text: string, format: SopsFormat): Promise<string> {
    using clear = await decryptSops(text, format, 'file', identities);
    return Buffer.from(clear.reveal()).toString();
  }

  function sottoEncrypt(text: string, options: Partial<EncryptOptions> = {}): Promise<string> {
    return encryptSops(text, { format: 'yaml', file: 'f', recipients: [pair.recipient], now: new Date(), ...options });
  }

  const cases: readonly (readonly [SopsFormat, string])[] = [
    ['yaml', ALL_TYPES],
    ['json', JSON_TYPES],
  ];

  it.each(cases)('open what the other encrypted, every type, as %s', async (format, text) => {
    const clear = put(`clear.${format}`, text);
    const byStock = put(`stock.${format}`, await sopsText(['encrypt', '--age', pair.recipient, clear]));
    const bySotto = put(`sotto.${format}`, await sottoEncrypt(text, { format }));
    const stockOfStock = await sopsText(['decrypt', byStock]);
    const stockOfSotto = await sops(['decrypt', bySotto]);
    expect(stockOfSotto.stderr).toBe('');
    expect(stockOfSotto.stdout.toString()).toBe(stockOfStock);
    // sotto leaves the spelling of what it does not open, so both are compared as sops reads and writes them.
    for (const sealed of [byStock, bySotto]) {
      const plain = put(`plain.${format}`, await sottoDecrypt(readFileSync(sealed, 'utf8'), format));
      const again = put(`again.${format}`, await sopsText(['encrypt', '--age', pair.recipient, plain]));
      expect(await sopsText(['decrypt', again])).toBe(stockOfStock);
    }
  });

  it('give the comments back, whoever encrypted them', async () => {
    const bySotto = await sottoEncrypt(ALL_TYPES);
    expect(bySotto).not.toMatch(/# [a-z]/);
    expect(comments(await sottoDecrypt(bySotto, 'yaml'))).toEqual(comments(ALL_TYPES));
    const byStock = await sopsText(['encrypt', '--age', pair.recipient, put('comments.yaml', ALL_TYPES)]);
    expect(comments(await sottoDecrypt(byStock, 'yaml'))).toEqual(comments(ALL_TYPES));
  });

  it.each([
    ['encrypted_regex', '^(data|multi)$'],
    ['unencrypted_regex', '^(apiVersion|kind|metadata)$'],
    ['encrypted_suffix', 'i'],
    ['unencrypted_suffix', '_x'],
  ] as const)('agree on %s', async (kind, value) => {
    const flag = `--${kind.replace('_', '-')}`;
    const byStock = await sopsText(['encrypt', '--age', pair.recipient, flag, value, put('s.yaml', ALL_TYPES)]);
    const stockOfStock = await sopsText(['decrypt', put('stock.yaml', byStock)]);
    const bySotto = await sottoEncrypt(ALL_TYPES, { selector: { kind, value } });
    const stockOfSotto = await sops(['decrypt', put('sotto.yaml', bySotto)]);
    expect(stockOfSotto.stderr).toBe('');
    expect(stockOfSotto.stdout.toString()).toBe(stockOfStock);
    expect(values(await sottoDecrypt(byStock, 'yaml'), 'yaml')).toEqual(values(stockOfStock, 'yaml'));
  });

  it('agree on a MAC over encrypted values only', async () => {
    const clear = 'data: {a: x}\nopen: 1\n';
    const rule = `{age: ${pair.recipient}, encrypted_regex: ^data$, mac_only_encrypted: true}`;
    const config = put('only.yaml', `creation_rules: [${rule}]\n`);
    const byStock = await sopsText(['--config', config, 'encrypt', put('m.yaml', clear)]);
    const selector = { kind: 'encrypted_regex', value: '^data$' } as const;
    const bySotto = await sottoEncrypt(clear, { selector, macOnlyEncrypted: true });
    for (const text of [byStock, bySotto]) {
      const changed = text.replace('open: 1', 'open: 2');
      expect(values(await sottoDecrypt(changed, 'yaml'), 'yaml')).toEqual([{ data: { a: 'x' }, open: 2 }]);
      expect(values(await sopsText(['decrypt', put('changed.yaml', changed)]), 'yaml')).toEqual([
        { data: { a: 'x' }, open: 2 },
      ]);
    }
  });

  it('open a negative zero in clear as sotto leaves it, which stock cannot write', async () => {
    const text = await sottoEncrypt('a: 1\nzero_unencrypted: -0.0\n');
    expect(await sopsText(['decrypt', put('zero.yaml', text)])).toContain('zero_unencrypted: -0');
    expect(await sottoDecrypt(text, 'yaml')).toBe('a: 1\nzero_unencrypted: -0.0\n');
  });

  it('go on with what the other wrote: set, rotate, updatekeys', async () => {
    const path = put('steps.yaml', await sottoEncrypt('data:\n    a: x\n    b: [1, 2]\n'));
    await sopsText(['set', path, '["data"]["a"]', '"changed"']);
    await sopsText(['rotate', '-i', '--add-age', other.recipient, path]);
    expect(values(await sottoDecrypt(readFileSync(path, 'utf8'), 'yaml'), 'yaml')).toEqual([
      { data: { a: 'changed', b: [1, 2] } },
    ]);
    put('.sops.yaml', `creation_rules: [{age: ${other.recipient}}]\n`);
    await sopsText(['updatekeys', '--yes', path]);
    rmSync(join(folder, '.sops.yaml'));
    const text = readFileSync(path, 'utf8');
    await expect(sottoDecrypt(text, 'yaml')).rejects.toMatchObject({ code: 'SOTTO-AGE-001' });
    using clear = await decryptSops(text, 'yaml', 'f', parseAgeIdentities(Buffer.from(other.identity)));
    expect(Buffer.from(clear.reveal()).toString()).toContain('a: changed');
  });

  const TAMPERED: readonly (readonly [string, (text: string) => string])[] = [
    ['a clear value', (text) => text.replace('open_unencrypted: 1', 'open_unencrypted: 2')],
    ['a value moved', (text) => text.replace(/a: (ENC\S+)\n {4}b: \S+/, 'a: $1\n    b: $1')],
    ['a value removed', (text) => text.replace(/ {4}a: ENC.*\n/, '')],
    ['a value in clear', (text) => text.replace(/a: ENC\S+/, 'a: clear')],
    ['a key renamed', (text) => text.replace('    a: ENC', '    c: ENC')],
    ['the date', (text) => text.replace(/lastmodified: "2/, 'lastmodified: "1')],
    ['the date unquoted', (text) => text.replace(/lastmodified: "(.*)"/, 'lastmodified: $1')],
    ['the MAC', (text) => text.replace(/ {4}mac: .*\n/, '')],
    ['the version', (text) => text.replace(/ {4}version: .*\n/, '')],
    ['the selector', (text) => text.replace('unencrypted_suffix: _unencrypted', 'encrypted_regex: ^nothing$')],
    ['two selectors', (text) => `${text}    encrypted_regex: ^data$\n`],
    ['a document added', (text) => `${text}---\nextra: 1\n`],
  ];

  it.each(TAMPERED)('both refuse a tampered file: %s', async (_name, tamper) => {
    const clear = put('t.yaml', 'data:\n    a: x\n    b: y\nopen_unencrypted: 1\n');
    const byStock = await sopsText(['encrypt', '--age', pair.recipient, clear]);
    const tampered = tamper(byStock);
    expect(tampered).not.toBe(byStock);
    expect((await sops(['decrypt', put('tampered.yaml', tampered)])).code).not.toBe(0);
    await expect(sottoDecrypt(tampered, 'yaml')).rejects.toMatchObject({ name: 'SottoError' });
  });

  // Its subset: strings, booleans, floats and integers a double holds, null and empty values, in one document of YAML or
  // JSON without comments and times, no key of digits alone, the default selector or a key selector whose clear values do
  // not look encrypted. It never checks the MAC.
  it.each(['yaml', 'json'] as const)(
    'read a sotto file as a reader does that shares no code with either: %s',
    async (fileType) => {
      const tree = {
        data: {
          a: 'x',
          b: [1, true, -2.5, 'é 😀', null, ''],
          c: 'lines\nmore\n',
          d: { e: false, f: 9007199254740991 },
        },
        open_unencrypted: 'clear',
      };
      // JSON is YAML.
      const bySotto = await sottoEncrypt(JSON.stringify(tree), { format: fileType });
      expect(await decryptWithSopsAge(bySotto, { secretKey: pair.identity, fileType })).toEqual(tree);
    },
  );

  it('read any file of sotto as that reader does', async () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((each) => !each.startsWith('ENC['));
    const number = fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 }));
    const leaf = fc.oneof(
      text,
      fc.boolean(),
      fc.constant(null),
      number.map((each) => (Object.is(each, -0) ? 0 : each)),
    );
    const name = fc.stringMatching(/^[a-z][a-z0-9]{0,7}$/).filter((each) => each !== 'sops');
    const tree = fc.dictionary(
      name,
      fc.oneof(
        leaf,
        fc.array(leaf, { maxLength: 3 }),
        fc.dictionary(name, leaf, { noNullPrototype: true, maxKeys: 3 }),
      ),
      { noNullPrototype: true, minKeys: 1, maxKeys: 5 },
    );
    await fc.assert(
      fc.asyncProperty(tree, fc.constantFrom('yaml' as const, 'json' as const), async (any, fileType) => {
        const bySotto = await sottoEncrypt(JSON.stringify(any), { format: fileType });
        expect(await decryptWithSopsAge(bySotto, { secretKey: pair.identity, fileType })).toEqual(any);
      }),
      { numRuns: 60 },
    );
  });
});
