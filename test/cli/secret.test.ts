import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CliResult, sotto } from './session.ts';

let identity: string;
let recipient: string;
let otherRecipient: string;
let folder: string;

beforeAll(async () => {
  identity = await generateX25519Identity();
  recipient = await identityToRecipient(identity);
  otherRecipient = await identityToRecipient(await generateX25519Identity());
});

const SECRET = `# the database
apiVersion: v1
kind: Secret
metadata:
  name: db
stringData:
  user: app # by hand
  password: correct horse
data:
  token: YWJj
`;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sotto-secret-'));
  writeFileSync(join(folder, 'keys.txt'), `${identity}\n`);
  writeFileSync(join(folder, 'db.yaml'), SECRET, { mode: 0o640 });
  expect((await run(['encrypt', '-i', '--age', recipient, 'db.yaml'])).exit).toBe(0);
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const env = (): Record<string, string> => ({
  HOME: folder,
  PATH: process.env['PATH'] ?? '',
  SOPS_AGE_KEY_FILE: 'keys.txt',
});
const run = (argv: readonly string[], stdin?: string, more: Record<string, string> = {}): Promise<CliResult> =>
  sotto(argv, { cwd: folder, env: { ...env(), ...more }, ...(stdin === undefined ? {} : { stdin }) });
const read = (name = 'db.yaml'): string => readFileSync(join(folder, name), 'utf8');
const mode = (): number => statSync(join(folder, 'db.yaml')).mode & 0o777;
const clear = async (name = 'db.yaml'): Promise<string> => (await run(['decrypt', name])).stdout;

/** Lines that differ, without what is new in every change. */
function changedLines(before: string, after: string): string[] {
  const [old, now] = [before.split('\n'), after.split('\n')];
  return [...now.filter((line) => !old.includes(line)), ...old.filter((line) => !now.includes(line))]
    .map((line) => line.trim().replace(/:.*/, ''))
    .filter((key) => key !== 'mac' && key !== 'lastmodified');
}

