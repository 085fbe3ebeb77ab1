import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { isolatedGitEnv } from '../../src/demo/git-repository.ts';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import { makeIdentity } from '../../src/sops/make-identity.ts';
import { type CliResult, sotto } from './session.ts';

export const NOW = new Date('2026-11-29T12:00:00Z');

export function newKeyFile(): { readonly recipient: string; readonly text: string } {
  const { identity, keyFile } = makeIdentity(NOW);
  return { recipient: identity.recipient, text: Buffer.from(keyFile.reveal()).toString() };
}

/** What every checkout here is encrypted for, in the file `old.txt` outside of it. */
export const old = newKeyFile();
export const FILES = ['deploy/db.yaml', 'deploy/web.yaml'];

/** For each test of a file a checkout of its own, with two SOPS files and their rule in one commit. */
export function checkoutForEach() {
  const place = { folder: '', root: '', env: {} as Record<string, string> };
  const git = (...args: readonly string[]): string =>
    execFileSync('git', ['-C', place.root, ...args], {
      env: place.env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  const write = (path: string, content: string | Uint8Array): void => {
    mkdirSync(dirname(join(place.root, path)), { recursive: true });
    writeFileSync(join(place.root, path), content);
  };
  const commit = (): void => {
    git('add', '-A');
    git('commit', '-q', '-m', 'all');
  };
  const outside = (name: string): string => join(place.folder, name);
  const run = (...argv: readonly string[]): Promise<CliResult> => sotto(argv, { cwd: place.root, env: place.env });

  beforeEach(async () => {
    place.folder = mkdtempSync(join(tmpdir(), 'sotto-checkout-'));
    place.root = join(place.folder, 'app');
    mkdirSync(place.root);
    const env = Object.entries(isolatedGitEnv(place.folder, process.env['PATH'] ?? ''));
    place.env = Object.fromEntries(env.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
    writeFileSync(outside('old.txt'), old.text, { mode: 0o600 });
    git('init', '-q', '-b', 'main');
    for (const file of FILES) {
      const options = { format: 'yaml', file, recipients: [old.recipient], now: NOW } as const;
      write(file, await encryptFile(Buffer.from('password: hush-hush\n'), options));
    }
    write('.sops.yaml', `creation_rules:\n- age: ${old.recipient}\n`);
    commit();
  });
  afterEach(() => rmSync(place.folder, { recursive: true, force: true }));

  return { place, git, write, commit, outside, run };
}
