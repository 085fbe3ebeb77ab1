import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Checkout, openCheckout, readCheckout } from '../../src/git/checkout.ts';
import { commitFiles, createBranch, moveRef, skippedHooks } from '../../src/git/commit-files.ts';

// Against the real git: a checkout of a person, with their configuration.

let folder: string;
let root: string;
let env: NodeJS.ProcessEnv;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sotto-checkout-'));
  root = join(folder, 'app');
  mkdirSync(join(folder, 'home'));
  env = {
    PATH: process.env['PATH'],
    HOME: join(folder, 'home'),
    GIT_CONFIG_NOSYSTEM: '1',
    SOPS_AGE_KEY: 'not for git',
    // As a hook of another repository would have it.
    GIT_DIR: '/nonexistent',
    GIT_INDEX_FILE: '/nonexistent/index',
  };
  git('init', '-q', '-b', 'main', root);
  writeFileSync(join(folder, 'home', '.gitconfig'), '[user]\n\tname = Ada\n\temail = ada@example.com\n');
  put('deploy/web.yaml', 'a: 1\n');
  put('deploy/run.sh', '#!/bin/sh\n');
  chmodSync(join(root, 'deploy/run.sh'), 0o755);
  put('notes.txt', 'as it is\r\n');
  git('-C', root, 'add', '.');
  git('-C', root, 'commit', '-q', '-m', 'first');
});

afterEach(() => rm(folder, { recursive: true, force: true }));

describe('a commit on a new branch', () => {
  it('holds the given bytes, keeps modes and all other files, and leaves HEAD, index and working tree alone', async () => {
    const checkout = await open('deploy');
    const { commit: parent, branch, changed } = await readCheckout(checkout);
    expect([branch, changed]).toEqual(['main', []]);
    const indexBefore = readFileSync(join(root, '.git/index'));
    writeFileSync(join(root, '.gitattributes'), '* text eol=crlf\n');
    const files = new Map([
      ['deploy/run.sh', Buffer.from('#!/bin/sh\r\nexit 0\n')],
      ['deploy/new/é.yaml', Buffer.from('b: 2\n')],
      ['notes.txt', undefined],
    ]);
    const commit = await commitFiles(checkout, { parent, files, message: 'Keep it\n\nBecause.' });
    await createBranch(checkout, 'sotto/keep-web', commit, 'sotto keep');

    expect(git('-C', root, 'rev-parse', 'sotto/keep-web')).toBe(`${commit}\n`);
    expect(git('-C', root, 'log', '-1', '--format=%P %an <%ae> %cn%n%B', commit)).toBe(
      `${parent} Ada <ada@example.com> Ada\nKeep it\n\nBecause.\n\n`,
    );
    expect(git('-C', root, '-c', 'core.quotePath=false', 'diff-tree', '-r', '--name-status', parent, commit)).toBe(
      'A\tdeploy/new/é.yaml\nM\tdeploy/run.sh\nD\tnotes.txt\n',
    );
    expect(git('-C', root, 'ls-tree', commit, 'deploy/run.sh')).toMatch(/^100755 /);
    expect(git('-C', root, 'cat-file', 'blob', `${commit}:deploy/run.sh`)).toBe('#!/bin/sh\r\nexit 0\n');
    expect(git('-C', root, 'symbolic-ref', 'HEAD')).toBe('refs/heads/main\n');
    expect(readFileSync(join(root, '.git/index'))).toEqual(indexBefore);
    expect(readFileSync(join(root, 'notes.txt'), 'utf8')).toBe('as it is\r\n');
    expect(git('-C', root, 'fsck', '--strict')).toBe('');
    expect(readdirSync(join(root, '.git')).filter((name) => name.endsWith('.lock'))).toEqual([]);
  });

  it('leaves an existing branch, and one that git has no room for, as it is', async () => {
    const checkout = await open();
    const { commit } = await readCheckout(checkout);
    git('-C', root, 'branch', 'sotto');
    for (const name of ['main', 'sotto/keep', 'a..b', '-x', '']) {
      await expect(createBranch(checkout, name, commit, 'no')).rejects.toMatchObject({ code: 'SOTTO-CLI-193' });
    }
    git('-C', root, 'branch', 'deep/er');
    await expect(createBranch(checkout, 'deep', commit, 'no')).rejects.toMatchObject({ code: 'SOTTO-CLI-193' });
    expect(git('-C', root, 'for-each-ref', '--format=%(refname)')).toBe(
      'refs/heads/deep/er\nrefs/heads/main\nrefs/heads/sotto\n',
    );
  });

  it('moves a branch only from where it is thought to be', async () => {
    const checkout = await open();
    const { commit: first } = await readCheckout(checkout);
    const request = { parent: first, message: 'next' };
    const next = await commitFiles(checkout, { ...request, files: new Map([['a', Buffer.from('1')]]) });
    const other = await commitFiles(checkout, { ...request, files: new Map([['a', Buffer.from('2')]]) });
    await createBranch(checkout, 'work', first, 'made');
    await moveRef(checkout, 'work', { from: first, to: next, why: 'moved' });
    const stale = moveRef(checkout, 'work', { from: first, to: other, why: 'late' });
    await expect(stale).rejects.toMatchObject({ code: 'SOTTO-CLI-193' });
    expect(git('-C', root, 'rev-parse', 'work').trim()).toBe(next);
  });

  it('is signed where git is set up so, and not made where signing fails', async () => {
    const key = join(folder, 'home', 'id');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    git('-C', root, 'config', 'gpg.format', 'ssh');
    git('-C', root, 'config', 'user.signingKey', `${key}.pub`);
    git('-C', root, 'config', 'commit.gpgSign', 'true');
    writeFileSync(join(folder, 'signers'), `ada@example.com ${readFileSync(`${key}.pub`, 'utf8')}`);
    const checkout = await open();
    const { commit: parent } = await readCheckout(checkout);
    const request = { parent, files: new Map([['a', Buffer.from('1')]]), message: 'signed' };
    const commit = await commitFiles(checkout, request);
    git('-C', root, 'config', 'gpg.ssh.allowedSignersFile', join(folder, 'signers'));
    expect(git('-C', root, 'log', '-1', '--format=%G? %GS', commit)).toBe('G ada@example.com\n');

    git('-C', root, 'config', 'user.signingKey', join(folder, 'absent.pub'));
    await expect(commitFiles(checkout, request)).rejects.toMatchObject({ code: 'SOTTO-CLI-195' });
  });

  it('needs an identity, as git commit does', async () => {
    writeFileSync(join(folder, 'home', '.gitconfig'), '[user]\n\tuseConfigOnly = true\n');
    const checkout = await open();
    const { commit: parent } = await readCheckout(checkout);
    const made = commitFiles(checkout, { parent, files: new Map([['a', Buffer.from('1')]]), message: 'm' });
    await expect(made).rejects.toMatchObject({ code: 'SOTTO-CLI-194' });
  });

  it('runs no hook of the repository, and tells which ones git commit would have run', async () => {
    for (const name of ['pre-commit', 'commit-msg', 'post-index-change']) {
      const hook = join(root, '.git/hooks', name);
      put(`.git/hooks/${name}`, `#!/bin/sh\ntouch ${join(folder, `ran-${name}`)}\nexit 1\n`);
      chmodSync(hook, 0o755);
    }
    const checkout = await open();
    const { commit: parent } = await readCheckout(checkout);
    const commit = await commitFiles(checkout, { parent, files: new Map([['a', Buffer.from('1')]]), message: 'm' });
    await createBranch(checkout, 'work', commit, 'made');
    expect(readdirSync(folder).filter((name) => name.startsWith('ran-'))).toEqual([]);
    expect(await skippedHooks(checkout)).toEqual(['pre-commit', 'commit-msg']);
  });

  it('never follows a path out of the tree', async () => {
    const checkout = await open();
    const { commit: parent } = await readCheckout(checkout);
    for (const path of ['../out', '.git/config', 'a/../../b', '/etc/x']) {
      const made = commitFiles(checkout, { parent, files: new Map([[path, Buffer.from('1')]]), message: 'm' });
      await expect(made).rejects.toMatchObject({ code: 'SOTTO-CLI-196' });
    }
  });
});