describe('sotto secret set', () => {
  it('changes one value and no other byte, and keeps the permissions', async () => {
    const before = read();
    const { exit, stdout, stderr } = await run(
      ['secret', 'set', '--yes', 'db.yaml', 'stringData.password'],
      'new one\n',
    );
    expect([exit, stdout, stderr]).toEqual([0, '', 'stringData.password of db.yaml: written\n']);
    expect(mode()).toBe(0o640);
    expect(changedLines(before, read())).toEqual(['password', 'password']);
    expect(await clear()).toBe(SECRET.replace('correct horse', '"new one"'));
  });

  it('adds a value without asking, and asks before it replaces one', async () => {
    expect((await run(['secret', 'set', 'db.yaml', 'stringData.more'], 'x')).exit).toBe(0);
    const before = read();
    const refused = await run(['secret', 'set', 'db.yaml', 'stringData.more'], 'y');
    expect([refused.exit, refused.stderr]).toEqual([2, expect.stringContaining('SOTTO-CLI-060')]);
    expect(read()).toBe(before);
  });

  it('takes a file to the last byte, and JSON with its type', async () => {
    writeFileSync(join(folder, 'pem'), 'a\nb\n');
    expect((await run(['secret', 'set', '--from-file', 'pem', 'db.yaml', '["stringData"]["tls.key"]'])).exit).toBe(0);
    expect(await clear()).toContain('  tls.key: |\n    a\n    b\n');
    expect((await run(['secret', 'set', '--json', 'db.yaml', 'stringData.num'], '9007199254740993')).exit).toBe(0);
    expect(await clear()).toContain('  num: 9007199254740993\n');
  });

  it('encodes what goes under data of a Secret, and shows it decoded', async () => {
    expect((await run(['secret', 'set', 'db.yaml', 'data.new'], 'plain\n')).stderr).toContain('base64');
    expect(await clear()).toContain('  new: "cGxhaW4="\n');
    expect((await run(['secret', 'show', 'db.yaml', 'data.new'])).stdout).toBe('plain');
    expect((await run(['secret', 'show', '--as-is', 'db.yaml', 'data.new'])).stdout).toBe('cGxhaW4=');
  });

  it('without a key that opens the file says why, and who could', async () => {
    const before = read();
    writeFileSync(join(folder, 'keys.txt'), `${await generateX25519Identity()}\n`);
    const { exit, stderr } = await run(['secret', 'set', 'db.yaml', 'stringData.x'], 'y');
    expect([exit, stderr]).toEqual([4, expect.stringMatching(/SOTTO-CLI-097: .*data key/)]);
    expect(stderr).toContain(recipient);
    expect(read()).toBe(before);
  });

  it('refuses a recipient that .sops.yaml does not name', async () => {
    writeFileSync(join(folder, '.sops.yaml'), `creation_rules: [{ age: '${otherRecipient}' }]\n`);
    const before = read();
    const { exit, stderr } = await run(['secret', 'set', 'db.yaml', 'stringData.x'], 'y');
    expect([exit, stderr]).toEqual([2, expect.stringContaining(`SOTTO-CLI-091`)]);
    expect(stderr).toContain(recipient);
    expect(read()).toBe(before);
    writeFileSync(join(folder, '.sops.yaml'), `creation_rules: [{ age: '${otherRecipient},${recipient}' }]\n`);
    const allowed = await run(['secret', 'set', 'db.yaml', 'stringData.x'], 'y');
    expect([allowed.exit, allowed.stderr]).toEqual([
      0,
      expect.stringContaining(`note: db.yaml is not encrypted for ${otherRecipient}`),
    ]);
  });

  it('writes nothing when the value is the one that is there', async () => {
    const before = read();
    const { ino, mtimeMs } = statSync(join(folder, 'db.yaml'));
    expect(await run(['secret', 'set', '--yes', 'db.yaml', 'stringData.password'], 'correct horse\n')).toEqual({
      exit: 0,
      stdout: '',
      stderr: 'db.yaml: nothing changed, nothing written\n',
    });
    expect(await run(['secret', 'set', '--yes', 'db.yaml', 'data.token'], 'abc')).toMatchObject({
      exit: 0,
      stderr: 'db.yaml: nothing changed, nothing written\n',
    });
    expect(read()).toBe(before);
    expect(statSync(join(folder, 'db.yaml'))).toMatchObject({ ino, mtimeMs });
  });

  it('refuses a file that was changed by hand, and writes nothing', async () => {
    writeFileSync(join(folder, 'db.yaml'), read().replace('name: db', 'name: web'));
    const before = read();
    const { exit, stderr } = await run(['secret', 'set', 'db.yaml', 'stringData.x'], 'y');
    expect([exit, stderr]).toEqual([4, expect.stringContaining('SOTTO-SOPS-001')]);
    expect(read()).toBe(before);
  });

  it('works on INI, whose paths are a section and a key', async () => {
    writeFileSync(join(folder, 'a.ini'), 'top=1\n[my.db]\n; about it\npassword = `a;b`\nuser=u\n');
    expect((await run(['encrypt', '-i', '--age', recipient, 'a.ini'])).exit).toBe(0);
    const before = read('a.ini');
    expect((await run(['secret', 'set', '--yes', 'a.ini', '["my.db"]["password"]'], 'x#"`\\\n')).exit).toBe(0);
    expect(changedLines(before, read('a.ini')).map((line) => line.replace(/ *=.*/, ''))).toEqual(
      expect.arrayContaining(['password']),
    );
    expect((await run(['secret', 'show', 'a.ini', '["my.db"]["password"]'])).stdout).toBe('x#"`\\');
    expect((await run(['secret', 'set', 'a.ini', 'DEFAULT.more'], ' x ')).exit).toBe(0);
    expect((await run(['secret', 'set', 'a.ini', 'new.key'], 'one\ntwo\n\n')).exit).toBe(0);
    expect(await clear('a.ini')).toBe(
      'top  = 1\nmore = " x "\n\n[my.db]\n; about it\npassword = """x#"`\\"""\nuser     = u\n\n[new]\nkey = """one\ntwo\n"""\n',
    );
    expect((await run(['secret', 'unset', '--yes', 'a.ini', 'DEFAULT.top'])).exit).toBe(0);
    expect((await run(['secret', 'unset', '--yes', 'a.ini', '["my.db"]'])).exit).toBe(0);
    expect((await run(['secret', 'list', '-o', 'json', 'a.ini'])).stdout).toMatch(
      /^\{"document":1,"path":"DEFAULT.more","line":1,"encrypted":true,"type":"str"\}\n.*"path":"new.key".*\n$/,
    );
    const odd = await run(['secret', 'set', 'a.ini', 'top'], 'x');
    expect([odd.exit, odd.stderr]).toEqual([2, expect.stringContaining('SOTTO-SOPS-053')]);
    const unsaid = await run(['secret', 'set', 'a.ini', 'new["#x"]'], 'x');
    expect([unsaid.exit, unsaid.stderr]).toEqual([2, expect.stringContaining('SOTTO-SOPS-042')]);
    expect((await run(['secret', 'unset', '--yes', 'a.ini', 'no.such'])).stderr).toContain('SOTTO-SOPS-051');
  });

  it('works on dotenv, whose paths are names', async () => {
    writeFileSync(join(folder, 'a.env'), 'A=1\n# b\nB=2\n');
    expect((await run(['encrypt', '-i', '--age', recipient, 'a.env'])).exit).toBe(0);
    expect((await run(['secret', 'set', '--yes', 'a.env', 'B'], 'two\n')).exit).toBe(0);
    expect((await run(['secret', 'set', 'a.env', 'C'], 'x\ny\n')).exit).toBe(0);
    expect(await clear('a.env')).toBe('A=1\n# b\nB=two\nC=x\\ny\n');
    expect((await run(['secret', 'show', 'a.env', 'C'])).stdout).toBe('x\ny');
    expect((await run(['secret', 'unset', '--yes', 'a.env', 'A'])).exit).toBe(0);
    expect((await run(['secret', 'list', 'a.env'])).stdout).toBe(
      'STATE      TYPE  LINE  PATH\nencrypted  str   2     B\nencrypted  str   3     C\n',
    );
  });
});

