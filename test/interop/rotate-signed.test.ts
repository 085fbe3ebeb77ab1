import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type CliResult, sotto } from '../cli/session.ts';
import { describeReal } from '../harness/real.ts';
import { commitAll, identityIn, openedByStock, type Rotating, rotating } from '../harness/rotation.ts';
import { CLEAR_FILES } from '../harness/sealed-repository.ts';

const NAMES = ['deploy/db.yaml', 'deploy/app.env'];
const ADA = 'Ada <ada@example.com>';

describeReal('sotto rotate where git is set up to sign', ['sops', 'age-keygen'], () => {
  let at: Rotating;
  let env: Readonly<Record<string, string>>;
  let before: string;

  /** Git as Ada has set it up, in her own configuration alone. */
  beforeEach(async () => {
    at = await rotating({ files: Object.fromEntries(NAMES.map((name) => [name, CLEAR_FILES[name] ?? ''])) });
    before = commitAll(at);
    const key = at.outside('id');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', key]);
    writeFileSync(at.outside('signers'), `ada@example.com ${readFileSync(`${key}.pub`, 'utf8')}`);
    const config = [
      '[user]\n\tname = Ada\n\temail = ada@example.com',
      `\tsigningKey = ${key}.pub\n[gpg]\n\tformat = ssh\n[commit]\n\tgpgSign = true`,
      `[gpg "ssh"]\n\tallowedSignersFile = ${at.outside('signers')}`,
    ];
    writeFileSync(at.outside('gitconfig'), `${config.join('\n')}\n`);
    const own = Object.entries(at.env).filter(([name]) => !/^GIT_(?:AUTHOR|COMMITTER)_/.test(name));
    env = { ...Object.fromEntries(own), GIT_CONFIG_GLOBAL: at.outside('gitconfig') };
  });
  afterEach(() => at[Symbol.dispose]());

  const rotate = (...more: readonly string[]): Promise<CliResult> =>
    sotto(['rotate', '--key-file', at.outside('old.txt'), '--new-key', at.outside('new.txt'), '--yes', ...more], {
      cwd: at.root,
      env,
    });
  /** Who git says has signed, written and committed it. */
  const signed = (folder: string, revision: string): string => {
    const args = ['-C', folder, 'log', '-1', '--format=%G? %GS|%an <%ae>|%cn <%ce>', revision];
    return execFileSync('git', args, { env, encoding: 'utf8' }).trim();
  };
  const BY_ADA = `G ada@example.com|${ADA}|${ADA}`;

  it('the commit is signed by the key of the person, who is its author, here and where it is pushed', async () => {
    expect(await rotate('--push')).toMatchObject({ exit: 0 });
    expect(at.git('rev-parse', 'HEAD^').trim()).toBe(before);
    expect(at.gitIn(at.remote, 'rev-parse', 'main')).toBe(at.git('rev-parse', 'HEAD'));
    expect([signed(at.root, 'HEAD'), signed(at.remote, 'main')]).toEqual([BY_ADA, BY_ADA]);
    expect(signed(at.root, 'HEAD^')).toMatch(/^N \|Test /);
    expect([...(await openedByStock(at.root, NAMES, identityIn(at.outside('new.txt')))).values()]).not.toContain(
      undefined,
    );
  });

  it('so is the one on a branch of its own', async () => {
    expect(await rotate('--branch', 'rotate-keys', '--push')).toMatchObject({ exit: 0 });
    expect([signed(at.root, 'rotate-keys'), signed(at.remote, 'rotate-keys')]).toEqual([BY_ADA, BY_ADA]);
  });

  it('so is the one that is made again after a lost race', async () => {
    const other = at.outside('other');
    at.gitIn(at.folder, 'clone', '-q', at.remote, other);
    at.gitIn(other, 'commit', '-q', '--allow-empty', '-m', 'faster');
    const faster = at.gitIn(other, 'rev-parse', 'HEAD').trim();
    const hook = join(at.root, '.git/hooks/pre-push');
    writeFileSync(hook, `#!/bin/sh\nunset GIT_DIR\nexec git -C ${other} push -q origin HEAD:main\n`, { mode: 0o755 });
    const { exit, stderr } = await rotate('--push');
    expect({ exit, stderr }).toMatchObject({ exit: 0 });
    expect(stderr).toContain('encrypting again from there');
    expect(at.gitIn(at.remote, 'rev-parse', 'main^').trim()).toBe(faster);
    expect(signed(at.remote, 'main')).toBe(BY_ADA);
  });

  it('no unsigned commit is made instead where signing fails, and the same command goes on once it works', async () => {
    const [key, away] = [at.outside('id'), readFileSync(at.outside('id'))];
    rmSync(key);
    const refused = await rotate('--push');
    expect(refused).toMatchObject({ exit: 2, stderr: expect.stringContaining('SOTTO-CLI-195') as string });
    expect(at.git('rev-parse', 'HEAD', 'origin/main')).toBe(`${before}\n${before}\n`);
    expect(at.gitIn(at.remote, 'rev-parse', 'main').trim()).toBe(before);
    expect(at.git('status', '--porcelain')).toBe('');
    expect(existsSync(join(at.root, '.git/sotto-rotate'))).toBe(false);
    const made = identityIn(at.outside('new.txt'));
    writeFileSync(key, away, { mode: 0o600 });
    expect(await rotate('--push')).toMatchObject({ exit: 0 });
    expect(identityIn(at.outside('new.txt'))).toBe(made);
    expect(signed(at.remote, 'main')).toBe(BY_ADA);
  });
});
