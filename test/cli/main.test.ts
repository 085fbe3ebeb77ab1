import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

// The program as a process of its own: what run() in this process cannot show.

const MAIN = resolve('src/main.ts');
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sotto-main-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Ended {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function shell(script: string, ...args: readonly string[]): Promise<Ended> {
  return new Promise((done) => {
    const child = execFile(
      'sh',
      ['-c', script, process.execPath, MAIN, ...args],
      { cwd: folder },
      (_, stdout, stderr) => {
        done({ exit: child.exitCode, stdout, stderr });
      },
    );
  });
}

describe('the program', () => {
  it('runs unbuilt and prints its version', async () => {
    expect(await shell('exec "$0" "$@" version')).toMatchObject({
      exit: 0,
      stderr: '',
      stdout: expect.stringMatching(/^sotto \d/),
    });
  });

  it('says on an older Node.js what it needs, before anything else', async () => {
    const old = `data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'24.14.1'}})`;
    expect(await shell(`exec "$0" --import "${old}" "$@" version`)).toEqual({
      exit: 2,
      stdout: '',
      stderr:
        'SOTTO-CLI-004: this is Node.js 24.14.1 — sotto needs 24.15 or newer — ' +
        'run it with node_modules/.bin/node after npm ci, or install Node.js 24\n',
    });
  });

  it('ends quietly when nobody reads its output', async () => {
    expect(await shell('("$0" "$@" --help; echo "exit $?" >&2) | true')).toMatchObject({ stderr: 'exit 0\n' });
  });

  it('ends with 130 on the first Ctrl-C, also while it waits for stdin', async () => {
    writeFileSync(join(folder, 'keys.txt'), `${await generateX25519Identity()}\n`);
    const child = spawn(process.execPath, [MAIN, 'decrypt', '--key-file', 'keys.txt', '--filename', 'a.yaml', '-'], {
      cwd: folder,
    });
    const errors: Buffer[] = [];
    child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
    const ended = new Promise((done) => child.on('close', done));
    // More than a pipe holds: it is written when the process has begun to read.
    await new Promise((done) => child.stdin.write('# comment\n'.repeat(50_000), done));
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(Buffer.concat(errors).toString()).toBe('');
  });

  it.each([
    ['cannot be written', 0],
    ['can be written in part only', 1],
  ])('leaves a file as it was when the new one %s', async (_, blocks) => {
    const recipient = await identityToRecipient(await generateX25519Identity());
    const secret = `kind: Secret\nstringData: { a: correct horse, b: ${'long '.repeat(1000)}}\n`;
    writeFileSync(join(folder, 'db.yaml'), secret);
    const noFiles = `trap "" XFSZ; ulimit -f ${blocks}; exec "$0" "$@"`;
    const { exit, stdout, stderr } = await shell(noFiles, 'encrypt', '-i', '--age', recipient, 'db.yaml');
    expect({ exit, stdout, stderr }).toEqual({
      exit: 2,
      stdout: '',
      stderr:
        'SOTTO-CLI-006: the file was not written and is as it was (db.yaml) — the limit for the size of files is reached — ' +
        'check the permissions of the file and its folder, and the space left\n',
    });
    expect(readdirSync(folder)).toEqual(['db.yaml']);
    expect(readFileSync(join(folder, 'db.yaml'), 'utf8')).toBe(secret);
  });
});
