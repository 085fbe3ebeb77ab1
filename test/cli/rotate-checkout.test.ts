import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openings, unopened } from '../../src/cli/keys/verify.ts';
import { readDocuments } from '../../src/cli/rotate/documents.ts';
import { openCheckout, readCheckout } from '../../src/git/checkout.ts';
import { parseAgeIdentities } from '../../src/sops/age.ts';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import { encryptForRecipients } from '../../src/sops/recipients.ts';
import { checkoutForEach, FILES, newKeyFile, NOW, old } from './rotated-checkout.ts';
import type { CliResult } from './session.ts';

// A rotation in checkouts that people have: set up in their own way, and with files that nobody expects.

const { place, git, write, commit, outside, run } = checkoutForEach();
const rotate = (...more: readonly string[]): Promise<CliResult> =>
  run('rotate', '--key-file', outside('old.txt'), '--new-key', outside('new.txt'), '--yes', ...more);
/** Files of a commit that still name the old recipient. */
const forOld = (revision = 'HEAD'): string[] =>
  git('ls-tree', '-r', '-z', '--name-only', revision)
    .split('\0')
    .filter((path) => path !== '' && git('show', `${revision}:${path}`).includes(old.recipient));

describe('a rotation where git is set up to', () => {
  it.each(['color.ui', 'color.grep'])('colour what nobody looks at (%s) finds every file', async (name) => {
    git('config', name, 'always');
    expect(await rotate()).toMatchObject({ exit: 0 });
    expect(forOld()).toEqual([]);
    expect(git('status', '--porcelain')).toBe('');
  });
});

describe('a rotation of files that are not on the disk, or that git does not look at', () => {
  const away = 'deploy/web.yaml';

  it('carries a sparse checkout along: they are committed, and stay away', async () => {
    git('sparse-checkout', 'set', '--no-cone', '/*', `!/${away}`);
    expect(existsSync(join(place.root, away))).toBe(false);
    expect(await rotate()).toMatchObject({ exit: 0 });
    expect(forOld()).toEqual([]);
    expect(git('status', '--porcelain')).toBe('');
    expect(existsSync(join(place.root, away))).toBe(false);
    git('sparse-checkout', 'disable');
    expect(readFileSync(join(place.root, away), 'utf8')).toBe(git('show', `HEAD:${away}`));
    expect(git('status', '--porcelain')).toBe('');
  });

  it.each(['--assume-unchanged', '--skip-worktree'])(
    'stops before it where one was changed behind %s',
    async (flag) => {
      git('update-index', flag, away);
      write(away, 'mine: own\n');
      const before = git('rev-parse', 'HEAD');
      const stopped = await rotate();
      expect(stopped).toMatchObject({ exit: 2 });
      expect(stopped.stderr).toContain('SOTTO-CLI-191');
      expect(stopped.stderr).toContain(`git update-index --no-assume-unchanged --no-skip-worktree -- ${away}`);
      expect(git('rev-parse', 'HEAD')).toBe(before);
      expect(readFileSync(join(place.root, away), 'utf8')).toBe('mine: own\n');
      expect(existsSync(join(place.root, '.git/sotto-rotate'))).toBe(false);
    },
  );
});

/** A value in clear that is not UTF-8, as stock sops leaves it in a dotenv file. */
async function latin(): Promise<Buffer> {
  const text = await encryptFile(Buffer.from('NAME=x\nTOKEN=hush\n'), {
    format: 'dotenv',
    file: 'deploy/app.env',
    recipients: [old.recipient],
    now: NOW,
  });
  return Buffer.from(text.replace(/^NAME=.*$/m, 'NAME=M\u00fcller'), 'latin1');
}

