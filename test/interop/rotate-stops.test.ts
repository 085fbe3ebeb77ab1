import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { CliResult } from '../cli/session.ts';
import { describeReal } from '../harness/real.ts';
import { commitAll, identityIn, openedByStock, type Rotating, rotating, sealByStock } from '../harness/rotation.ts';
import { CLEAR_FILES } from '../harness/sealed-repository.ts';
import { sealingKeySecret } from '../harness/sealing-key.ts';
import { newAgeKeyPair, stockOutput } from '../harness/stock.ts';

const NAMES = ['deploy/db.yaml', 'deploy/tls.json', 'deploy/app.env', 'deploy/app.ini', 'deploy/key.bin'];

/** A way into harm, and how a rotation stops before it. */
interface Stop {
  readonly name: string;
  readonly code: string;
  readonly exit: number;
  /** The next command, as it is told. */
  readonly next: string | RegExp;
  readonly flags?: (at: Rotating) => readonly string[];
  /** At the push: the new key is made by then, and the next run takes it. Who pushes there changes the remote. */
  readonly isAtPush?: true;
  readonly prepare: (at: Rotating) => unknown;
}

const AGE = (at: Rotating): string[] => ['--key-file', at.outside('old.txt'), '--new-key', at.outside('new.txt')];
const SEALING = (at: Rotating): string[] => [
  '--key-file',
  at.outside('sealing.json'),
  '--cert',
  at.outside('new.pem'),
  ...AGE(at),
];
const STASH = 'git stash (or commit them), then run the command again';

