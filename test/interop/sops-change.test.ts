import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type AgeIdentity, parseAgeIdentities } from '../../src/sops/age.ts';
import { decryptFile, openForChange } from '../../src/sops/change.ts';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import type { WholeFormat } from '../../src/sops/scalar.ts';
import type { Selector } from '../../src/sops/selector.ts';
import { describeReal } from '../harness/real.ts';
import { type AgeKeyPair, newAgeKeyPair, stockOutput } from '../harness/stock.ts';

interface Case {
  readonly name: string;
  readonly format: WholeFormat;
  readonly text: string;
  readonly edit: readonly [from: string, to: string];
  readonly args?: readonly string[];
  readonly config?: string;
  /** What `args` or `config` say, for sotto. */
  readonly selector?: Selector;
  readonly macOnlyEncrypted?: boolean;
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

const MAC_ONLY = {
  config: 'mac.yaml',
  selector: { kind: 'encrypted_regex', value: '^b$' },
  macOnlyEncrypted: true,
} as const;

const CASES: readonly Case[] = [
  { name: 'yaml', format: 'yaml', text: `${YAML}---\nsecond: two\n`, edit: ['more', 'less'] },
  {
    name: 'yaml, encrypted_regex',
    format: 'yaml',
    text: YAML,
    edit: ['one', '1'],
    args: ['--encrypted-regex', '^(a|b)$'],
    selector: { kind: 'encrypted_regex', value: '^(a|b)$' },
  },
  {
    name: 'yaml, encrypted_suffix',
    format: 'yaml',
    text: YAML,
    edit: ['2.5', '3.5'],
    args: ['--encrypted-suffix', 'd'],
    selector: { kind: 'encrypted_suffix', value: 'd' },
  },
  {
    name: 'yaml, unencrypted_regex',
    format: 'yaml',
    text: YAML,
    edit: ['last', 'end'],
    args: ['--unencrypted-regex', '^b'],
    selector: { kind: 'unencrypted_regex', value: '^b' },
  },
  {
    name: 'yaml, unencrypted_suffix',
    format: 'yaml',
    text: YAML,
    edit: ['last', 'end'],
    args: ['--unencrypted-suffix', 'n'],
    selector: { kind: 'unencrypted_suffix', value: 'n' },
  },
  {
    name: 'yaml, encrypted_comment_regex',
    format: 'yaml',
    text: 'a: one\n# seal\nb: two\nc: 3 # seal\n',
    edit: ['two', 'due'],
    config: 'encrypted-comment.yaml',
    selector: { kind: 'encrypted_comment_regex', value: 'seal' },
  },
  {
    name: 'yaml, unencrypted_comment_regex',
    format: 'yaml',
    text: 'a: one\n# open\nb: two\nc: 3 # open\n',
    edit: ['one', 'uno'],
    config: 'unencrypted-comment.yaml',
    selector: { kind: 'unencrypted_comment_regex', value: 'open' },
  },
  {
    name: 'yaml, mac of encrypted',
    format: 'yaml',
    text: 'a: one\nb: two\n',
    edit: ['two', 'due'],
    ...MAC_ONLY,
  },
  {
    name: 'json',
    format: 'json',
    text: '{\n\t"a": "x",\n\t"n": 9007199254740993,\n\t"a2": [1.5, true, null, ""],\n\t"o": {}\n}\n',
    edit: ['"x"', '"y"'],
  },
  {
    name: 'json, doubled keys and integers of 64 bits',
    format: 'json',
    text: '{\n\t"z": 9223372036854775807,\n\t"a": "one",\n\t"z": -9223372036854775808,\n\t"a": {\n\t\t"a": "x",\n\t\t"a": 9007199254740993\n\t}\n}\n',
    edit: ['9007199254740993', '9007199254740995'],
  },
  {
    name: 'json, encrypted_regex',
    format: 'json',
    text: '{\n\t"a": "x",\n\t"b": ["two", 1]\n}\n',
    edit: ['two', 'due'],
    args: ['--encrypted-regex', '^b$'],
    selector: { kind: 'encrypted_regex', value: '^b$' },
  },
  {
    name: 'json, mac of encrypted',
    format: 'json',
    text: '{\n\t"a": "x",\n\t"b": "two"\n}\n',
    edit: ['two', 'due'],
    ...MAC_ONLY,
  },
  { name: 'dotenv', format: 'dotenv', text: '# comment\nA=1\nB=two\\nlines\nC=\n', edit: ['A=1', 'A=2'] },
  {
    name: 'dotenv, unencrypted_comment_regex',
    format: 'dotenv',
    text: '# open\nA=1\nB=two\n',
    edit: ['two', 'due'],
    config: 'unencrypted-comment.yaml',
    selector: { kind: 'unencrypted_comment_regex', value: 'open' },
  },
  { name: 'dotenv, mac of encrypted', format: 'dotenv', text: 'A=1\nb=two\n', edit: ['two', 'due'], ...MAC_ONLY },
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
    selector: { kind: 'encrypted_regex', value: '^b$' },
  },
  {
    name: 'ini, encrypted_comment_regex',
    format: 'ini',
    text: '; seal\n[s]\na = one\n[t]\nb = 2\n',
    edit: ['one', 'uno'],
    config: 'encrypted-comment.yaml',
    selector: { kind: 'encrypted_comment_regex', value: 'seal' },
  },
  { name: 'ini, mac of encrypted', format: 'ini', text: '[s]\na = 1\nb = 2\n', edit: ['2', '3'], ...MAC_ONLY },
  { name: 'binary', format: 'binary', text: 'any\nbytes \u0000 at all', edit: ['any', 'other'] },
];