describe('sotto secret unset, list, show and generate', () => {
  it('take out what is named, and nothing else', async () => {
    const before = read();
    expect((await run(['secret', 'unset', '--yes', 'db.yaml', 'stringData.user'])).exit).toBe(0);
    expect(changedLines(before, read())).toEqual(['user']);
    expect(mode()).toBe(0o640);
    expect((await run(['secret', 'unset', '--yes', 'db.yaml', 'stringData'])).exit).toBe(0);
    expect(await clear()).not.toContain('stringData');
    const gone = await run(['secret', 'unset', '--yes', 'db.yaml', 'stringData']);
    expect([gone.exit, gone.stderr]).toEqual([2, expect.stringContaining('SOTTO-SOPS-051')]);
  });

  it('list paths and types without a key', async () => {
    rmSync(join(folder, 'keys.txt'));
    const { exit, stdout } = await run(['secret', 'list', 'db.yaml']);
    expect(exit).toBe(0);
    expect(stdout).toMatch(/clear {6}str {3}3 {5}kind\n/);
    expect(stdout).toMatch(/encrypted {2}str {3}8 {5}stringData.password\n/);
    const json = await run(['secret', 'list', '-o', 'json', 'db.yaml']);
    expect(JSON.parse(json.stdout.split('\n').find((line) => line.includes('token')) ?? '')).toEqual({
      document: 1,
      path: 'data.token',
      line: 10,
      encrypted: true,
      type: 'str',
    });
  });

  it('show a value to the byte, and nothing of a mapping', async () => {
    expect((await run(['secret', 'show', 'db.yaml', 'stringData.password'])).stdout).toBe('correct horse');
    const whole = await run(['secret', 'show', 'db.yaml', 'stringData']);
    expect([whole.exit, whole.stdout, whole.stderr]).toEqual([2, '', expect.stringContaining('SOTTO-SOPS-052')]);
  });

  it('generate a value that is not shown', async () => {
    const made = await run(['secret', 'generate', '--length', '40', '--alphabet', 'hex', 'db.yaml', 'stringData.key']);
    expect([made.exit, made.stdout]).toEqual([0, '']);
    const value = (await run(['secret', 'show', 'db.yaml', 'stringData.key'])).stdout;
    expect(value).toMatch(/^[0-9a-f]{40}$/);
    expect(made.stderr).not.toContain(value);
    expect(mode()).toBe(0o640);
  });
});

function editor(script: string): Record<string, string> {
  writeFileSync(join(folder, 'editor'), `#!/bin/sh\nset -e\n${script}\n`);
  chmodSync(join(folder, 'editor'), 0o755);
  return { EDITOR: `"${join(folder, 'editor')}" --wait`, XDG_RUNTIME_DIR: '/dev/shm' };
}

function edit(script: string, file = 'db.yaml'): Promise<CliResult> {
  return run(['edit', file], undefined, editor(script));
}

function leftovers(): string[] {
  return readdirSync('/dev/shm').filter((name) => name.startsWith('sotto-edit-'));
}

