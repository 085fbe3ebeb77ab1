import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startGitServer } from '../../src/demo/git-server.ts';
import { type CliResult, sotto } from '../cli/session.ts';
import { describeReal } from '../harness/real.ts';
import { CLEAR_FILES, openByStock } from '../harness/sealed-repository.ts';
import { commitAll, type Rotating, rotating, withNameIn } from '../harness/rotation.ts';
import { newAgeKeyPair, stockOutput } from '../harness/stock.ts';

const FILE = 'deploy/db.yaml';
const FILES = Object.fromEntries([FILE, 'deploy/app.env'].map((name) => [name, CLEAR_FILES[name] ?? '']));
const VALUE = 'tr0ub4dor and three';

describeReal('sotto secret set --push', ['sops', 'age-keygen'], () => {
  let at: Rotating;
  let first: string;
  let other: string;
  beforeEach(async () => {
    at = await rotating({ files: FILES });
    first = commitAll(at);
    other = at.outside('other');
    at.gitIn(at.folder, 'clone', '-q', at.remote, other);
  });
  afterEach(() => at[Symbol.dispose]());

  const secret = (command: string, args: readonly string[], stdin?: string): Promise<CliResult> =>
    sotto(['secret', command, '--key-file', at.outside('old.txt'), '--yes', ...args], {
      cwd: at.root,
      env: at.env,
      ...(stdin === undefined ? {} : { stdin }),
    });
  const set = (...more: readonly string[]): Promise<CliResult> =>
    secret('set', [...more, FILE, 'stringData.password'], `${VALUE}\n`);
  const opened = async (root = at.root, file = FILE): Promise<string | undefined> =>
    (await openByStock(root, file, at.old.identity))?.toString();
  /** Somebody else changes something with stock sops, and pushes it. */
  const meanwhile = async (...args: readonly string[]): Promise<void> => {
    await stockOutput('sops', args, { cwd: other, env: { HOME: at.folder, SOPS_AGE_KEY: at.old.identity } });
    at.gitIn(other, 'commit', '-qam', 'meanwhile');
    at.gitIn(other, 'push', '-q');
  };
  const write = (path: string, text: string): void => writeFileSync(join(other, path), text);
  const tipOf = (branch: string): string => at.gitIn(at.remote, 'rev-parse', branch).trim();
  const asBefore = (): void => {
    expect(at.git('rev-parse', 'HEAD').trim()).toBe(first);
    expect(at.git('status', '--porcelain')).toBe('');
    expect(at.git('branch', '--format=%(refname:short)')).toBe('main\n');
  };

  it('is one commit by the person, of that file, which says what and never the value; stock sops opens it', async () => {
    const before = at.read(FILE);
    const { exit, stdout, stderr } = await set('--push');
    expect({ exit, stdout, stderr }).toMatchObject({ exit: 0, stdout: '' });
    expect(at.git('log', '-1', '--format=%P %an %s%n%b')).toBe(`${first} Test Set stringData.password of ${FILE}\n\n`);
    expect(at.git('diff', '--name-only', first, 'HEAD')).toBe(`${FILE}\n`);
    expect(tipOf('main')).toBe(at.git('rev-parse', 'HEAD').trim());
    expect(at.git('status', '--porcelain')).toBe('');
    expect(at.git('fsck', '--strict')).toBe('');
    expect(await opened()).toContain(`password: ${VALUE}\n`);
    const changed = at
      .read(FILE)
      .split('\n')
      .filter((line, index) => line !== before.split('\n')[index]);
    const keys = changed.map((line) => line.trim().replace(/:.*/, '')).filter((key) => key !== 'lastmodified');
    expect(keys).toEqual(['password', 'mac']);
    for (const text of [stderr, at.git('log', '--all', '-p', '--format=fuller'), at.git('reflog')])
      expect(text).not.toContain(VALUE);
    expect(stderr).toBe(
      `commit ${tipOf('main').slice(0, 12)} is pushed to origin/main\nbranch main, file and index are there as well\nstringData.password of ${FILE}: committed\n`,
    );
  });

  it('leaves changes of other files alone, in the index and on the disk', async () => {
    at.write('README.md', 'mine\n');
    at.write('staged.txt', 'mine too\n');
    at.git('add', 'staged.txt');
    expect(await set('--push')).toMatchObject({ exit: 0 });
    expect(at.git('status', '--porcelain')).toBe(' M README.md\nA  staged.txt\n');
    expect(at.git('diff', '--name-only', first, 'HEAD')).toBe(`${FILE}\n`);
  });

  it('unsets and generates as well, and makes a file that is not there', async () => {
    expect(await secret('unset', ['--push', FILE, 'stringData.user'])).toMatchObject({ exit: 0 });
    expect(await secret('generate', ['--push', FILE, 'stringData.token'])).toMatchObject({ exit: 0 });
    expect(await secret('set', ['--push', 'deploy/new.env', 'TOKEN'], 'new')).toMatchObject({ exit: 0 });
    expect(at.git('log', '--format=%s', `${first}..`)).toBe(
      `Set TOKEN of deploy/new.env\nGenerate stringData.token of ${FILE}\nUnset stringData.user of ${FILE}\n`,
    );
    expect(at.git('status', '--porcelain')).toBe('');
    expect(await opened()).toMatch(/token: \w{32}\n/);
    expect(await opened(at.root, 'deploy/new.env')).toBe('TOKEN=new\n');
    const same = await secret('set', ['--push', 'deploy/new.env', 'TOKEN'], 'new');
    expect(same).toMatchObject({ exit: 0, stderr: 'deploy/new.env: nothing changed, nothing written\n' });
  });

  it('is made again on what a second committer has pushed, in the same file too', async () => {
    await meanwhile('set', FILE, '["stringData"]["user"]', '"root"');
    const { exit, stderr } = await set('--push');
    expect({ exit, stderr }).toMatchObject({
      exit: 0,
      stderr: expect.stringContaining('git pull --ff-only') as string,
    });
    asBefore();
    at.git('pull', '-q', '--ff-only');
    expect(at.git('log', '--format=%s', `${first}..`)).toBe(`Set stringData.password of ${FILE}\nmeanwhile\n`);
    expect(await opened()).toContain('user: root');
    expect(await opened()).toContain(`password: ${VALUE}`);
  });

  it('never writes over a value that others changed meanwhile, nor takes out what they put in', async () => {
    await meanwhile('set', FILE, '["stringData"]["password"]', '"theirs"');
    const tip = tipOf('main');
    for (const end of [await set('--push'), await secret('unset', ['--push', FILE, 'stringData'])]) {
      expect(end).toMatchObject({ exit: 1, stderr: expect.stringContaining('SOTTO-CLI-273') as string });
      expect(end.stderr).not.toContain('theirs');
      asBefore();
    }
    expect(tipOf('main')).toBe(tip);
  });

  it('is not made again for others than at first: who was added meanwhile is looked at, who was planted as well', async () => {
    const [added, planted] = [await newAgeKeyPair(), await newAgeKeyPair()];
    writeFileSync(join(other, '.sops.yaml'), `creation_rules:\n- age: ${at.old.recipient},${added.recipient}\n`);
    await meanwhile('rotate', '-i', '--add-age', added.recipient, FILE);
    const refused = await set('--push');
    expect(refused).toMatchObject({ exit: 1, stderr: expect.stringContaining('SOTTO-CLI-273') as string });
    expect(refused.stderr).toContain(`it is for ${added.recipient} there`);
    expect(refused.stderr).toContain('git pull --ff-only, look at who that is');
    asBefore();
    at.git('pull', '-q', '--ff-only');
    expect(await set('--push')).toMatchObject({ exit: 0 });
    first = at.git('rev-parse', 'HEAD').trim();
    expect((await openByStock(at.root, FILE, added.identity))?.toString()).toContain(VALUE);
    at.gitIn(other, 'pull', '-q');
    await meanwhile('rotate', '-i', '--add-age', planted.recipient, FILE);
    const end = await secret('generate', ['--push', FILE, 'stringData.more']);
    expect(end).toMatchObject({ exit: 1, stderr: expect.stringContaining('SOTTO-CLI-273') as string });
    asBefore();
    at.git('pull', '-q', '--ff-only');
    const still = await secret('generate', ['--push', FILE, 'stringData.more']);
    expect(still).toMatchObject({ exit: 2, stderr: expect.stringContaining('SOTTO-CLI-091') as string });
  });

  it('puts no value into what somebody without a key has laid there meanwhile', async () => {
    const mallory = await newAgeKeyPair();
    const both = `${at.old.recipient},${mallory.recipient}`;
    const text = at.read(FILE);
    const attacks: readonly [string, string, RegExp, () => unknown][] = [
      [
        'a rule, and a name in the block of the file',
        FILE,
        new RegExp(`it is for ${mallory.recipient} there`),
        () => {
          write('.sops.yaml', `creation_rules:\n- age: ${both}\n`);
          write(FILE, withNameIn(text, at.old.recipient, mallory.recipient));
        },
      ],
      [
        'the same file with a data key that he has made',
        FILE,
        /its data key is another one there/,
        async () => {
          const clear = 'apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\nstringData:\n  user: admin\n';
          const args = ['encrypt', '--age', at.old.recipient, '--filename-override', FILE];
          const options = { cwd: other, env: { HOME: at.folder }, stdin: clear };
          write(FILE, (await stockOutput('sops', args, options)).toString());
        },
      ],
      [
        'a selection by which the value would stand there in clear',
        FILE,
        /other recipients, key groups or selection/,
        () => write(FILE, text.replace('unencrypted_suffix: _unencrypted', 'unencrypted_suffix: more')),
      ],
      [
        'a rule for a file that is not there',
        'deploy/new.env',
        new RegExp(`it is for ${mallory.recipient} there`),
        () => write('.sops.yaml', `creation_rules:\n- age: ${both}\n`),
      ],
      [
        'a selection for a file that is not there',
        'deploy/new.yaml',
        /other recipients, key groups or selection/,
        () => write('.sops.yaml', `creation_rules:\n- age: ${at.old.recipient}\n  encrypted_regex: ^other$\n`),
      ],
    ];
    for (const [what, file, why, attack] of attacks) {
      await attack();
      at.gitIn(other, 'add', '-A');
      at.gitIn(other, 'commit', '-qm', what);
      at.gitIn(other, 'push', '-q', '--force');
      const tip = tipOf('main');
      const end = await secret('set', ['--push', file, file === 'deploy/new.env' ? 'TOKEN' : 'stringData.more'], VALUE);
      expect(end, what).toMatchObject({ exit: 1, stderr: expect.stringContaining('SOTTO-CLI-273') as string });
      expect(end.stderr, what).toMatch(why);
      expect(end.stderr, what).toContain('git pull --ff-only, look at who that is');
      expect(tipOf('main'), what).toBe(tip);
      expect(await openByStock(other, FILE, mallory.identity), what).toBeUndefined();
      expect(at.gitIn(at.remote, 'log', '--all', '-p')).not.toContain(VALUE);
      asBefore();
      at.gitIn(other, 'reset', '-q', '--hard', first);
    }
  });

  it('gives up when others are faster five times', async () => {
    const hook = `#!/bin/sh
echo x >> ${other}/README.md && unset GIT_DIR && cd ${other} && git commit -qam more && git push -q
`;
    writeFileSync(join(at.root, '.git/hooks/pre-push'), hook, { mode: 0o755 });
    const end = await set('--push');
    expect(end).toMatchObject({ exit: 1, stderr: expect.stringContaining('it has moved 5 times') as string });
    expect(at.gitIn(at.remote, 'log', '--format=%s', `${first}..main`)).toBe('more\n'.repeat(5));
    asBefore();
  });

  it('makes a branch beside the one that is checked out, from HEAD and not from the disk', async () => {
    at.write(FILE, `${at.read(FILE)}# mine\n`);
    const { exit, stderr } = await set('--branch', 'new-password');
    expect({ exit, stderr }).toMatchObject({ exit: 0 });
    expect(stderr).toContain('on top of main; nothing was pushed\nnext: git push -u origin new-password\n');
    expect(at.git('status', '--porcelain')).toBe(` M ${FILE}\n`);
    expect(at.git('rev-parse', 'new-password^', 'main')).toBe(`${first}\n${first}\n`);
    expect(at.git('show', `new-password:${FILE}`)).not.toContain('# mine');
    const pushed = await set('--branch', 'another', '--push');
    expect(pushed).toMatchObject({ exit: 0, stderr: expect.stringContaining('pushed to origin/another') as string });
    expect(pushed.stderr).not.toContain('pull request');
    expect(tipOf('another')).toBe(at.git('rev-parse', 'another').trim());
    at.gitIn(other, 'switch', '-qc', 'taken');
    at.gitIn(other, 'commit', '-q', '--allow-empty', '-m', 'theirs');
    at.gitIn(other, 'push', '-q', '-u', 'origin', 'taken');
    expect(await set('--branch', 'taken', '--push')).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining('SOTTO-CLI-273') as string,
    });
    expect(at.git('branch', '--format=%(refname:short)')).toBe('another\nmain\nnew-password\n');
  });

  it('stops before a value is asked for: a dirty file, no branch, no remote, a file of no commit', async () => {
    const refused = async (code: string, ...more: readonly string[]): Promise<void> => {
      // Nothing is on stdin: it is not read.
      const end = await secret('set', [...more, FILE, 'stringData.password']);
      expect(end).toMatchObject({ exit: 2, stderr: expect.stringContaining(code) as string });
      expect(at.git('rev-parse', 'main').trim()).toBe(first);
    };
    at.write(FILE, `${at.read(FILE)}# mine\n`);
    await refused('SOTTO-CLI-271', '--push');
    at.git('add', '-A');
    await refused('SOTTO-CLI-271', '--push');
    at.git('reset', '-q', '--hard');
    await refused('SOTTO-CLI-193', '--branch', 'main');
    at.git('checkout', '-q', '--detach');
    await refused('SOTTO-CLI-192', '--push');
    await refused('SOTTO-CLI-192', '--branch', 'x');
    at.git('checkout', '-q', 'main');
    at.git('remote', 'rename', 'origin', 'one');
    at.git('remote', 'remove', 'one');
    await refused('SOTTO-CLI-270', '--push');
    at.write('loose.env', at.read('deploy/app.env'));
    symlinkSync('app.env', join(at.root, 'deploy/link.env'));
    at.git('add', 'deploy/link.env');
    at.git('commit', '-qm', 'a link');
    first = at.git('rev-parse', 'HEAD').trim();
    for (const file of ['loose.env', 'deploy/link.env']) {
      const end = await secret('set', ['--branch', 'x', file, 'USER']);
      expect(end).toMatchObject({ exit: 2, stderr: expect.stringContaining('SOTTO-CLI-271') as string });
    }
    expect(at.git('branch', '--format=%(refname:short)')).toBe('main\n');
  });

  it('pushes to nobody who refuses, and leaves everything as it was', async () => {
    writeFileSync(join(at.remote, 'hooks/pre-receive'), '#!/bin/sh\necho not today\nexit 1\n', { mode: 0o755 });
    for (const more of [[], ['--branch', 'x']]) {
      expect(await set('--push', ...more)).toMatchObject({
        exit: 3,
        stderr: expect.stringContaining('SOTTO-CLI-272') as string,
      });
      asBefore();
    }
  });

  it('is signed where git is set up so, made again too', async () => {
    const key = at.outside('id');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    writeFileSync(at.outside('signers'), `test@example.com ${readFileSync(`${key}.pub`, 'utf8')}`);
    for (const [name, value] of [
      ['gpg.format', 'ssh'],
      ['user.signingKey', `${key}.pub`],
      ['commit.gpgSign', 'true'],
      ['gpg.ssh.allowedSignersFile', at.outside('signers')],
    ] as const)
      at.git('config', name, value);
    expect(await set('--push')).toMatchObject({ exit: 0 });
    expect(at.git('log', '-1', '--format=%G? %GS')).toBe('G test@example.com\n');
    at.gitIn(other, 'pull', '-q');
    await meanwhile('set', FILE, '["stringData"]["user"]', '"root"');
    expect(await secret('generate', ['--push', FILE, 'stringData.more'])).toMatchObject({ exit: 0 });
    at.git('pull', '-q', '--ff-only');
    expect(at.git('log', '-1', '--format=%s %G?')).toBe(`Generate stringData.more of ${FILE} G\n`);
    at.git('config', 'user.signingKey', at.outside('absent.pub'));
    const unsigned = await secret('generate', ['--push', FILE, 'stringData.less']);
    expect(unsigned).toMatchObject({ exit: 2, stderr: expect.stringContaining('SOTTO-CLI-195') as string });
  });

  it('goes over TLS, and says where a pull request can be opened unless the server did; no password is in that', async () => {
    await using server = await startGitServer({ kind: 'basic', username: 'kim', password: 'hunter2' });
    const repository = await server.createRepository('scm/TEAM/app');
    const url = server.url(repository);
    at.git('config', 'http.sslCAInfo', server.caPath);
    at.git('remote', 'set-url', 'origin', url.replace('https://', 'https://kim:hunter2@'));
    // The server runs in this process: nothing may wait for it that stops it.
    await promisify(execFile)('git', ['-C', at.root, 'push', '-q', 'origin', 'main'], { env: at.env });
    expect(await set('--push')).toMatchObject({ exit: 0 });
    expect((await repository.git(['rev-parse', 'main'])).toString()).toBe(at.git('rev-parse', 'main'));
    const { exit, stderr } = await secret('generate', ['--branch', 'db/new', '--push', FILE, 'stringData.more']);
    expect({ exit, stderr }).toMatchObject({ exit: 0, stderr: expect.not.stringContaining('hunter2') as string });
    expect(stderr).toMatch(
      /^pull request: https:\/\/127\.0\.0\.1:\d+\/projects\/TEAM\/repos\/app\/pull-requests\?create&sourceBranch=refs%2Fheads%2Fdb%2Fnew&targetBranch=refs%2Fheads%2Fmain$/m,
    );
    const hook = '#!/bin/sh\necho see https://git.example.com/new\n';
    writeFileSync(join(repository.folder, 'hooks/post-receive'), hook, { mode: 0o755 });
    const told = await secret('generate', ['--branch', 'db/more', '--push', FILE, 'stringData.more']);
    expect(told.stderr).toContain('origin/db/more: see https://git.example.com/new\n');
    expect(told.stderr).not.toContain('pull request');
  });

  it('killed anywhere leaves the file as it was, or a commit that git pull brings', async () => {
    const program = resolve('dist/sotto.cjs');
    const kill = resolve('test/harness/kill-at.cjs');
    cpSync(at.root, at.outside('pristine'), { recursive: true });
    cpSync(at.remote, at.outside('pristine.git'), { recursive: true });
    const args = ['secret', 'set', '--key-file', at.outside('old.txt'), '--yes', '--push', FILE, 'stringData.password'];
    let pushed = 0;
    let killAt = 1;
    for (; killAt <= 60; killAt += 1) {
      for (const [from, to] of [
        ['pristine', at.root],
        ['pristine.git', at.remote],
      ] as const) {
        rmSync(to, { recursive: true });
        cpSync(at.outside(from), to, { recursive: true, preserveTimestamps: true });
      }
      const env = { ...at.env, KILL_AT: String(killAt) };
      const options = { cwd: at.root, env, encoding: 'utf8', input: VALUE } as const;
      const { status, stderr } = spawnSync(process.execPath, ['--require', kill, program, ...args], options);
      if (status === 0) break;
      expect(status, `step ${killAt}: ${stderr}`).toBeNull();
      expect(at.git('status', '--porcelain')).toBe('');
      if (tipOf('main') === first) continue;
      pushed += 1;
      at.git('pull', '-q', '--ff-only');
      expect(await opened(), `step ${killAt}`).toContain(VALUE);
    }
    expect(killAt).toBeLessThan(60);
    expect(pushed).toBeGreaterThan(0);
    expect(existsSync(join(at.root, '.git/index.lock'))).toBe(false);
  }, 300_000);
});