const STOPS: readonly Stop[] = [
  {
    name: 'a file that was changed and is in no commit',
    code: 'SOTTO-CLI-191',
    exit: 2,
    next: STASH,
    prepare: (at) => at.write('README.md', 'changed\n'),
  },
  {
    name: 'a change that is staged',
    code: 'SOTTO-CLI-191',
    exit: 2,
    next: STASH,
    prepare: (at) => {
      at.write('deploy/other.yaml', 'a: b\n');
      at.git('add', 'deploy/other.yaml');
    },
  },
  {
    name: 'an encrypted file that was removed',
    code: 'SOTTO-CLI-191',
    exit: 2,
    next: STASH,
    prepare: (at) => at.git('rm', '-q', 'deploy/db.yaml'),
  },
  {
    name: 'a detached head',
    code: 'SOTTO-CLI-192',
    exit: 2,
    next: 'git switch main',
    prepare: (at) => at.git('checkout', '-q', '--detach'),
  },
  {
    name: 'a planted recipient in a file',
    code: 'SOTTO-CLI-216',
    exit: 1,
    next: /sotto recipients remove 'age1\w+'/,
    prepare: async (at) => {
      const { recipient } = await newAgeKeyPair();
      await sops(at, 'rotate', '-i', '--add-age', recipient, 'deploy/app.env');
      commitAll(at, 'planted');
    },
  },
  {
    name: 'a planted recipient in a file that a rule of a folder below speaks of',
    code: 'SOTTO-CLI-216',
    exit: 1,
    next: /if it belongs there, add it to deploy\/\.sops\.yaml; else: sotto recipients remove 'age1\w+'/,
    prepare: async (at) => {
      const { recipient } = await newAgeKeyPair();
      await sops(at, 'rotate', '-i', '--add-age', recipient, 'deploy/tls.json');
      at.write('deploy/.sops.yaml', `creation_rules:\n- age: ${at.old.recipient}\n`);
      commitAll(at, 'planted');
    },
  },
  {
    name: 'a file that no rule speaks of',
    code: 'SOTTO-ROTATE-006',
    exit: 1,
    next: 'give .sops.yaml a rule for it, commit that, and run the same command again',
    prepare: (at) => {
      at.write('.sops.yaml', `creation_rules:\n- path_regex: \\.json$\n  age: ${at.old.recipient}\n`);
      commitAll(at, 'fewer rules');
    },
  },
  {
    name: 'a recipient whom a rule names, and for whom a file is not',
    code: 'SOTTO-ROTATE-028',
    exit: 1,
    next: /^sotto recipients check; who belongs there: sotto recipients add, .*else take it out of \.sops\.yaml$/,
    prepare: async (at) => {
      const { recipient } = await newAgeKeyPair();
      at.write('.sops.yaml', `creation_rules:\n- age: ${at.old.recipient},${recipient}\n`);
      commitAll(at, 'a rule alone');
    },
  },
  {
    name: 'a rule by which one key group opens what takes two now',
    code: 'SOTTO-ROTATE-028',
    exit: 1,
    next: /^sotto recipients check/,
    prepare: async (at) => {
      const { recipient } = await newAgeKeyPair();
      const groups = `[{age: [${at.old.recipient}]}, {age: [${recipient}]}]`;
      at.write('.sops.yaml', `creation_rules:\n- {shamir_threshold: 2, key_groups: ${groups}}\n`);
      await stockOutput('sops', ['updatekeys', '-y', 'deploy/app.env'], {
        cwd: at.root,
        env: { HOME: at.folder, SOPS_AGE_KEY: at.old.identity },
      });
      const rules = `- {path_regex: app.env, age: "${at.old.recipient},${recipient}"}\n- age: ${at.old.recipient}\n`;
      at.write('.sops.yaml', `creation_rules:\n${rules}`);
      commitAll(at, 'a rule alone');
    },
  },
  {
    name: 'a file that does not open: its key is wrapped for another',
    code: 'SOTTO-AGE-001',
    exit: 4,
    next: 'add the identity of one of the recipients, or have a holder add yours: sops updatekeys',
    prepare: async (at) => {
      const { recipient } = await newAgeKeyPair();
      const sealed = (await stockOutput('age', ['-a', '-r', recipient], { stdin: Buffer.alloc(32) })).toString();
      const enc = `enc: |\n${sealed.trimEnd().replaceAll(/^/gm, '            ')}`;
      const text = at.read('deploy/db.yaml');
      at.write('deploy/db.yaml', text.replace(/enc: \|[\s\S]*?-----END AGE ENCRYPTED FILE-----/, enc));
      commitAll(at, 'for another');
    },
  },
  {
    name: 'a file that does not open: it was changed without its key',
    code: 'SOTTO-SOPS-0',
    exit: 4,
    next: 'restore the line from Git history, or set the value anew',
    prepare: (at) => {
      at.write('deploy/db.yaml', at.read('deploy/db.yaml').replace('name: db', 'name: dc'));
      at.write('deploy/tls.json', at.read('deploy/tls.json').replace('"nested"', '"moved"'));
      commitAll(at, 'changed');
    },
  },
  {
    name: 'a SealedSecret that none of the keys opens',
    code: 'SOTTO-SEAL-001',
    exit: 4,
    next: 'add the private key it was sealed for',
    flags: SEALING,
    prepare: async (at) => {
      const stranger = await sealingKeySecret('stranger');
      writeFileSync(at.outside('sealing.json'), JSON.stringify({ kind: 'List', items: [stranger.secret] }));
      at.write('sotto.yaml', await pinOf(at));
      commitAll(at, 'the pin');
    },
  },
  {
    name: 'a certificate that nothing vouches for',
    code: 'SOTTO-ROTATE-010',
    exit: 2,
    next: /then put it into sotto\.yaml: sealing\.certificate: "[0-9a-f]{64}"/,
    flags: SEALING,
    prepare: (at) => writeFileSync(at.outside('sealing.json'), JSON.stringify(at.oldSealing.secret)),
  },
  {
    name: 'another certificate than the pinned one',
    code: 'SOTTO-SEAL-021',
    exit: 2,
    next: 'find out which one is right (sotto status shows the agent’s own)',
    flags: SEALING,
    prepare: async (at) => {
      at.write('sotto.yaml', await pinOf(at));
      writeFileSync(at.outside('new.pem'), (await sealingKeySecret('other')).certificatePem);
      commitAll(at, 'the pin');
    },
  },
  {
    name: 'a SealedSecret of a form that is not sealed again',
    code: 'SOTTO-ROTATE-012',
    exit: 2,
    next: '(sotto unseal, sotto seal), then rotate',
    flags: SEALING,
    prepare: (at) => {
      const list = {
        apiVersion: 'v1',
        kind: 'List',
        items: [{ apiVersion: 'bitnami.com/v1alpha1', kind: 'SealedSecret' }],
      };
      at.write('deploy/list.json', JSON.stringify(list));
      commitAll(at, 'a list');
    },
  },
  {
    name: 'a new key inside the working tree',
    code: 'SOTTO-ROTATE-005',
    exit: 2,
    next: '--new-key /dev/shm/new.txt',
    flags: (at) => ['--key-file', at.outside('old.txt'), '--new-key', join(at.root, 'new.txt')],
    prepare: () => undefined,
  },
  {
    name: 'a branch that is there already',
    code: 'SOTTO-CLI-193',
    exit: 2,
    next: 'git branch -D rotate-keys',
    flags: (at) => [...AGE(at), '--branch', 'rotate-keys'],
    prepare: (at) => at.git('branch', 'rotate-keys'),
  },
  {
    name: 'a rotation that was interrupted here',
    code: 'SOTTO-ROTATE-002',
    exit: 6,
    next: 'sotto rotate --resume',
    prepare: (at) => {
      const commit = at.git('rev-parse', 'HEAD').trim();
      writeFileSync(join(at.root, '.git/sotto-rotate'), `sotto rotate 1\nmain\n${commit}\n${commit}\n\n\n`);
    },
  },
  {
    name: 'a lost race: this branch has commits that the other has not',
    code: 'SOTTO-ROTATE-007',
    exit: 1,
    next: 'git pull --rebase, then the same command again; or --branch NAME',
    flags: (at) => [...AGE(at), '--push'],
    isAtPush: true,
    prepare: (at) => {
      const other = at.outside('other');
      at.gitIn(at.folder, 'clone', '-q', at.remote, other);
      at.gitIn(other, 'commit', '-q', '--allow-empty', '-m', 'theirs');
      at.gitIn(other, 'push', '-q');
      at.git('commit', '-q', '--allow-empty', '-m', 'ours');
    },
  },
  {
    name: 'a lost race: somebody else is faster each time',
    code: 'SOTTO-ROTATE-007',
    exit: 1,
    next: 'git pull --rebase, then the same command again; or --branch NAME',
    flags: (at) => [...AGE(at), '--push'],
    isAtPush: true,
    prepare: (at) => {
      const commit = 'git commit-tree -p refs/heads/main -m faster "refs/heads/main^{tree}"';
      const hook = `#!/bin/sh\ngit update-ref refs/heads/main "$(${commit})"\n`;
      writeFileSync(join(at.remote, 'hooks/update'), hook, { mode: 0o755 });
    },
  },
  {
    name: 'a branch of that name at the remote, of somebody else',
    code: 'SOTTO-ROTATE-007',
    exit: 1,
    next: 'or --branch NAME',
    flags: (at) => [...AGE(at), '--branch', 'rotate-keys', '--push'],
    isAtPush: true,
    prepare: (at) => {
      const theirs = at.git('commit-tree', '-m', 'theirs', 'HEAD^{tree}').trim();
      at.git('push', '-q', 'origin', `${theirs}:refs/heads/rotate-keys`);
    },
  },
  {
    name: 'a remote that takes no push of a branch of its own',
    code: 'SOTTO-ROTATE-008',
    exit: 3,
    next: 'mend that (try git push --dry-run), then run the same command again',
    flags: (at) => [...AGE(at), '--branch', 'rotate-keys', '--push'],
    isAtPush: true,
    prepare: (at) => {
      writeFileSync(join(at.remote, 'hooks/pre-receive'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    },
  },
  {
    name: 'a remote that takes no push',
    code: 'SOTTO-ROTATE-008',
    exit: 3,
    next: 'mend that (try git push --dry-run), then run the same command again, or with --branch NAME',
    flags: (at) => [...AGE(at), '--push'],
    isAtPush: true,
    prepare: (at) => {
      writeFileSync(join(at.remote, 'hooks/pre-receive'), '#!/bin/sh\necho not today\nexit 1\n', { mode: 0o755 });
    },
  },
];

describeReal('sotto rotate stops before harm', ['sops', 'age-keygen', 'age', 'kubeseal'], () => {
  let at: Rotating;
  beforeEach(async () => {
    at = await rotating({ files: Object.fromEntries(NAMES.map((name) => [name, CLEAR_FILES[name] ?? ''])) });
    await sealByStock(at);
    commitAll(at);
  });
  afterEach(() => at[Symbol.dispose]());

  it.each(STOPS)('at $name', async ({ prepare, code, exit, next, flags = AGE, isAtPush }) => {
    await prepare(at);
    const before = factsOf(at);
    const end = await at.run('rotate', ...flags(at), '--yes');
    expectStopped(end, { code, exit, next });
    const after = factsOf(at);
    if (isAtPush !== true) return expect(after).toEqual(before);
    expect({ ...after, remote: [], beside: [] }).toEqual({ ...before, remote: [], beside: [] });
    expect(after.remote.filter((subject) => subject.startsWith('Rotate'))).toEqual([]);
    expect(after.beside).toEqual([...before.beside, 'new.txt']);
  });

  it('has the same end a second time, and goes through once that is mended', async () => {
    const tip = at.git('rev-parse', 'HEAD').trim();
    at.write('README.md', 'changed\n');
    for (let turn = 0; turn < 2; turn += 1)
      expect(await at.run('rotate', ...AGE(at), '--yes')).toMatchObject({ exit: 2 });
    at.git('stash', '-q');
    expect(await at.run('rotate', ...SEALING(at), '--yes')).toMatchObject({ exit: 0 });
    expect(at.git('rev-parse', 'HEAD^').trim()).toBe(tip);
    at.git('stash', 'pop', '-q');
    expect(at.read('README.md')).toBe('changed\n');
  });

  it('knows a push that came through although its answer was lost', async () => {
    const hook = '#!/bin/sh\ntest "$1" = committed && kill -9 $PPID\nexit 0\n';
    writeFileSync(join(at.remote, 'hooks/reference-transaction'), hook, { mode: 0o755 });
    const before = at.git('rev-parse', 'HEAD').trim();
    expect(await at.run('rotate', ...AGE(at), '--push', '--yes')).toMatchObject({ exit: 0 });
    expect(at.git('rev-parse', 'HEAD^').trim()).toBe(before);
    expect(at.gitIn(at.remote, 'rev-parse', 'main')).toBe(at.git('rev-parse', 'HEAD'));
    expect(at.git('status', '--porcelain')).toBe('');
  });

  it('takes the key that was made once the remote takes the push', async () => {
    const hook = join(at.remote, 'hooks/pre-receive');
    writeFileSync(hook, '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    expect(await at.run('rotate', ...AGE(at), '--push', '--yes')).toMatchObject({ exit: 3 });
    const made = identityIn(at.outside('new.txt'));
    rmSync(hook);
    expect(await at.run('rotate', ...AGE(at), '--push', '--yes')).toMatchObject({ exit: 0 });
    expect(identityIn(at.outside('new.txt'))).toBe(made);
    expect([...(await openedByStock(at.root, NAMES, made)).values()]).not.toContain(undefined);
    expect(at.gitIn(at.remote, 'rev-parse', 'main')).toBe(at.git('rev-parse', 'HEAD'));
  });
});

/** Whatever a rotation could change, byte by byte. */
function factsOf(at: Rotating) {
  const listed = readdirSync(at.root, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && !entry.parentPath.includes('/.git'),
  );
  return {
    files: new Map(
      listed.map(({ parentPath, name }) => {
        const path = join(parentPath, name);
        return [path, readFileSync(path).toString('latin1')];
      }),
    ),
    status: at.git('status', '--porcelain', '--ignored'),
    index: at.git('ls-files', '--stage'),
    head: readFileSync(join(at.root, '.git/HEAD'), 'utf8'),
    branches: at.git('for-each-ref', 'refs/heads', 'refs/tags', 'refs/stash'),
    journal: existsSync(join(at.root, '.git/sotto-rotate')),
    remote: at.gitIn(at.remote, 'log', '--all', '--format=%s').trim().split('\n'),
    /** No new key, and nothing of it. */
    beside: readdirSync(at.folder).filter((name) => name.startsWith('new')),
  };
}

function expectStopped({ exit, stderr, stdout }: CliResult, stop: Pick<Stop, 'code' | 'exit' | 'next'>): void {
  expect({ exit, stderr }).toMatchObject({ exit: stop.exit, stderr: expect.stringContaining(stop.code) as string });
  const next = stderr.trimEnd().split(' — ').at(-1) ?? '';
  if (typeof stop.next === 'string') expect(next).toContain(stop.next);
  else expect(next).toMatch(stop.next);
  expect(stderr + stdout).not.toMatch(/AGE-SECRET-KEY|hunter2|correct horse|\n\s+at /);
}

async function sops(at: Rotating, ...args: readonly string[]): Promise<void> {
  const env = { HOME: at.folder, SOPS_AGE_KEY: at.old.identity };
  await stockOutput('sops', args, { cwd: at.root, env });
}

/** Settings that pin the new certificate. */
async function pinOf(at: Rotating): Promise<string> {
  const shown = await at.run('rotate', '--key-file', at.outside('old.txt'), '--cert', at.outside('new.pem'), '--plan');
  const fingerprint = /pins? ([0-9a-f]{64})/.exec(shown.stderr)?.[1] ?? '';
  expect(fingerprint, shown.stderr).not.toBe('');
  return `apiVersion: sotto.dev/v1alpha1\nkind: Config\nsealing:\n  certificate: "${fingerprint}"\nsyncs:\n- name: app\n  source:\n    git: { url: "https://git.example.com/app.git", ref: { branch: main } }\n  path: deploy\n`;
}
