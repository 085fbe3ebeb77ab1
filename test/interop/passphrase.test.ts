import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { run } from '../../src/cli/program.ts';
import { parseKeySecret } from '../../src/keys/parse-keys.ts';
import { collector } from '../cli/session.ts';
import { ageAtTerminal } from '../harness/age-terminal.ts';
import { type GpgHome, newGpgHome } from '../harness/gpg.ts';
import { describeReal } from '../harness/real.ts';
import { newAgeKeyPair, stockOutput } from '../harness/stock.ts';
import { keySecret } from '../keys/key-secrets.ts';

const CLEAR = 'password: hunter2\n';
const PASSPHRASE = 'correct horse';
/** With the cipher of ssh-keygen, the other one that sops reads, and the old form of OpenSSL. */
const SSH_KEYS = [
  ['id_ed25519', 'ed25519', []],
  ['id_cbc', 'ed25519', ['-Z', 'aes256-cbc']],
  ['id_rsa', 'rsa', []],
  ['id_pem', 'rsa', ['-m', 'PEM']],
] as const;

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
    for (const [file, type, more] of SSH_KEYS) {
      const options = ['-q', '-t', type, '-a', '4', '-N', PASSPHRASE, '-f', join(folder, file), ...more];
      await promisify(execFile)('ssh-keygen', options);
    }
    for (const [file, args] of [
      ['age.yaml', ['--age', pair.recipient]],
      ...SSH_KEYS.map(
        ([key]) => [`${key}.yaml`, ['--age', readFileSync(join(folder, `${key}.pub`), 'utf8').trim()]] as const,
      ),
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

  async function lockedByAge(file: string, ...args: readonly string[]): Promise<void> {
    expect(await ageAtTerminal(folder, ['-p', ...args, '-o', file, 'keys.txt'], PASSPHRASE)).toBe(0);
  }

  const decrypted = (file: string, keyFile: string, ...typed: readonly string[]) =>
    ran(['decrypt', '--key-file', keyFile, file], {}, typed);

  async function ran(argv: readonly string[], env: Record<string, string>, typed: readonly string[]) {
    const [stdout, stderr] = [collector(), collector()];
    const stdin = Object.assign(Readable.from(typed.map((line) => Buffer.from(`${line}\r`))), {
      setRawMode: () => undefined,
    });
    const isTerminal = { stdin: typed.length > 0, stdout: false, stderr: false };
    const around = { env, cwd: folder, stdin, stdout, stderr, isTerminal, columns: undefined };
    const signal = new AbortController().signal;
    const exit = await run(argv, { ...around, signal });
    return { exit, stdout: stdout.text(), stderr: stderr.text() };
  }

  it.each([
    ['age.yaml', 'keys.age'],
    ['age.yaml', 'armoured.age'],
    ['pgp.yaml', 'key.asc'],
    ['id_ed25519.yaml', 'id_ed25519'],
    ['id_cbc.yaml', 'id_cbc'],
    ['id_rsa.yaml', 'id_rsa'],
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
    ['id_ed25519.yaml', 'id_ed25519'],
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

  it('of SSH is asked for where sops finds it, and only for a file that names the key', async () => {
    const env = { SOPS_AGE_SSH_PRIVATE_KEY_FILE: 'id_pem' };
    const pem = await ran(['decrypt', 'id_pem.yaml'], env, [PASSPHRASE]);
    expect([pem.exit, pem.stdout]).toEqual([0, CLEAR]);
    const dotSsh = join(folder, 'home', '.ssh');
    mkdirSync(dotSsh, { recursive: true });
    writeFileSync(join(dotSsh, 'id_ed25519'), readFileSync(join(folder, 'id_ed25519')));
    const own = await ran(['decrypt', 'id_ed25519.yaml'], { HOME: join(folder, 'home') }, [PASSPHRASE]);
    expect([own.exit, own.stdout]).toEqual([0, CLEAR]);
    for (const other of ['age.yaml', 'id_cbc.yaml', 'id_rsa.yaml']) {
      const { stderr } = await ran(['decrypt', other], { HOME: join(folder, 'home') }, [PASSPHRASE]);
      expect(stderr).toContain('SOTTO-AGE-001');
      expect(stderr).toContain('(behind a passphrase)');
      expect(stderr).not.toContain('passphrase of');
    }
  });

  it('of SSH whose public part was exchanged opens nothing', async () => {
    const read = (file: string): string => readFileSync(join(folder, file), 'utf8');
    const key = Buffer.from(read('id_ed25519').replaceAll(/-----.*-----|\s/g, ''), 'base64');
    const [ours, theirs] = ['id_ed25519', 'id_cbc'].map((name) =>
      Buffer.from(read(`${name}.pub`).split(' ')[1] ?? '', 'base64'),
    );
    key.set(theirs ?? [], key.indexOf(ours ?? ''));
    const text = `-----BEGIN OPENSSH PRIVATE KEY-----\n${key.toString('base64')}\n-----END OPENSSH PRIVATE KEY-----\n`;
    writeFileSync(join(folder, 'exchanged'), text);
    const { stderr } = await decrypted('id_cbc.yaml', 'exchanged', PASSPHRASE, PASSPHRASE, PASSPHRASE);
    expect(stderr).toContain('SOTTO-KEYS-040');
  });

  it('is refused by name in a Secret of the agent', () => {
    const entries = {
      's.agekey': readFileSync(join(folder, 'id_ed25519'), 'utf8'),
      'a.agekey': readFileSync(join(folder, 'armoured.age'), 'utf8'),
      'k.asc': readFileSync(join(folder, 'key.asc'), 'utf8'),
    };
    const { ageIdentities, pgpIdentities, problems } = parseKeySecret(keySecret('keys', entries));
    expect([ageIdentities, pgpIdentities]).toEqual([[], []]);
    expect(problems.map(({ code, place }) => [code, place.key])).toEqual([
      ['SOTTO-KEYS-042', 'a.agekey'],
      ['SOTTO-KEYS-042', 'k.asc'],
      ['SOTTO-AGE-010', 's.agekey'],
    ]);
  });
});
