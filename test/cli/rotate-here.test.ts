import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encryptForRecipients } from '../../src/sops/recipients.ts';
import { failure, startFakeCluster } from './fake-cluster.ts';
import { checkoutForEach, newKeyFile, old } from './rotated-checkout.ts';
import { type CliResult, sotto } from './session.ts';

// What somebody reads who rotates in a checkout for the first time, and whether the next command is the right one.

const { place, git, outside, run } = checkoutForEach();
const rotate = (...more: readonly string[]): Promise<CliResult> =>
  run('rotate', '--key-file', outside('old.txt'), '--new-key', outside('new.txt'), ...more);
const journal = (): string => join(place.root, '.git/sotto-rotate');

/** As after a kill between the branch and the files. */
async function halfway(): Promise<void> {
  const from = git('rev-parse', 'HEAD').trim();
  expect(await rotate('--yes', '--branch', 'made')).toMatchObject({ exit: 0 });
  const to = git('rev-parse', 'made').trim();
  writeFileSync(journal(), `sotto rotate 1\nmain\n${from}\n${to}\n\n\n`);
  git('update-ref', 'refs/heads/main', to);
}

describe('a rotation that was interrupted between its steps', () => {
  it('is gone on with, and no command says to stash or commit what it has not written yet', async () => {
    await halfway();
    expect(git('status', '--porcelain')).not.toBe('');
    const again = await rotate('--yes');
    expect(again).toMatchObject({ exit: 6 });
    expect(again.stderr).toMatch(/^SOTTO-ROTATE-002: .* — sotto rotate --resume\n$/);
    expect(await run('rotate', '--resume')).toMatchObject({ exit: 0 });
    expect(git('status', '--porcelain')).toBe('');
  });

  it('by the person: it says how to go on, or that nothing was changed', async () => {
    const stopped = await interrupted(() => existsSync(outside('new.txt')));
    expect(stopped.exit).toBe(130);
    expect(stopped.stderr).toContain('interrupted: nothing was changed in this checkout');
    expect(git('status', '--porcelain')).toBe('');
    const late = await interrupted(() => existsSync(journal()));
    expect(late.exit).toBe(130);
    expect(existsSync(journal())).toBe(true);
    expect(late.stderr).toMatch(/interrupted: .*; sotto rotate --resume\n$/);
    expect(await run('rotate', '--resume')).toMatchObject({ exit: 0 });
    expect(git('status', '--porcelain')).toBe('');
  });
});

/** Stopped as by Ctrl-C, as soon as something is so. */
async function interrupted(when: () => boolean): Promise<CliResult> {
  const stop = new AbortController();
  const look = setInterval(() => {
    if (when()) stop.abort('SIGINT');
  }, 1);
  const argv = ['rotate', '--key-file', outside('old.txt'), '--new-key', outside('new.txt'), '--yes'];
  try {
    return await sotto(argv, { cwd: place.root, env: place.env, signal: stop.signal });
  } finally {
    clearInterval(look);
  }
}

describe('which key gives way', () => {
  it('without a key at hand the error names those of the files, and how to give theirs', async () => {
    const { exit, stderr } = await run('rotate', '--new-key', outside('new.txt'), '--plan');
    expect(exit).toBe(2);
    expect(stderr).toContain('SOTTO-ROTATE-001');
    expect(stderr).toContain(`no identity is at hand; files and rules name ${old.recipient}`);
    expect(stderr).toContain(' — the same command with --key-file FILE');
  });

  it('with a key that no file names the error names both', async () => {
    const other = newKeyFile();
    writeFileSync(outside('old.txt'), other.text);
    const { stderr } = await rotate('--plan');
    expect(stderr).toContain(`files and rules name ${old.recipient}, and at hand is ${other.recipient}`);
  });

  it('once everything is for the new key there is nothing to rotate', async () => {
    expect(await rotate('--yes')).toMatchObject({ exit: 0 });
    const again = await rotate('--yes');
    expect(again.exit).toBe(2);
    expect(again.stderr).toMatch(/SOTTO-ROTATE-001: .* files and rules are for the new key age1\w+ already/);
    expect(again.stderr).toContain(' — nothing, if that is what you wanted');
  });
});

