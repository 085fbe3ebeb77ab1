import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeReal } from '../harness/real.ts';
import {
  commitAll,
  identityIn,
  openedByStock,
  type Rotating,
  rotating,
  SEALED_NAME,
  sealByStock,
  SOPS_NAMES,
  withNameIn,
} from '../harness/rotation.ts';
import { openByStock } from '../harness/sealed-repository.ts';
import { newAgeKeyPair, stockOutput } from '../harness/stock.ts';

const ENC = /ENC\[[^\]]*\]/g;

describeReal('sotto rotate', ['sops', 'age-keygen', 'age', 'kubeseal'], () => {
  let at: Rotating;
  beforeEach(async () => {
    at = await rotating();
  });
  afterEach(() => at[Symbol.dispose]());

  const rotate = (...more: readonly string[]) =>
    at.run('rotate', '--key-file', at.outside('old.txt'), '--new-key', at.outside('new.txt'), '--yes', ...more);

  it('changes every file to a new key with new data keys, in one commit, and stock sops opens them all', async () => {
    const chart = '{{ if .Values.on }}\nkind: SealedSecret\napiVersion: bitnami.com/v1alpha1\n{{ end }}\n';
    at.write('charts/templates/sealed.yaml', chart);
    const before = commitAll(at);
    const clear = await openedByStock(at.root, SOPS_NAMES, at.old.identity);
    const tokens = new Set(SOPS_NAMES.flatMap((name) => at.read(name).match(ENC) ?? []));
    const { exit, stderr } = await rotate();
    expect({ exit, stderr }).toMatchObject({ exit: 0 });
    const made = identityIn(at.outside('new.txt'));
    expect(await openedByStock(at.root, SOPS_NAMES, made)).toEqual(clear);
    expect([...(await openedByStock(at.root, SOPS_NAMES, at.old.identity)).values()]).toEqual(
      SOPS_NAMES.map(() => undefined),
    );
    for (const name of SOPS_NAMES)
      expect(
        (at.read(name).match(ENC) ?? []).filter((token) => tokens.has(token)),
        name,
      ).toEqual([]);
    const recipient = /# public key: (age1\w+)/.exec(readFileSync(at.outside('new.txt'), 'utf8'))?.[1] ?? '';
    expect(at.read('.sops.yaml')).toBe(`creation_rules:\n- age: ${recipient} # the agent\n`);
    expect(at.git('rev-list', `${before}..HEAD`).trim().split('\n')).toHaveLength(1);
    expect(at.git('status', '--porcelain')).toBe('');
    expect(at.git('fsck', '--strict')).toBe('');
    expect(existsSync(join(at.root, '.git/sotto-rotate'))).toBe(false);
    expect(statSync(at.outside('new.txt')).mode & 0o777).toBe(0o600);
    expect((await at.run('recipients', 'check')).exit).toBe(0);
    // Stock age-keygen reads the file, and finds the recipient that the files name.
    expect((await stockOutput('age-keygen', ['-y', at.outside('new.txt')])).toString().trim()).toBe(recipient);
    expect((await rotate()).stderr).toContain('SOTTO-ROTATE-001');
  });

  it('changes no other line than keys and ciphertext', async () => {
    const before = commitAll(at);
    await rotate();
    const diff = at.git('diff', '--unified=0', before, 'HEAD', '--', '*.yaml', '*.json', '*.env', '*.ini');
    const lines = diff.split('\n').filter((line) => /^[-+](?![-+][-+])/.test(line));
    const other = lines.filter(
      (line) =>
        !/ENC\[|age1|recipient|lastmodified|"mac"|enc|-----|^[-+]\s+[A-Za-z0-9+/=]{20,}$|^[-+]\s*[A-Za-z0-9+/=]{1,80}$/.test(
          line,
        ),
    );
    expect(other).toEqual([]);
  });

  it('seals SealedSecrets anew, bound as before, and stock kubeseal opens them with the new key alone', async () => {
    await sealByStock(at);
    const before = commitAll(at);
    const text = at.read(SEALED_NAME);
    const args = ['rotate', '--key-file', at.outside('sealing.json'), '--cert', at.outside('new.pem'), '--yes'];
    const { exit, stderr } = await at.run(...args);
    expect({ exit, stderr }).toMatchObject({ exit: 0 });
    const blob = /AQ[A-D][A-Za-z0-9+/=]{300,}/g;
    expect(at.read(SEALED_NAME).replaceAll(blob, 'SEALED')).toBe(text.replaceAll(blob, 'SEALED'));
    expect(at.git('diff', '--name-only', before, 'HEAD')).toBe(`${SEALED_NAME}\n`);
    const key = String((at.newSealing.secret['stringData'] as Record<string, string>)['tls.key']);
    writeFileSync(at.outside('tls.key'), key);
    for (const [index, document] of at.read(SEALED_NAME).split('---\n').entries()) {
      const unseal = ['--recovery-unseal', '--recovery-private-key', at.outside('tls.key')];
      const opened = (await stockOutput('kubeseal', unseal, { stdin: document })).toString();
      const password = Buffer.from(`of ${index === 0 ? 'one' : 'two'}`).toString('base64');
      expect(opened).toContain(`"password": "${password}"`);
    }
    expect((await at.run(...args)).stderr).toContain('SOTTO-ROTATE-011');
  });

  it('takes no certificate that nothing vouches for', async () => {
    await sealByStock(at);
    const before = commitAll(at);
    writeFileSync(at.outside('only-old.json'), JSON.stringify(at.oldSealing.secret));
    const args = ['rotate', '--key-file', at.outside('only-old.json'), '--cert', at.outside('new.pem'), '--yes'];
    const swapped = await at.run(...args);
    expect(swapped).toMatchObject({ exit: 2 });
    expect(swapped.stderr).toContain('SOTTO-ROTATE-010');
    expect(at.git('rev-parse', 'HEAD').trim()).toBe(before);
    const pin = /pins? ([0-9a-f]{64})/.exec(swapped.stderr)?.[1] ?? '';
    at.write('sotto.yaml', settings('1'.repeat(64)));
    commitAll(at, 'another pin');
    const other = await at.run(...args);
    expect(other.stderr).toContain('SOTTO-SEAL-021');
    at.write('sotto.yaml', settings(pin));
    commitAll(at, 'the pin');
    expect(await at.run(...args)).toMatchObject({ exit: 0 });
  });

  it('shows in a plan every document, what opens it and what will change, and makes nothing', async () => {
    await sealByStock(at);
    const before = commitAll(at);
    const { exit, stdout } = await rotate('--plan', '-o', 'json', '--key-file', at.outside('sealing.json'));
    expect(exit).toBe(0);
    const { documents } = JSON.parse(stdout) as { documents: { file: string; openedBy: string; change: string }[] };
    expect(documents.map(({ file }) => file)).toEqual(['.sops.yaml', ...SOPS_NAMES, SEALED_NAME].toSorted());
    expect(documents.find(({ file }) => file === 'deploy/db.yaml')).toEqual({
      file: 'deploy/db.yaml',
      kind: 'SOPS',
      recipients: [at.old.recipient],
      openedBy: at.old.recipient,
      change: 'new data key, old recipient replaced',
    });
    expect(documents.find(({ file }) => file === SEALED_NAME)).toMatchObject({
      openedBy: expect.stringMatching(/^rsa [0-9a-f]{16}$/) as string,
      change: 'none: no certificate is given',
    });
    expect(existsSync(at.outside('new.txt'))).toBe(false);
    expect(at.git('rev-parse', 'HEAD').trim()).toBe(before);
    expect(at.git('status', '--porcelain')).toBe('');
  });

  it('gives a copy of the new key to the recovery recipient first, which stock age opens', async () => {
    commitAll(at);
    const recovery = await newAgeKeyPair();
    writeFileSync(at.outside('recovery.txt'), `${recovery.identity}\n`);
    expect(await rotate('--recovery', recovery.recipient)).toMatchObject({ exit: 0 });
    const args = ['-d', '-i', at.outside('recovery.txt'), at.outside('new.txt.recovery.age')];
    expect((await stockOutput('age', args)).toString()).toBe(readFileSync(at.outside('new.txt'), 'utf8'));
  });

  it('stops before harm: a planted recipient, a file that does not open, a dirty tree, a detached head', async () => {
    const planted = await newAgeKeyPair();
    const env = { HOME: at.folder, SOPS_AGE_KEY: at.old.identity };
    const before = commitAll(at);
    const refused = async (code: string, exit: number): Promise<void> => {
      const tip = at.git('rev-parse', 'HEAD');
      const end = await rotate();
      expect(end.stderr).toContain(code);
      expect(end).toMatchObject({ exit });
      expect(at.git('rev-parse', 'HEAD')).toBe(tip);
      expect(existsSync(at.outside('new.txt'))).toBe(false);
    };
    at.write('README.md', 'changed\n');
    await refused('SOTTO-CLI-191', 2);
    at.git('checkout', '-q', '--', '.');
    at.git('checkout', '-q', '--detach');
    await refused('SOTTO-CLI-192', 2);
    at.git('checkout', '-q', 'main');

    await stockOutput('sops', ['rotate', '-i', '--add-age', planted.recipient, 'deploy/db.yaml'], {
      cwd: at.root,
      env,
    });
    commitAll(at, 'planted');
    await refused('SOTTO-CLI-216', 1);
    at.git('reset', '-q', '--hard', before);

    const other = await newAgeKeyPair();
    at.write(
      'deploy/db.yaml',
      at
        .read('deploy/db.yaml')
        .replace(/enc: \|[\s\S]*?-----END AGE ENCRYPTED FILE-----/, await wrappedFor(other.recipient)),
    );
    at.git('commit', '-qam', 'for another');
    await refused('SOTTO-AGE-001', 4);
    expect(at.git('status', '--porcelain')).toBe('');
  });

  it('makes a branch beside the one that is checked out, and pushes it', async () => {
    const before = commitAll(at);
    const end = await rotate('--branch', 'rotate-keys', '--push');
    expect(end).toMatchObject({ exit: 0 });
    expect(at.git('rev-parse', 'main').trim()).toBe(before);
    expect(at.git('status', '--porcelain')).toBe('');
    expect(at.git('rev-parse', 'rotate-keys^').trim()).toBe(before);
    expect(at.gitIn(at.remote, 'rev-parse', 'rotate-keys')).toBe(at.git('rev-parse', 'rotate-keys'));
  });

  it('encrypts again from what a second committer has pushed meanwhile', async () => {
    commitAll(at);
    const other = at.outside('other');
    at.gitIn(at.folder, 'clone', '-q', at.remote, other);
    const env = { HOME: at.folder, SOPS_AGE_KEY: at.old.identity };
    await stockOutput('sops', ['set', 'deploy/db.yaml', '["stringData"]["user"]', '"root"'], { cwd: other, env });
    at.gitIn(other, 'commit', '-qam', 'another user');
    at.gitIn(other, 'push', '-q');
    const tip = at.git('rev-parse', 'HEAD');
    const end = await rotate('--push');
    expect(end).toMatchObject({ exit: 0 });
    expect(end.stderr).toContain('git pull --ff-only');
    expect(at.git('rev-parse', 'HEAD')).toBe(tip);
    expect(at.git('status', '--porcelain')).toBe('');
    at.git('pull', '-q', '--ff-only');
    const opened = await openedByStock(at.root, SOPS_NAMES, identityIn(at.outside('new.txt')));
    expect(opened.get('deploy/db.yaml')).toContain('root');
    expect([...opened.values()]).not.toContain(undefined);
  });

  it('lets in nobody whom others have named after the yes: nothing is pushed, and their key opens nothing', async () => {
    commitAll(at);
    const [first, mallory] = [at.git('rev-parse', 'HEAD'), await newAgeKeyPair()];
    const other = at.outside('other');
    at.gitIn(at.folder, 'clone', '-q', at.remote, other);
    const write = (path: string, text: string): void => writeFileSync(join(other, path), text);
    const planted = withNameIn(at.read('deploy/db.yaml'), at.old.recipient, mallory.recipient);
    const rule = `${at.old.recipient},${mallory.recipient}`;
    const rest = `- age: ${at.old.recipient}\n`;
    const attacks: readonly [string, () => void][] = [
      [
        'a rule, and a name in the block of the file',
        () => {
          write('.sops.yaml', `creation_rules:\n- {path_regex: deploy/db.yaml, age: "${rule}"}\n${rest}`);
          write('deploy/db.yaml', planted);
        },
      ],
      ['a rule alone', () => write('.sops.yaml', `creation_rules:\n- age: ${rule}\n`)],
      ['a name in the block alone', () => write('deploy/db.yaml', planted)],
      [
        'a copy of a file under another name',
        () => {
          write('deploy/.sops.yaml', `creation_rules:\n- {path_regex: copy, age: "${rule}"}\n${rest}`);
          write('deploy/copy.yaml', planted);
        },
      ],
      [
        'a rule for files that are not there yet',
        () => write('.sops.yaml', `creation_rules:\n- {path_regex: later, age: "${rule}"}\n${rest}`),
      ],
    ];
    for (const [what, attack] of attacks) {
      attack();
      at.gitIn(other, 'add', '-A');
      at.gitIn(other, 'commit', '-qm', what);
      at.gitIn(other, 'push', '-q', '--force');
      const tip = at.gitIn(other, 'rev-parse', 'HEAD');
      const end = await rotate('--push');
      expect(end, what).toMatchObject({ exit: 1, stderr: expect.stringContaining('SOTTO-ROTATE-007') as string });
      expect(end.stderr, what).toContain(mallory.recipient);
      expect(end.stderr, what).toContain('git pull --ff-only, look at who that is');
      expect(at.gitIn(at.remote, 'rev-parse', 'main'), what).toBe(tip);
      expect([...(await openedByStock(other, SOPS_NAMES, mallory.identity)).values()]).toEqual(
        SOPS_NAMES.map(() => undefined),
      );
      expect(at.git('rev-parse', 'HEAD'), what).toBe(first);
      expect(at.git('status', '--porcelain')).toBe('');
      expect((await at.run('rotate', '--resume')).stderr).toContain('SOTTO-ROTATE-003');
      at.gitIn(other, 'reset', '-q', '--hard', first.trim());
    }
  });

  it('is no change of a value to secret blame, which tells who could read it since it changed', async () => {
    const env = { HOME: at.folder, SOPS_AGE_KEY: at.old.identity };
    const reader = await newAgeKeyPair();
    commitAll(at);
    await stockOutput('sops', ['set', 'deploy/db.yaml', '["stringData"]["user"]', '"root"'], { cwd: at.root, env });
    const changed = commitAll(at, 'another user');
    const adding = ['recipients', 'add', reader.recipient, '--key-file', at.outside('old.txt'), '--yes'];
    expect(await at.run(...adding)).toMatchObject({ exit: 0 });
    const added = commitAll(at, 'a reader');
    expect(await rotate()).toMatchObject({ exit: 0 });
    const rotated = at.git('rev-parse', 'HEAD').trim();
    const blame = async (key: string, ...keyFiles: readonly string[]) => {
      const files = keyFiles.flatMap((name) => ['--key-file', at.outside(name)]);
      const end = await at.run('secret', 'blame', 'deploy/db.yaml', key, '-o', 'json', ...files);
      expect(end).toMatchObject({ exit: 0 });
      return JSON.parse(end.stdout) as {
        changed: { subject: string };
        certainty: string;
        readers: { since: { commit: string } }[];
      };
    };
    const both = await blame('stringData.user', 'old.txt', 'new.txt');
    expect(both).toMatchObject({ changed: { commit: changed, subject: 'another user' }, certainty: 'changed' });
    expect(both.readers).toMatchObject([
      { recipient: at.old.recipient, since: { commit: changed }, isNow: false },
      { recipient: reader.recipient, since: { commit: added }, isNow: true },
      { since: { commit: rotated }, isNow: true },
    ]);
    expect(await blame('stringData.password', 'old.txt', 'new.txt')).toMatchObject({ changed: { subject: 'first' } });
    expect(await blame('stringData.password', 'new.txt')).toMatchObject({
      changed: { commit: rotated },
      certainty: 'unopened',
    });
    const nobody = await at.run(
      'secret',
      'blame',
      'deploy/db.yaml',
      'stringData.none',
      '--key-file',
      at.outside('new.txt'),
    );
    expect(nobody.stderr).toContain('SOTTO-SOPS-051');
  });

  it('resumes by a journal of the version before, and nothing is committed on top until then', async () => {
    const before = commitAll(at);
    expect(await rotate('--branch', 'made')).toMatchObject({ exit: 0 });
    const to = at.git('rev-parse', 'made').trim();
    const journal = join(at.root, '.git/sotto-rotate');
    writeFileSync(journal, `sotto rotate 1\nmain\n${before}\n${to}\norigin\nmain\n`);
    const set = [
      'secret',
      'generate',
      '--push',
      'deploy/db.yaml',
      'stringData.more',
      '--key-file',
      at.outside('old.txt'),
    ];
    const refused = expect.stringContaining('SOTTO-ROTATE-002') as string;
    expect(await at.run(...set)).toMatchObject({ exit: 6, stderr: refused });
    expect(await rotate()).toMatchObject({ exit: 6, stderr: refused });
    expect(await at.run('rotate', '--resume')).toMatchObject({ exit: 0 });
    expect(at.git('rev-parse', 'HEAD').trim()).toBe(to);
    expect(at.gitIn(at.remote, 'rev-parse', 'main').trim()).toBe(to);
    expect(at.git('status', '--porcelain')).toBe('');
    expect(existsSync(journal)).toBe(false);
  });

  it('pushes to nobody who refuses, and leaves everything as it was', async () => {
    const before = commitAll(at);
    writeFileSync(join(at.remote, 'hooks/pre-receive'), '#!/bin/sh\necho not today\nexit 1\n', { mode: 0o755 });
    const end = await rotate('--push');
    expect(end).toMatchObject({ exit: 3 });
    expect(end.stderr).toContain('SOTTO-ROTATE-008');
    expect(at.git('rev-parse', 'HEAD').trim()).toBe(before);
    expect(at.git('status', '--porcelain')).toBe('');
    expect((await at.run('rotate', '--resume')).stderr).toContain('SOTTO-ROTATE-003');
  });

  it('is reviewed without a key: a receipt for each file, and whatever else a commit does is found', async () => {
    await sealByStock(at);
    commitAll(at);
    const keys = ['--key-file', at.outside('sealing.json'), '--cert', at.outside('new.pem')];
    expect(await rotate(...keys)).toMatchObject({ exit: 0 });
    const rotated = at.git('rev-parse', 'HEAD').trim();
    const review = async (): Promise<{ exit: number; findings: { file: string; finding: string }[] }> => {
      const { exit, stdout } = await at.run('check', '--rotation', 'HEAD', '-o', 'json');
      return { exit, ...(JSON.parse(stdout) as { findings: { file: string; finding: string }[]; receipts: object[] }) };
    };
    const clean = await review();
    expect(clean).toMatchObject({ exit: 0, findings: [] });
    expect(clean).toMatchObject({
      receipts: expect.arrayContaining([
        expect.objectContaining({
          file: 'deploy/db.yaml',
          removed: [at.old.recipient],
          values: (at.read('deploy/db.yaml').match(ENC)?.length ?? 0) - 1,
        }),
        expect.objectContaining({ file: SEALED_NAME, kind: 'SealedSecret', values: 4 }),
        expect.objectContaining({ file: '.sops.yaml', kind: 'rules' }),
      ]) as object[],
    });
    const env = { HOME: at.folder, SOPS_AGE_KEY: identityIn(at.outside('new.txt')) };
    const sops = (...args: readonly string[]) => stockOutput('sops', args, { cwd: at.root, env });
    const planted = await newAgeKeyPair();
    const tampered: readonly [string, string, RegExp, () => Promise<unknown>][] = [
      [
        'clear text',
        'other/config.yaml',
        /more than ciphertext/,
        async () => at.write('other/config.yaml', at.read('other/config.yaml').replace('secret_key:', 'secret_kex:')),
      ],
      [
        'a longer value',
        'deploy/db.yaml',
        /more than ciphertext/,
        () => sops('set', 'deploy/db.yaml', '["stringData"]["user"]', '"administrator"'),
      ],
      [
        'a planted recipient',
        'deploy/app.env',
        /does not name/,
        () => sops('rotate', '-i', '--add-age', planted.recipient, 'deploy/app.env'),
      ],
      [
        'another line of rules',
        '.sops.yaml',
        /more than that recipient/,
        async () => at.write('.sops.yaml', `${at.read('.sops.yaml')}# more\n`),
      ],
      [
        'metadata of a SealedSecret',
        SEALED_NAME,
        /more than ciphertext/,
        async () => at.write(SEALED_NAME, at.read(SEALED_NAME).replace('# number 0', '# number 7')),
      ],
      ['another file', 'README.md', /not an encrypted file/, async () => at.write('README.md', 'mine\n')],
      [
        'a mode',
        'deploy/tls.json',
        /another mode/,
        async () => at.git('update-index', '--chmod=+x', 'deploy/tls.json'),
      ],
      [
        'an old ciphertext',
        'deploy/one-line.json',
        /is not new/,
        async () =>
          at.write(
            'deploy/one-line.json',
            at.git('show', 'HEAD^:deploy/one-line.json').replace(at.old.recipient, planted.recipient),
          ),
      ],
    ];
    for (const [what, file, finding, change] of tampered) {
      await change();
      at.git('add', '-A');
      if (what === 'a mode') at.git('update-index', '--chmod=+x', 'deploy/tls.json');
      at.git('commit', '-q', '--amend', '--no-edit');
      const found = await review();
      expect(found, what).toMatchObject({
        exit: 1,
        findings: [{ file, finding: expect.stringMatching(finding) as string }],
      });
      at.git('reset', '-q', '--hard', rotated);
    }
    expect(await review()).toMatchObject({ exit: 0 });
    const made = readFileSync(at.outside('new.txt'), 'utf8').match(/age1\w+/)?.[0] ?? '';
    const { stderr } = await at.run('check', '--rotation', 'HEAD');
    expect(stderr).toContain(
      `recipients: ${made} in the place of ${at.old.recipient}, in ${SOPS_NAMES.length + 1} files\n`,
    );
  });

  it('changes hundreds of files of all formats in folders with rules of their own', async () => {
    const names = [...SOPS_NAMES];
    for (let copy = 1; copy <= 24; copy += 1) {
      for (const name of SOPS_NAMES) {
        const made = `copies/${copy}/${name}`;
        at.write(made, at.read(name));
        names.push(made);
      }
    }
    at.write(
      'copies/7/.sops.yaml',
      `creation_rules:\n- path_regex: ^deploy/\n  age: [ "${at.old.recipient}" ]\n- age: >-\n    ${at.old.recipient}\n`,
    );
    commitAll(at);
    expect(names.length).toBeGreaterThan(300);
    const clear = await openedByStock(at.root, SOPS_NAMES, at.old.identity);
    expect(await rotate()).toMatchObject({ exit: 0 });
    const made = identityIn(at.outside('new.txt'));
    // Stock sops starts a process for each: every seventh.
    for (const name of names.filter((_, index) => index % 7 === 0)) {
      const opened = await openByStock(at.root, name, made);
      expect(opened?.toString('latin1'), name).toBe(clear.get(name.replace(/^copies\/\d+\//, '')));
    }
    const checked = await at.run('check', '--rotation', 'HEAD', '-o', 'json');
    expect(checked.exit).toBe(0);
    expect((JSON.parse(checked.stdout) as { receipts: object[] }).receipts).toHaveLength(names.length + 2);
    expect((await at.run('recipients', 'check')).exit).toBe(0);
    for (const name of names) expect(at.read(name)).not.toContain(at.old.recipient);
  }, 300_000);

  it('has line ends and modes in the working tree as git is set up', async () => {
    at.write('.gitattributes', '*.yaml text eol=crlf\n');
    at.write('deploy/run.yaml', at.read('deploy/db.yaml'));
    at.git('add', '-A');
    at.git('update-index', '--chmod=+x', 'deploy/run.yaml');
    at.git('commit', '-q', '-m', 'first');
    at.git('checkout-index', '-f', '-a');
    at.git('checkout', '-q', '-f', 'HEAD', '--', '.');
    expect(await rotate()).toMatchObject({ exit: 0 });
    expect(at.git('status', '--porcelain')).toBe('');
    expect(at.git('ls-tree', 'HEAD', 'deploy/run.yaml')).toMatch(/^100755 /);
  });
});

/** The entry says that it is for the old key, and is for another. */
async function wrappedFor(recipient: string): Promise<string> {
  const sealed = await stockOutput('age', ['-a', '-r', recipient], { stdin: Buffer.alloc(32) });
  return `enc: |\n${sealed.toString().trimEnd().replaceAll(/^/gm, '            ')}`;
}

function settings(pin: string): string {
  return `apiVersion: sotto.dev/v1alpha1\nkind: Config\nsealing:\n  certificate: "${pin}"\nsyncs:\n- name: app\n  source:\n    git: { url: "https://git.example.com/app.git", ref: { branch: main } }\n  path: deploy\n`;
}