describe('what a rotation would pass over ends it, with nothing made', () => {
  const cases: readonly { name: string; file: string; prepare: () => unknown }[] = [
    {
      name: 'an encrypted file that is no UTF-8 text',
      file: 'deploy/app.env',
      prepare: async () => write('deploy/app.env', await latin()),
    },
    {
      name: 'rules that are no UTF-8 text',
      file: '.sops.yaml',
      prepare: () =>
        write('.sops.yaml', Buffer.from(`# M\u00fcller\ncreation_rules:\n- age: ${old.recipient}\n`, 'latin1')),
    },
    {
      name: 'rules behind a link',
      file: 'deploy/.sops.yaml',
      prepare: () => symlinkSync('../.sops.yaml', join(place.root, 'deploy/.sops.yaml')),
    },
    {
      name: 'a file whose name is no UTF-8',
      file: 'deploy/\uFFFD.yaml',
      prepare: () => {
        const path = Buffer.concat([
          Buffer.from(join(place.root, 'deploy/')),
          Buffer.from([0xff]),
          Buffer.from('.yaml'),
        ]);
        writeFileSync(path, readFileSync(join(place.root, 'deploy/db.yaml')));
      },
    },
  ];

  it.each(cases)('$name', async ({ file, prepare }) => {
    await prepare();
    commit();
    const before = git('rev-parse', 'HEAD');
    const stopped = await rotate();
    expect(stopped).toMatchObject({ exit: 1 });
    expect(stopped.stderr).toMatch(/^SOTTO-ROTATE-030: /m);
    expect(stopped.stderr).toContain(`(${file})`);
    expect(git('rev-parse', 'HEAD')).toBe(before);
    expect(existsSync(outside('new.txt'))).toBe(false);
  });

  it('and is not said to be as the rules say, nor left to whoever is removed', async () => {
    write('deploy/app.env', await latin());
    commit();
    for (const argv of [['check'], ['remove', old.recipient, '--yes', '--key-file', outside('old.txt')]]) {
      const { exit, stderr } = await run('recipients', ...argv);
      expect(exit).toBe(1);
      expect(stderr).toMatch(/^SOTTO-ROTATE-030: .*deploy\/app\.env/m);
    }
  });

  it('and is not said to open by a backup or a rehearsal', async () => {
    write('deploy/app.env', await latin());
    commit();
    const checkout = await openCheckout(place.root, place.env, new AbortController().signal);
    const documents = await readDocuments(checkout, (await readCheckout(checkout)).commit);
    const identities = parseAgeIdentities(Buffer.from(old.text));
    const keys = { identities, unsealKeys: [] };
    expect(await unopened(documents, keys, 'app')).toMatchObject([
      { file: 'deploy/app.env', code: 'SOTTO-ROTATE-030' },
    ]);
    expect(await openings(documents, [{ label: 'old', keys }], 'app')).toContainEqual(
      expect.objectContaining({ file: 'deploy/app.env', by: undefined }),
    );
  });
});

describe('the key that gives way', () => {
  it('is never the one that comes: nothing would be rotated, and it would be said to be', async () => {
    git('rm', '-q', '.sops.yaml');
    commit();
    const key = outside('old.txt');
    const argv = ['rotate', '--key-file', key, '--new-key', key, '--old', old.recipient, '--yes'];
    const stopped = await run(...argv);
    expect(stopped).toMatchObject({ exit: 2 });
    expect(stopped.stderr).toContain('SOTTO-ROTATE-001');
    expect(forOld()).toEqual(FILES);
  });
});

describe('a backup of keys', () => {
  it('opens nothing with a key that is retired in it: restored, it is retired again', async () => {
    const recovery = newKeyFile();
    writeFileSync(outside('recovery.txt'), recovery.text, { mode: 0o600 });
    const verified = async (annotations: object): Promise<CliResult> => {
      const metadata = { name: 'sops-age', annotations };
      const data = { 'age.agekey': Buffer.from(old.text).toString('base64') };
      const list = { apiVersion: 'v1', kind: 'List', items: [{ apiVersion: 'v1', kind: 'Secret', metadata, data }] };
      const sealed = await encryptForRecipients(Buffer.from(JSON.stringify(list)), [recovery.recipient]);
      writeFileSync(outside('keys.age'), sealed);
      return run('keys', 'backup', '--verify', outside('keys.age'), '--key-file', outside('recovery.txt'));
    };
    expect(await verified({})).toMatchObject({ exit: 0 });
    const retired = await verified({ 'sotto.dev/state': 'retired' });
    expect(retired).toMatchObject({ exit: 1 });
    expect(retired.stderr).toContain('SOTTO-KEYS-063');
  });
});
