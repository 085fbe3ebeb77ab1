import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A GnuPG home of its own: keys are made by gpg, and stock sops finds them there. */
export interface GpgHome extends AsyncDisposable {
  readonly folder: string;
  /** Gives the fingerprint of the primary key. */
  newKey(algorithm: 'future-default' | 'rsa2048' | 'rsa3072' | 'nistp256', options?: NewKeyOptions): Promise<string>;
  secretKey(fingerprint: string, passphrase?: string): Promise<Buffer>;
  publicKey(fingerprint: string): Promise<Buffer>;
  run(...args: readonly string[]): Promise<Buffer>;
}

export interface NewKeyOptions {
  readonly passphrase?: string;
  /** As gpg takes it: `never`, `seconds=5`. */
  readonly expires?: string;
}

export async function newGpgHome(): Promise<GpgHome> {
  // The path of the agent's socket must be short.
  const folder = mkdtempSync(join(tmpdir(), 'gpg-'));
  const env = { PATH: process.env['PATH'], HOME: '/nonexistent', GNUPGHOME: folder, LC_ALL: 'C.UTF-8' };
  const program = async (name: string, args: readonly string[]): Promise<Buffer> => {
    const { stdout } = await promisify(execFile)(name, args, { env, encoding: 'buffer', timeout: 60_000 });
    return stdout;
  };
  const run = (...args: readonly string[]): Promise<Buffer> =>
    program('gpg', ['--batch', '--yes', '--no-tty', '--pinentry-mode', 'loopback', ...args]);
  let count = 0;
  return {
    folder,
    run,
    newKey: async (algorithm, { passphrase = '', expires = 'never' } = {}) => {
      const name = `Test ${(count += 1)} <test-${count}@example.com>`;
      const usage = algorithm === 'future-default' ? 'default' : 'sign';
      await run('--passphrase', passphrase, '--quick-generate-key', name, algorithm, usage, expires);
      const listed = (await run('--with-colons', '--list-secret-keys', `=${name}`)).toString();
      const fingerprint = /^fpr:+([0-9A-F]{40}):/m.exec(listed)?.[1] ?? '';
      // Whoever names an algorithm gets no subkey with it.
      if (algorithm !== 'future-default') {
        await run('--passphrase', passphrase, '--quick-add-key', fingerprint, algorithm, 'encr', expires);
      }
      return fingerprint;
    },
    secretKey: (fingerprint, passphrase = '') =>
      run('--passphrase', passphrase, '--armor', '--export-secret-keys', fingerprint),
    publicKey: (fingerprint) => run('--armor', '--export', fingerprint),
    [Symbol.asyncDispose]: async () => {
      await program('gpgconf', ['--kill', 'all']).catch(() => undefined);
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