describe('sotto edit', () => {
  it('writes what the editor changed and no other byte; the clear text is gone', async () => {
    const before = read();
    const { exit, stderr } = await edit('sed -i s/horse/battery/ "$2"; echo "$2" > path; stat -c %a "$2" > mode');
    expect([exit, stderr]).toEqual([0, '']);
    expect(mode()).toBe(0o640);
    expect(changedLines(before, read())).toEqual(['password', 'password']);
    expect(await clear()).toBe(SECRET.replace('correct horse', '"correct battery"'));
    expect(read('path')).toMatch(/^\/dev\/shm\/sotto-edit-\w+\/db\.yaml\n$/);
    expect(read('mode')).toBe('600\n');
    expect(leftovers()).toEqual([]);
  });

  it('writes nothing when nothing changed, when the editor fails, and when the text is broken', async () => {
    const before = read();
    const { ino, mtimeMs } = statSync(join(folder, 'db.yaml'));
    expect(await edit('true')).toEqual({ exit: 0, stdout: '', stderr: 'db.yaml: nothing changed, nothing written\n' });
    expect(await edit('echo x >> "$2"; exit 3')).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('SOTTO-CLI-094'),
    });
    expect(await edit('echo "a: [" > "$2"')).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('SOTTO-YAML-001'),
    });
    expect(await edit('echo "sops: {}" >> "$2"')).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('SOTTO-SOPS-016'),
    });
    expect(read()).toBe(before);
    expect(statSync(join(folder, 'db.yaml'))).toMatchObject({ ino, mtimeMs });
    expect(leftovers()).toEqual([]);
  });

  it('does not write over what somebody else wrote meanwhile', async () => {
    const { exit, stderr } = await edit(`echo "more: x" >> "$2"; echo other > ${join(folder, 'db.yaml')}`);
    expect([exit, stderr]).toEqual([2, expect.stringContaining('SOTTO-CLI-095')]);
    expect(read()).toBe('other\n');
  });

  it('refuses a recipient that .sops.yaml does not name, before the editor gets anything', async () => {
    writeFileSync(join(folder, '.sops.yaml'), `creation_rules: [{ age: '${otherRecipient}' }]\n`);
    const before = read();
    const { exit, stderr } = await edit('touch started; echo "more: x" >> "$2"');
    expect([exit, stderr]).toEqual([2, expect.stringContaining('SOTTO-CLI-091')]);
    expect(stderr).toContain(recipient);
    expect(read()).toBe(before);
    expect(readdirSync(folder)).not.toContain('started');
    expect(leftovers()).toEqual([]);
  });

  it('keeps key groups and their threshold', async () => {
    const keys = await Promise.all([1, 2].map(() => generateX25519Identity()));
    const recipients = await Promise.all(keys.map(identityToRecipient));
    const groups = recipients.map((each) => `{ age: ['${each}'] }`).join(', ');
    writeFileSync(join(folder, '.sops.yaml'), `creation_rules: [{ shamir_threshold: 2, key_groups: [${groups}] }]\n`);
    writeFileSync(join(folder, 'keys.txt'), `${keys.join('\n')}\n`);
    writeFileSync(join(folder, 'shared.yaml'), SECRET);
    expect((await run(['encrypt', '-i', 'shared.yaml'])).exit).toBe(0);
    const before = read('shared.yaml');
    expect((await edit('sed -i s/horse/battery/ "$2"', 'shared.yaml')).exit).toBe(0);
    expect(changedLines(before, read('shared.yaml'))).toEqual(['password', 'password']);
    expect(await clear('shared.yaml')).toContain('correct battery');
    writeFileSync(join(folder, 'keys.txt'), `${keys[0] ?? ''}\n`);
    expect(await edit('true', 'shared.yaml')).toMatchObject({ exit: 4, stderr: expect.stringContaining('SOPS-030') });
  });

  it('works on any file', async () => {
    writeFileSync(join(folder, 'blob'), Buffer.from([0, 255, 10]));
    expect((await run(['encrypt', '-i', '--age', recipient, 'blob'])).exit).toBe(0);
    expect((await edit('printf "\\\\377end" > "$2"', 'blob')).exit).toBe(0);
    await run(['decrypt', '-i', 'blob']);
    expect(readFileSync(join(folder, 'blob'))).toEqual(Buffer.from([255, 0x65, 0x6e, 0x64]));
  });
});
