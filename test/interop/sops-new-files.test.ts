import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { WholeFormat } from '../../src/sops/scalar.ts';
import { type CliResult, sotto } from '../cli/session.ts';
import { describeReal } from '../harness/real.ts';
import { type AgeKeyPair, newAgeKeyPair, runStock, stockOutput } from '../harness/stock.ts';

const NAMES: Readonly<Record<WholeFormat, string>> = {
  yaml: 'new.yaml',
  json: 'new.json',
  dotenv: 'new.env',
  ini: 'new.ini',
  binary: 'new.bin',
};
const FORMATS = Object.entries(NAMES).map(([format, name]) => ({ format, name }));

describeReal('Files that do not exist yet', ['sops', 'age-keygen'], () => {
  let ours: AgeKeyPair;
  let other: AgeKeyPair;
  let folder: string;

  beforeAll(async () => {
    [ours, other] = await Promise.all([newAgeKeyPair(), newAgeKeyPair()]);
  });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sotto-new-'));
    mkdirSync(join(folder, 'deploy'));
    rules(`  - age: ${ours.recipient}\n`);
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const rules = (list: string): void => writeFileSync(join(folder, '.sops.yaml'), `creation_rules:\n${list}`);
  const env = (): Record<string, string> => ({
    HOME: folder,
    PATH: process.env['PATH'] ?? '',
    SOPS_AGE_KEY: ours.identity,
    XDG_RUNTIME_DIR: '/dev/shm',
  });
  const run = (argv: readonly string[], more: Record<string, string> = {}, stdin = ''): Promise<CliResult> =>
    sotto(argv, { cwd: folder, env: { ...env(), ...more }, stdin });
  const editor = (script: string): Record<string, string> => {
    writeFileSync(join(folder, 'editor'), `#!/bin/sh\nset -e\n${script}\n`);
    chmodSync(join(folder, 'editor'), 0o755);
    return { EDITOR: join(folder, 'editor') };
  };
  const edit = (file: string, script: string, args: readonly string[] = []): Promise<CliResult> =>
    run(['edit', ...args, file], editor(script));
  const stock = (args: readonly string[], more: Record<string, string> = {}): Promise<Buffer> =>
    stockOutput('sops', args, { cwd: folder, env: { ...env(), ...more } });

  it.for(FORMATS)(
    '$format: edit puts the example of sops before the person, and sops opens what is made of it',
    async ({ name }) => {
      const script = 'cp "$1" seen; sed -i s/Welcome/Hello/ "$1"';
      expect(await edit(name, script)).toEqual({ exit: 0, stdout: '', stderr: `${name}: made\n` });
      const seen = readFileSync(join(folder, 'seen'), 'utf8');
      // Stock: what its editor gets, and what it decrypts when the same change was made there.
      await stock([`stock-${name}`], editor(script));
      expect(seen).toBe(readFileSync(join(folder, 'seen'), 'utf8'));
      expect(await stock(['decrypt', name])).toEqual(await stock(['decrypt', `stock-${name}`]));
      expect(statSync(join(folder, name)).mode & 0o777).toBe(0o666 & ~process.umask());
      // And goes on with it.
      await stock(['edit', name], editor('sed -i s/Hello/Again/g "$1"'));
      await stock(['rotate', '-i', name]);
      const { exit, stdout } = await run(['decrypt', name]);
      expect([exit, stdout]).toEqual([0, expect.stringContaining('Again to SOPS! Edit this file as you please!')]);
    },
  );

  it.for(FORMATS)('$format: unchanged or empty, nothing is written', async ({ name }) => {
    for (const script of ['true', ': > "$1"']) {
      expect(await edit(name, script)).toEqual({
        exit: 0,
        stdout: '',
        stderr: `${name}: unchanged or empty, nothing written\n`,
      });
    }
    expect(existsSync(join(folder, name))).toBe(false);
    const { code, stderr } = await runStock('sops', ['edit', name], { cwd: folder, env: { ...env(), EDITOR: 'true' } });
    expect([code, stderr]).toEqual([200, expect.stringContaining('File has not changed')]);
  });

  it('takes recipients, groups and selector of the first rule that matches, or those of flags', async () => {
    rules(
      `  - path_regex: ^deploy/\n    encrypted_regex: ^key\n    shamir_threshold: 2\n    key_groups:\n      - age: [${ours.recipient}]\n      - age: [${other.recipient}]\n` +
        `  - path_regex: \\.json$\n    age: ${other.recipient}\n`,
    );
    await edit('deploy/db.yaml', 'printf "name: db\\nkey: one\\n" > "$1"');
    const text = readFileSync(join(folder, 'deploy/db.yaml'), 'utf8');
    expect(text).toMatch(/^name: db\nkey: ENC\[/);
    const both = { SOPS_AGE_KEY: `${ours.identity} ${other.identity}` };
    expect((await stock(['decrypt', 'deploy/db.yaml'], both)).toString()).toBe('name: db\nkey: one\n');
    expect((await runStock('sops', ['decrypt', 'deploy/db.yaml'], { cwd: folder, env: env() })).code).toBe(128);
    expect(await edit('a.txt', 'echo x > "$1"')).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('SOPS-019'),
    });
    expect((await edit('a.txt', 'printf x > "$1"', ['--age', ours.recipient])).exit).toBe(0);
    expect((await stock(['decrypt', 'a.txt'])).toString()).toBe('x');
  });

  it('secret set and generate make a file with one value in it', async () => {
    const cases = [
      ['new.yaml', 'a.b'],
      ['new.json', 'a.b'],
      ['new.env', 'B'],
      ['new.ini', 'a.b'],
    ] as const;
    for (const [name, path] of cases) {
      expect(await run(['secret', 'set', name, path], {}, 'correct horse\n')).toEqual({
        exit: 0,
        stdout: '',
        stderr: `${path.includes('.') ? path : 'B'} of ${name}: written to a new file\n`,
      });
      expect((await stock(['decrypt', name])).toString()).toContain('correct horse');
      await stock(['set', name, path === 'B' ? '["C"]' : '["a"]["c"]', '"more"']);
      expect((await run(['secret', 'show', name, path])).stdout).toBe('correct horse');
    }
    expect((await run(['secret', 'generate', 'token.yaml', 'token'])).exit).toBe(0);
    expect((await stock(['decrypt', '--extract', '["token"]', 'token.yaml'])).toString()).toMatch(/^[A-Za-z0-9]{32}$/);
    expect(await run(['secret', 'set', 'new.bin', 'a'], {}, 'x')).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('SOPS-056'),
    });
    expect(existsSync(join(folder, 'new.bin'))).toBe(false);
  });

  it('refuses what it cannot make before the editor gets anything, and never writes over another file', async () => {
    expect(await edit('none/a.yaml', 'touch started')).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('CLI-250'),
    });
    expect(await run(['secret', 'set', 'none/a.yaml', 'a'], {}, 'x')).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('CLI-250'),
    });
    rmSync(join(folder, '.sops.yaml'));
    expect(await edit('a.yaml', 'touch started')).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('CLI-007'),
    });
    expect(existsSync(join(folder, 'started'))).toBe(false);
    rules(`  - age: ${ours.recipient}\n`);
    const meanwhile = await edit('a.yaml', 'echo "a: 1" > "$1"; echo other > a.yaml');
    expect(meanwhile).toMatchObject({ exit: 2, stderr: expect.stringContaining('CLI-095') });
    expect(readFileSync(join(folder, 'a.yaml'), 'utf8')).toBe('other\n');
    expect(await edit('b.yaml', 'echo "a: [" > "$1"')).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('YAML-'),
    });
    expect(await edit('b.yaml', 'echo "a: 1" > "$1"; exit 3')).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('CLI-094'),
    });
    expect(await edit('a.yaml', 'true', ['--age', ours.recipient])).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('CLI-251'),
    });
    expect(readdirSync(folder).toSorted()).toEqual(['.sops.yaml', 'a.yaml', 'deploy', 'editor']);
    expect(readdirSync('/dev/shm').filter((name) => name.startsWith('sotto-edit-'))).toEqual([]);
  });
});
