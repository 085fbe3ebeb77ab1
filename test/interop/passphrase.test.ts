import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { run } from '../../src/cli/program.ts';
import { parseKeySecret } from '../../src/keys/parse-keys.ts';
import { collector } from '../cli/session.ts';
import { type GpgHome, newGpgHome } from '../harness/gpg.ts';
import { describeReal, toolPath } from '../harness/real.ts';
import { newAgeKeyPair, stockOutput } from '../harness/stock.ts';
import { keySecret } from '../keys/key-secrets.ts';

const CLEAR = 'password: hunter2\n';
const PASSPHRASE = 'correct horse';

describeReal('a key behind a passphrase', ['sops', 'age', 'age-keygen'], () => {
  let folder: string;
  let home: GpgHome;
  let fingerprint: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sotto-locked-'));
    home = await newGpgHome();
    const pair = await newAgeKeyPair();
    writeFileSync(join(folder, 'keys.txt'), `${pair.identity}\n`);
    await lockedByAge('keys.age');
    await lockedByAge('armoured.age', '--armor');
    fingerprint = await home.newKey('future-default', { passphrase: PASSPHRASE });
    writeFileSync(join(folder, 'key.asc'), await home.secretKey(fingerprint, PASSPHRASE));
    for (const [file, args] of [
      ['age.yaml', ['--age', pair.recipient]],
      ['pgp.yaml', ['--pgp', fingerprint]],
    ] as const) {
      writeFileSync(join(folder, file), CLEAR);
      await stockOutput('sops', ['encrypt', '-i', ...args, file], { cwd: folder, env: { GNUPGHOME: home.folder } });
    }
  });
  afterAll(async () => {
    await home[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  /** age takes a passphrase from a terminal only: script makes one. */
  async function lockedByAge(file: string, ...args: readonly string[]): Promise<void> {
    const command = `'${toolPath('age')}' -p ${args.join(' ')} -o ${file} keys.txt`;
    const child = spawn('script', ['-qec', command, '/dev/null'], { cwd: folder });
    child.stdout.on('data', (text: Buffer) => {
      if (/(?:Enter|Confirm) passphrase/.test(text.toString())) child.stdin.write(`${PASSPHRASE}\n`);
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect(code).toBe(0);
  }

  async function decrypted(file: string, keyFile: string, ...typed: readonly string[]) {
    const [stdout, stderr] = [collector(), collector()];
    const stdin = Object.assign(Readable.from(typed.map((line) => Buffer.from(`${line}\r`))), {
      setRawMode: () => undefined,
    });
    const isTerminal = { stdin: typed.length > 0, stdout: false, stderr: false };
    const around = { env: {}, cwd: folder, stdin, stdout, stderr, isTerminal, columns: undefined };
    const signal = new AbortController().signal;
    const exit = await run(['decrypt', '--key-file', keyFile, file], { ...around, signal });
    return { exit, stdout: stdout.text(), stderr: stderr.text() };
  }

  it.each([
    ['age.yaml', 'keys.age'],
    ['age.yaml', 'armoured.age'],
    ['pgp.yaml', 'key.asc'],
  ])('opens %s with %s after the passphrase was typed, at the second try too', async (file, keyFile) => {
    const first = await decrypted(file, keyFile, PASSPHRASE);
    expect([first.exit, first.stdout]).toEqual([0, CLEAR]);
    expect(first.stderr).not.toContain(PASSPHRASE);
    const second = await decrypted(file, keyFile, 'wrong', PASSPHRASE);
    expect([second.exit, second.stdout]).toEqual([0, CLEAR]);
  });

  it.each([
    ['age.yaml', 'keys.age'],
    ['pgp.yaml', 'key.asc'],
  ])('does not open %s with %s and another passphrase, or where nobody can be asked', async (file, keyFile) => {
    const wrong = await decrypted(file, keyFile, 'wrong', 'wrong', 'wrong');
    expect([wrong.exit === 0, wrong.stdout]).toEqual([false, '']);
    expect(wrong.stderr).toContain('SOTTO-KEYS-040');
    const nobody = await decrypted(file, keyFile);
    expect(nobody.stderr).toContain('SOTTO-KEYS-041');
  });

  it('is not asked for when the file has nothing for it', async () => {
    const { stderr } = await decrypted('age.yaml', 'key.asc', PASSPHRASE);
    expect(stderr).toContain('SOTTO-AGE-001');
    expect(stderr).not.toContain('passphrase of');
  });

  it('is refused by name in a Secret of the agent', () => {
    const entries = {
      'a.agekey': readFileSync(join(folder, 'armoured.age'), 'utf8'),
      'k.asc': readFileSync(join(folder, 'key.asc'), 'utf8'),
    };
    const { ageIdentities, pgpIdentities, problems } = parseKeySecret(keySecret('keys', entries));
    expect([ageIdentities, pgpIdentities]).toEqual([[], []]);
    expect(problems.map(({ code, place }) => [code, place.key])).toEqual([
      ['SOTTO-KEYS-042', 'a.agekey'],
      ['SOTTO-KEYS-042', 'k.asc'],
    ]);
  });
});