describe('the file for the new key', () => {
  it('in a folder that is not there: that is said, and not that the file has to be a new one', async () => {
    const { exit, stderr } = await run(
      'rotate',
      '--key-file',
      outside('old.txt'),
      '--new-key',
      outside('none/new.txt'),
      '--yes',
    );
    expect(exit).toBe(2);
    expect(stderr).toContain('its folder does not exist');
    expect(stderr).not.toContain('there is no such file');
  });

  it('is named with the command that gives it to the agent, before the commit can reach it', async () => {
    execFileSync('git', ['init', '-q', '--bare', '-b', 'main', outside('remote.git')], { env: place.env });
    git('remote', 'add', 'origin', outside('remote.git'));
    const { stderr } = await rotate('--yes');
    const next = `sotto keys add ${outside('new.txt')} -n NAMESPACE`;
    expect(stderr).toContain('note: whoever opens these files needs the new key before the commit; the agent: ');
    const [, push = ''] = /\nnext: (git push .*)\n$/.exec(stderr) ?? [];
    expect(push).toBe('git push origin main');
    execFileSync('sh', ['-c', push], { cwd: place.root, env: place.env, stdio: 'ignore' });
    expect(git('ls-remote', 'origin', 'main')).toContain(git('rev-parse', 'HEAD').trim());
    expect(stderr).toContain(next);
  });

  it('before a push it is said while there is still a no', async () => {
    execFileSync('git', ['init', '-q', '--bare', outside('remote.git')], { env: place.env });
    git('remote', 'add', 'origin', outside('remote.git'));
    const note = 'note: whoever opens these files needs the new key before the commit';
    expect((await rotate('--plan')).stderr).not.toContain(note);
    expect((await rotate('--push', '--plan')).stderr).toContain(note);
  });

  it('a recovery recipient that is none ends it before the question', async () => {
    const { exit, stderr } = await rotate('--recovery', 'age1nobody');
    expect(exit).toBe(2);
    expect(stderr).toContain('SOTTO-AGE-007');
  });
});

describe('the plan', () => {
  it('fits into eighty columns, with every recipient written out once', async () => {
    const { stdout } = await rotate('--plan');
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(stdout.split(old.recipient)).toHaveLength(2);
    expect(JSON.parse((await rotate('--plan', '-o', 'json')).stdout)).toMatchObject({
      documents: [{ file: '.sops.yaml' }, { openedBy: old.recipient, recipients: [old.recipient] }, {}],
    });
  });
});

describe('the next command when no key opens a file', () => {
  it('is the command as it was typed, with a key file', async () => {
    const add = await run('recipients', 'add', newKeyFile().recipient, '--yes');
    expect(add.stderr).toMatch(/ — sotto recipients add --key-file keys\.txt age1\w+\n$/);
    const blame = await run('secret', 'blame', 'deploy/db.yaml', 'password');
    expect(blame.stderr).toMatch(/ — sotto secret blame --key-file keys\.txt deploy\/db\.yaml password\n$/);
    const show = await run('secret', 'show', 'deploy/db.yaml', '["password"]');
    expect(show.stderr).toMatch(/ — sotto secret show --key-file keys\.txt deploy\/db\.yaml password\n$/);
  });

  it('a file without a history is named in the command that looks for it', async () => {
    const { stderr } = await run('secret', 'blame', 'deploy/none.yaml', 'password');
    expect(stderr).toContain(' — git log --all -- deploy/none.yaml; ');
  });
});

describe('in a clone that was cut short', () => {
  it('a value is not said to have changed where the clone begins', async () => {
    expect(await rotate('--yes')).toMatchObject({ exit: 0 });
    execFileSync('git', ['clone', '-q', '--depth', '1', `file://${place.root}`, outside('short')], { env: place.env });
    const words = ['secret', 'blame', 'deploy/db.yaml', 'password', '--key-file', outside('new.txt')];
    const cut = await sotto(words, { cwd: outside('short'), env: place.env });
    expect(cut.stderr).toBe(
      'note: this clone was cut short there, so the value may be older, and others may have read it: git fetch --unshallow\n',
    );
    const json = await sotto([...words, '-o', 'json'], { cwd: outside('short'), env: place.env });
    expect(JSON.parse(json.stdout)).toMatchObject({ certainty: 'cut' });
    const whole = await run(...words, '--key-file', outside('old.txt'), '-o', 'json');
    const [first] = git('rev-list', '--max-parents=0', 'HEAD').split('\n');
    expect(JSON.parse(whole.stdout)).toMatchObject({ certainty: 'changed', changed: { commit: first } });
  });
});

