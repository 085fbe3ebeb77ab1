import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CliResult, sotto } from '../cli/session.ts';
import { describeReal } from '../harness/real.ts';
import { type AgeKeyPair, newAgeKeyPair, runStock } from '../harness/stock.ts';

const FORMATS = ['yaml', 'json', 'dotenv', 'ini', 'binary'] as const;
type Format = (typeof FORMATS)[number];

interface Case {
  readonly file: string;
  readonly text: string | Buffer;
  /** What both refuse, and what sotto alone does because sops loses something: with the key. */
  readonly refused?: Partial<Record<Format, string>>;
  readonly lossy?: Partial<Record<Format, string>>;
}

const NO_SECTION = 'it is no mapping';
const NO_CONTENT = 'a binary file is the value under data';

const CASES: readonly Case[] = [
  {
    file: 'tree.yaml',
    text: '# top\ns: hello\ni: 7\nb: true\nt: 2024-01-01\nn: null\nempty: ""\nsp: " x "\nnl: |\n    a\n    b\n# c\nsec:\n    k: v # inline\n    l: [1, two, 2.5]\n',
    refused: { dotenv: 'key sec', ini: NO_SECTION, binary: NO_CONTENT },
    lossy: { dotenv: 'key n' },
  },
  {
    file: 'flat.yaml',
    text: '# top\ns: hello\ni: 7\nf: 2.5\ng: 1.0\ne: 1e21\nk: 200000.0\nb: true\nt: 2024-01-01\nempty: ""\nnl: |\n    a\n    b\n',
    refused: { ini: NO_SECTION, binary: NO_CONTENT },
  },
  {
    file: 'sections.yaml',
    text: 'sec:\n    # c\n    k: v\n    i: 3\n    # later\n    b: true\n    f: 2.0\n    e: ""\nother:\n    x: a;b\n    t: 2024-01-01T10:00:00Z\n',
    refused: { dotenv: 'key sec', binary: NO_CONTENT },
  },
  {
    file: 'null.json',
    text: '{"s": "x", "n": null}',
    refused: { ini: NO_SECTION, binary: NO_CONTENT },
    lossy: { dotenv: 'key n' },
  },
  {
    file: 'several.yaml',
    text: 'a: 1\n---\nb: 2\n',
    refused: { ini: 'not exactly one document', binary: 'not exactly one document' },
    lossy: { json: 'not exactly one document', dotenv: 'not exactly one document' },
  },
  {
    file: 'numbers.json',
    text: '{"a": "h\\u0000\\u00e9<&>", "n": 9007199254740993, "f": 1.5, "g": 1.0, "t": true}',
    refused: { ini: NO_SECTION, binary: NO_CONTENT },
  },
  {
    file: 'deep.json',
    text: '{"data": "hello", "o": {"a": {"b": [1, {"c": "x"}]}}}',
    refused: { dotenv: 'key o', ini: NO_SECTION },
    lossy: { binary: 'key o' },
  },
  {
    file: 'app.env',
    text: '# c\nA=1\nB=two\\nlines\nC=\nD=true\nE="quoted"\n# last\n',
    refused: { ini: NO_SECTION, binary: NO_CONTENT },
  },
  {
    file: 'app.ini',
    text: 'x = 1\n; about s\n[s]\ny = true\n; about z\nz = a\n',
    refused: { dotenv: 'key DEFAULT', binary: NO_CONTENT },
  },
  { file: 'note.bin', text: '{"a": "x"}\n', refused: { ini: NO_SECTION } },
  {
    file: 'raw.bin',
    text: Buffer.from([0x72, 0, 0xff]),
    refused: { ini: NO_SECTION },
    lossy: { yaml: 'key data', json: 'key data' },
  },
];

/** In its own format a file is spliced and not written anew: see sops-change.test.ts. */
const ROWS = CASES.flatMap((each) => FORMATS.filter((to) => to !== formatOf(each.file)).map((to) => ({ ...each, to })));

function formatOf(file: string): Format {
  const extension = file.replace(/.*\./, '');
  return FORMATS.find((format) => format === extension) ?? (extension === 'env' ? 'dotenv' : 'binary');
}

