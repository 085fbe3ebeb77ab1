import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type AgeIdentity, parseAgeIdentities } from '../../src/sops/age.ts';
import { decryptFile, openForChange } from '../../src/sops/change.ts';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import type { WholeFormat } from '../../src/sops/scalar.ts';
import { describeReal } from '../harness/real.ts';
import { type AgeKeyPair, newAgeKeyPair, stockOutput } from '../harness/stock.ts';

interface Case {
  readonly name: string;
  readonly format: WholeFormat;
  readonly text: string;
  readonly edit: readonly [from: string, to: string];
  readonly args?: readonly string[];
  readonly config?: string;
}

const YAML = `# head
a: one # beside
b:
    # in b
    c: 7
    d: 2.5
    e: [x, x]
    t: 2024-01-01
    n: null
    empty: ""
    multi: |
        line
        more
list:
    # in list
    - k: v
    - last
plain_unencrypted: yes
`;

const CASES: readonly Case[] = [
  { name: 'yaml', format: 'yaml', text: `${YAML}---\nsecond: two\n`, edit: ['more', 'less'] },
  {
    name: 'yaml, encrypted_regex',
    format: 'yaml',
    text: YAML,
    edit: ['one', '1'],
    args: ['--encrypted-regex', '^(a|b)$'],
  },
  {
    name: 'yaml, encrypted_suffix',
    format: 'yaml',
    text: YAML,
    edit: ['2.5', '3.5'],
    args: ['--encrypted-suffix', 'd'],
  },
  {
    name: 'yaml, unencrypted_regex',
    format: 'yaml',
    text: YAML,
    edit: ['last', 'end'],
    args: ['--unencrypted-regex', '^b'],
  },
  {
    name: 'yaml, mac of encrypted',
    format: 'yaml',
    text: YAML,
    edit: ['one', 'uno'],
    config: 'mac.yaml',
  },
  {
    name: 'json',
    format: 'json',
    text: '{\n\t"a": "x",\n\t"n": 9007199254740993,\n\t"a2": [1.5, true, null, ""],\n\t"o": {}\n}\n',
    edit: ['"x"', '"y"'],
  },
  { name: 'dotenv', format: 'dotenv', text: '# comment\nA=1\nB=two\\nlines\nC=\n', edit: ['A=1', 'A=2'] },
  {
    name: 'ini',
    format: 'ini',
    text: 'top = 1\n\n[s]\n; about it\nlong_name = one ; beside\nb = `x;y`\n\n[t]\nclear_unencrypted = yes\n',
    edit: ['x;y', 'z#'],
  },
  {
    name: 'ini, encrypted_regex',
    format: 'ini',
    text: '; top\na = one\n\n[s]\n; in clear\nb = two\n',
    edit: ['two', '"  2  "'],
    args: ['--encrypted-regex', '^b$'],
  },
  { name: 'ini, mac of encrypted', format: 'ini', text: '[s]\na = 1\nb = 2\n', edit: ['2', '3'], config: 'mac.yaml' },
  { name: 'binary', format: 'binary', text: 'any\nbytes \u0000 at all', edit: ['any', 'other'] },
];

const ENDING: Readonly<Record<WholeFormat, string>> = {
  yaml: 'yaml',
  json: 'json',
  dotenv: 'env',
  ini: 'ini',
  binary: 'bin',
};

/** What a stock edit adds at the end of a file. */
const ADDED: Partial<Record<WholeFormat, string>> = { yaml: 'zz: z\\n', dotenv: 'Z=z\\n', ini: 'zz = z\\n' };

/** Lines of one that the other does not have, apart from time and MAC. */
function touched(before: string, after: string): string[] {
  const old = before.split('\n');
  return after.split('\n').filter((line) => !old.includes(line) && !/lastmodified|"?(?:sops_)?mac"? *[:=]/.test(line));
}

describeReal('a file that sotto changes', ['sops', 'age-keygen'], () => {
  let folder: string;
  let pair: AgeKeyPair;
  let identities: readonly AgeIdentity[];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sotto-change-'));
    pair = await newAgeKeyPair();
    const rule = `{ encrypted_regex: ^b$, mac_only_encrypted: true, age: '${pair.recipient}' }`;
    writeFileSync(join(folder, 'mac.yaml'), `creation_rules: [${rule}]\n`);
    identities = parseAgeIdentities(Buffer.from(pair.identity));
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const env = (): Record<string, string> => ({
    SOPS_AGE_KEY: pair.identity,
    HOME: folder,
    PATH: process.env['PATH'] ?? '',
  });
  const stock = async (args: readonly string[]): Promise<string> =>
    (await stockOutput('sops', args, { env: env(), cwd: folder })).toString();

  async function change(sealed: string, each: Case): Promise<string> {
    using open = await openForChange(sealed, each.format, 'f', identities);
    const clear = Buffer.from(open.clear.reveal()).toString();
    expect(clear).toContain(each.edit[0]);
    return await open.sealed(Buffer.from(clear.replace(...each.edit)), new Date());
  }

  it.each(CASES)('as stock made it opens in stock, with the change and no other: $name', async (each) => {
    const file = `stock.${ENDING[each.format]}`;
    writeFileSync(join(folder, file), each.text);
    const sealed = await stock([
      ...(each.config === undefined ? [] : ['--config', each.config]),
      'encrypt',
      '--age',
      pair.recipient,
      ...(each.args ?? []),
      file,
    ]);
    writeFileSync(join(folder, file), sealed);
    const before = await stock(['decrypt', file]);
    const after = await change(sealed, each);
    expect(touched(sealed, after)).toHaveLength(1);
    writeFileSync(join(folder, file), after);
    expect(await stock(['decrypt', file])).toBe(before.replace(...each.edit));
    // And stock goes on with it.
    await stock(['rotate', '-i', file]);
    using again = await decryptFile(readFileSync(join(folder, file), 'utf8'), each.format, file, identities);
    expect(Buffer.from(again.reveal()).toString()).toContain(each.edit[1]);
  });

  it.each(CASES)('as sotto made it is edited and rotated by stock: $name', async (each) => {
    const file = `sotto.${ENDING[each.format]}`;
    const sealed = await encryptFile(Buffer.from(each.text), {
      format: each.format,
      file,
      recipients: [pair.recipient],
      now: new Date(),
    });
    writeFileSync(join(folder, file), await change(sealed, each));
    writeFileSync(join(folder, 'editor.sh'), `printf '${ADDED[each.format] ?? ''}' >> "$1"\n`);
    const editable = ADDED[each.format] !== undefined;
    if (editable)
      await stockOutput('sops', ['edit', file], {
        env: { ...env(), EDITOR: `sh ${join(folder, 'editor.sh')}` },
        cwd: folder,
      });
    await stock(['rotate', '-i', file]);
    using clear = await decryptFile(readFileSync(join(folder, file), 'utf8'), each.format, file, identities);
    const text = Buffer.from(clear.reveal()).toString();
    expect(text).toContain(each.edit[1]);
    if (editable) expect(text).toMatch(/^(?:zz: z|Z=z|zz +=.*z)$/m);
  });
});