describe('without a .sops.yaml', () => {
  it('the rule that is missing is printed', async () => {
    git('rm', '-q', '.sops.yaml');
    const { stderr } = await run('recipients', 'list');
    expect(stderr).toContain('SOTTO-CLI-212');
    const [, command = ''] = / — (printf .* > \.sops\.yaml) in the root/.exec(stderr) ?? [];
    execFileSync('sh', ['-c', command.replace('age1…', old.recipient)], { cwd: place.root });
    expect(await run('recipients', 'check')).toMatchObject({ exit: 0 });
  });
});

describe('a push that is refused', () => {
  it('is told in the words of the server: they say what it takes', async () => {
    execFileSync('git', ['init', '-q', '--bare', outside('remote.git')], { env: place.env });
    git('remote', 'add', 'origin', outside('remote.git'));
    const hook = '#!/bin/sh\necho "GL-HOOK-ERR: main is protected; open a merge request."\nexit 1\n';
    writeFileSync(outside('remote.git/hooks/pre-receive'), hook, { mode: 0o755 });
    const { exit, stderr } = await rotate('--push', '--yes');
    expect(exit).toBe(3);
    expect(stderr).toContain('pre-receive hook declined) GL-HOOK-ERR: main is protected; open a merge request. — mend');
  });
});

const REFUSED =
  'configmaps "sotto" is forbidden: User "kim" cannot get resource "configmaps" in API group "" in the namespace "team-app"';

describe('who may not read what a rotation with the agent takes', () => {
  it('is told which right is missing, with the exit code for that', async () => {
    await using cluster = await startFakeCluster();
    cluster.answers.set('/api/v1/namespaces/team-app/configmaps/sotto', failure(403, 'Forbidden', REFUSED));
    writeFileSync(outside('other.txt'), newKeyFile().text, { mode: 0o600 });
    for (const words of [
      ['rotate', '--new-secret', '--yes'],
      ['keys', 'add', outside('other.txt')],
      ['keys', 'backup', '--out', outside('keys.age')],
    ]) {
      const { exit, stderr } = await run(...words, '--kubeconfig', cluster.kubeconfig);
      expect({ exit, stderr }).toMatchObject({ exit: 5, stderr: expect.stringContaining('SOTTO-KUBE-003') as string });
      expect(stderr).toContain('No right to get configmaps in namespace team-app');
    }
  });
});

describe('a key that the agent does not have', () => {
  it('is looked for in the namespace that was asked', async () => {
    await using cluster = await startFakeCluster();
    const settings = 'apiVersion: sotto.dev/v1alpha1\nkind: Config\nsyncs: []\n';
    const of = '/api/v1/namespaces/other';
    cluster.answers.set(`${of}/configmaps/sotto`, { status: 200, body: { data: { 'sotto.yaml': settings } } });
    const list = { apiVersion: 'meta.k8s.io/v1', kind: 'PartialObjectMetadataList', metadata: {}, items: [] };
    cluster.answers.set(`${of}/secrets`, { status: 200, body: list });
    const { stderr } = await run('keys', 'retire', 'nope', '--yes', '-n', 'other', '--kubeconfig', cluster.kubeconfig);
    expect(stderr).toMatch(/^SOTTO-KEYS-066: .* — sotto keys list -n other\n$/);
  });
});

describe('a backup of keys', () => {
  it('for a recipient asks for no passphrase, and says which identity it takes', async () => {
    const backup = await encryptForRecipients(Buffer.from('{}'), [newKeyFile().recipient]);
    writeFileSync(outside('keys.age'), backup);
    const options = { cwd: place.root, env: place.env, terminal: true, stdin: 'wrong\n' };
    const { exit, stderr } = await sotto(['keys', 'backup', '--verify', outside('keys.age')], options);
    expect(exit).toBe(4);
    expect(stderr).not.toContain('passphrase of');
    expect(stderr).toContain('SOTTO-KEYS-062');
    expect(stderr).toContain(' — the same command with the identity it was made for: --key-file recovery.txt');
  });

  it('that is there already is not written over, and the next command has another name', async () => {
    await using cluster = await startFakeCluster();
    writeFileSync(outside('keys.age'), 'mine');
    const words = ['keys', 'backup', '--recipient', newKeyFile().recipient, '--out', outside('keys.age')];
    const { exit, stderr } = await run(...words, '--kubeconfig', cluster.kubeconfig);
    expect(exit).toBe(2);
    expect(stderr).toMatch(/it exists already — the same command with --out and another name/);
  });
});