describeReal('--output-type', ['sops', 'age-keygen'], () => {
  let keys: AgeKeyPair;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sotto-formats-'));
    keys = await newAgeKeyPair();
    for (const { file, text } of CASES) writeFileSync(join(folder, file), text);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const env = (): Record<string, string> => ({ HOME: folder, SOPS_AGE_KEY: keys.identity });
  const run = (...args: string[]): Promise<CliResult> => sotto(args, { cwd: folder, env: env() });
  const stock = async (...args: string[]): Promise<{ code: number | null; stdout: string }> => {
    const { code, stdout } = await runStock('sops', args, { cwd: folder, env: env() });
    return { code, stdout: stdout.toString() };
  };

  it.for(ROWS)('decrypts $file as $to, as sops does or not at all', async ({ file, to, refused, lossy }) => {
    const made = await runStock('sops', ['encrypt', '--age', keys.recipient, file], { cwd: folder, env: env() });
    writeFileSync(join(folder, `sealed.${file}`), made.stdout);
    const theirs = await stock('decrypt', '--output-type', to, `sealed.${file}`);
    const ours = await run('decrypt', '--output-type', to, `sealed.${file}`);
    const why = lossy?.[to] ?? refused?.[to];
    if (why !== undefined) {
      expect(ours).toEqual({ exit: 2, stdout: '', stderr: expect.stringContaining(why) });
      expect(ours.stderr).toContain('SOTTO-SOPS-058');
      if (lossy?.[to] === undefined) expect(theirs.code).not.toBe(0);
    } else expect([ours.exit, ours.stderr, ours.stdout]).toEqual([0, '', theirs.stdout]);
  });

  it.for(ROWS)(
    'encrypts $file as $to so that sops opens what it would have made, or not at all',
    async ({ file, to, refused, lossy }) => {
      const ours = await run('encrypt', '--age', keys.recipient, '--output-type', to, file);
      const notText = file === 'raw.bin' && to === 'dotenv' ? 'the content is not text' : undefined;
      const why = notText ?? lossy?.[to] ?? refused?.[to];
      if (why !== undefined) {
        expect([ours.stdout, ours.stderr]).toEqual(['', expect.stringContaining(why)]);
        expect(ours.exit).not.toBe(0);
        return;
      }
      const theirs = await stock('encrypt', '--age', keys.recipient, '--output-type', to, file);
      expect([ours.exit, ours.stderr, theirs.code]).toEqual([0, '', 0]);
      writeFileSync(join(folder, 'ours'), ours.stdout);
      writeFileSync(join(folder, 'theirs'), theirs.stdout);
      const types = ['--input-type', to, '--output-type', to];
      const opened = await stock('decrypt', ...types, 'ours');
      expect(opened.code).toBe(0);
      // How many blanks follow the marker of a comment, INI does not keep.
      const ofStock = (await stock('decrypt', ...types, 'theirs')).stdout;
      expect(opened.stdout).toBe(to === 'ini' ? ofStock.replaceAll(/^; +/gm, '; ') : ofStock);
      expect((await run('decrypt', '--input-type', to, 'theirs')).exit).toBe(0);
    },
  );

  it('takes the format of a file from --input-type, and the name does not matter then', async () => {
    writeFileSync(join(folder, 'values.txt'), 'a: 1\n');
    const made = await run('encrypt', '--age', keys.recipient, '--input-type', 'yaml', 'values.txt');
    writeFileSync(join(folder, 'values.txt'), made.stdout);
    expect(await stock('decrypt', '--input-type', 'yaml', '--output-type', 'json', 'values.txt')).toEqual({
      code: 0,
      stdout: '{\n\t"a": 1\n}\n',
    });
    expect((await run('decrypt', '-i', '--input-type', 'yaml', '--output-type', 'json', 'values.txt')).exit).toBe(0);
    expect(readFileSync(join(folder, 'values.txt'), 'utf8')).toBe('{\n\t"a": 1\n}\n');
  });

  it('refuses what would be lost or read differently, with its key', async () => {
    const cases = [
      ['doubled.json', '{"a": 1, "a": 2}', 'yaml', 'key a'],
      ['slash.json', '{"a": "C:\\\\new"}', 'dotenv', 'key a'],
      ['name.json', '{"a=b": "x"}', 'dotenv', 'key a=b'],
      ['reserved.json', '{"sops_x": "x"}', 'dotenv', 'key sops_x'],
      ['section.json', '{"s]\\nx": {"a": "b"}}', 'ini', 'SOTTO-SOPS-042'],
      ['list.json', '{"s": {"a": ["b"]}}', 'ini', 'key s.a'],
      ['infinite.yaml', 'a: {b: .inf}\n', 'json', 'key a.b'],
    ] as const;
    for (const [file, text, to, said] of cases) {
      writeFileSync(join(folder, file), text);
      const { exit, stdout, stderr } = await run('encrypt', '--age', keys.recipient, '--output-type', to, file);
      expect([file, stdout, stderr]).toEqual([file, '', expect.stringContaining(said)]);
      expect(exit).not.toBe(0);
    }
  });

  it('refuses another format where comments say what is encrypted', async () => {
    writeFileSync(
      join(folder, '.sops.yaml'),
      `creation_rules:\n  - encrypted_comment_regex: seal\n    age: ${keys.recipient}\n`,
    );
    writeFileSync(join(folder, 'c.yaml'), '# seal\na: 1\n');
    expect(await run('encrypt', '--output-type', 'json', 'c.yaml')).toEqual({
      exit: 2,
      stdout: '',
      stderr: expect.stringContaining('SOTTO-SOPS-059'),
    });
    rmSync(join(folder, '.sops.yaml'));
  });
});