const ENDING: Readonly<Record<WholeFormat, string>> = {
  yaml: 'yaml',
  json: 'json',
  dotenv: 'env',
  ini: 'ini',
  binary: 'bin',
};

/** What the editor of a stock edit does to a file, and what is there then. */
const EDITS: Readonly<Record<WholeFormat, readonly [command: string, added: RegExp]>> = {
  yaml: [`printf 'zz: z\\n' >>`, /^zz: z$/m],
  json: [`sed -i '1s/{/{"zz":"z",/'`, /^\t"zz": "z",$/m],
  dotenv: [`printf 'Z=z\\n' >>`, /^Z=z$/m],
  ini: [`printf 'zz = z\\n' >>`, /^zz += z$/m],
  binary: [`printf 'zz' >>`, /zz$/],
};

/** Lines of one that the other does not have, apart from time and MAC. */
function touched(before: string, after: string): string[] {
  const old = before.split('\n');
  return after.split('\n').filter((line) => !old.includes(line) && !/lastmodified|"?(?:sops_)?mac"? *[:=]/.test(line));
}

/** sops indents blocks and aligns equals signs anew. */
const squeezed = (text: string): string => text.replace(/ +/g, ' ').replace(/\n /g, '\n');

describeReal('a file that sotto changes', ['sops', 'age-keygen'], () => {
  let folder: string;
  let pair: AgeKeyPair;
  let identities: readonly AgeIdentity[];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sotto-change-'));
    pair = await newAgeKeyPair();
    for (const [name, rule] of [
      ['mac', 'encrypted_regex: ^b$, mac_only_encrypted: true'],
      ['encrypted-comment', 'encrypted_comment_regex: seal'],
      ['unencrypted-comment', 'unencrypted_comment_regex: open'],
    ] as const) {
      writeFileSync(join(folder, `${name}.yaml`), `creation_rules: [{ ${rule}, age: '${pair.recipient}' }]\n`);
    }
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
      ...(each.selector === undefined ? {} : { selector: each.selector }),
      macOnlyEncrypted: each.macOnlyEncrypted ?? false,
      now: new Date(),
    });
    const changed = await change(sealed, each);
    writeFileSync(join(folder, file), changed);
    const before = await stock(['decrypt', file]);
    expect(before).toContain(each.edit[1]);
    const [command, added] = EDITS[each.format];
    writeFileSync(join(folder, 'editor.sh'), `${command} "$1"\n`);
    await stockOutput('sops', ['edit', file], {
      env: { ...env(), EDITOR: `sh ${join(folder, 'editor.sh')}` },
      cwd: folder,
    });
    const opened = async (): Promise<string> => {
      using clear = await decryptFile(readFileSync(join(folder, file), 'utf8'), each.format, file, identities);
      return Buffer.from(clear.reveal()).toString();
    };
    const edited = await opened();
    expect(edited).toMatch(added);
    expect(squeezed(edited.replace(new RegExp(`${added.source}\\n?`, 'm'), ''))).toBe(squeezed(before));
    await stock(['rotate', '-i', file]);
    expect(await opened()).toBe(edited);
    expect(squeezed(await stock(['decrypt', file]))).toBe(squeezed(edited));
  });
});