describe('the state of a checkout', () => {
  it('tells changed files, staged or not, and not those git does not know', async () => {
    put('deploy/web.yaml', 'a: 2\n');
    put('deploy/odd name\t.yaml', 'x: 1\n');
    git('-C', root, 'add', 'deploy/odd name\t.yaml');
    put('unknown.yaml', 'x: 1\n');
    const state = await readCheckout(await open());
    expect(state.changed.toSorted()).toEqual(['deploy/odd name\t.yaml', 'deploy/web.yaml']);
  });

  it('has no branch while HEAD is detached', async () => {
    git('-C', root, 'checkout', '-q', '--detach');
    expect((await readCheckout(await open())).branch).toBeUndefined();
  });

  it('is refused for a folder outside, and for a repository without a commit', async () => {
    await expect(openCheckout(folder, env, signal())).rejects.toMatchObject({ code: 'SOTTO-CLI-190' });
    git('init', '-q', join(folder, 'empty'));
    const empty = await openCheckout(join(folder, 'empty'), env, signal());
    await expect(readCheckout(empty)).rejects.toMatchObject({ code: 'SOTTO-CLI-192' });
  });

  it('hands no private key of sops to git', async () => {
    const checkout = await open();
    expect(Object.keys(checkout.env)).not.toContain('SOPS_AGE_KEY');
    expect(Object.keys(checkout.env)).not.toContain('GIT_DIR');
  });
});

function open(below = ''): Promise<Checkout> {
  return openCheckout(join(root, below), env, signal());
}

function signal(): AbortSignal {
  return new AbortController().signal;
}

function put(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

function git(...args: readonly string[]): string {
  const plain = { PATH: env['PATH'], HOME: env['HOME'], GIT_CONFIG_NOSYSTEM: '1' };
  return execFileSync('git', args, { env: plain, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}
