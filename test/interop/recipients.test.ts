import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type CliResult, sotto } from '../cli/session.ts';
import { newGpgHome } from '../harness/gpg.ts';
import { describeReal } from '../harness/real.ts';
import { CLEAR_FILES, encryptByStock, openByStock, writeAll } from '../harness/sealed-repository.ts';
import { type AgeKeyPair, newAgeKeyPair, stockOutput } from '../harness/stock.ts';

const NAMES = Object.keys(CLEAR_FILES);

describeReal('sotto recipients', ['sops', 'age-keygen'], () => {
  let folder: string;
  let old: AgeKeyPair;
  let added: AgeKeyPair;

  beforeAll(async () => {
    [old, added] = [await newAgeKeyPair(), await newAgeKeyPair()];
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sotto-recipients-'));
    writeFileSync(join(folder, 'keys.txt'), `${old.identity}\n`);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
  const run = (...argv: readonly string[]): Promise<CliResult> => sotto(argv, { cwd: folder, env: { HOME: folder } });
  const opened = async (identity: string): Promise<Map<string, string | undefined>> => {
    const found = new Map<string, string | undefined>();
    for (const name of NAMES) found.set(name, (await openByStock(folder, name, identity))?.toString('latin1'));
    return found;
  };

  async function repository(rules: string): Promise<void> {
    writeAll(folder, { ...CLEAR_FILES, '.sops.yaml': rules, 'README.md': 'about sops: and [sops]\nsops:\n' });
    await encryptByStock(folder, NAMES);
  }

  const oneRule = (): string => `creation_rules:\n- age: ${old.recipient} # the team\n`;

  it('add somebody to files of every format: stock sops opens them with both keys, and no value has other ciphertext', async () => {
    await repository(oneRule());
    const before = await opened(old.identity);
    const texts = new Map(NAMES.map((name) => [name, read(name)]));
    const { exit, stderr } = await run('recipients', 'add', added.recipient, '--key-file', 'keys.txt', '--yes');
    expect({ exit, stderr }).toEqual({
      exit: 0,
      stderr: `${NAMES.length} files changed, each opened again and compared before\n`,
    });
    expect(read('.sops.yaml')).toBe(`creation_rules:\n- age: ${old.recipient},${added.recipient} # the team\n`);
    expect(await opened(old.identity)).toEqual(before);
    expect(await opened(added.identity)).toEqual(before);
    for (const name of NAMES) {
      const lines = new Set(read(name).split('\n'));
      const gone = (texts.get(name) ?? '').split('\n').filter((line) => !lines.has(line) && line.includes('ENC['));
      expect(gone, name).toEqual([]);
    }
    expect((await run('recipients', 'check')).exit).toBe(0);
    expect((await run('recipients', 'add', added.recipient, '--yes')).stderr).toBe(
      'nothing to change: rules and files are so already\n',
    );
  });

  it('remove somebody: every file has a new data key, and the old identity opens none', async () => {
    await repository(`creation_rules:\n- age: >-\n    ${old.recipient},\n    ${added.recipient}\n`);
    const before = await opened(old.identity);
    const macs = NAMES.map((name) => read(name));
    const { exit, stdout } = await run('recipients', 'remove', added.recipient, '--key-file', 'keys.txt', '--yes');
    expect(exit).toBe(0);
    expect(stdout).toContain(`deploy/db.yaml: - ${added.recipient}, new data key\n`);
    expect(read('.sops.yaml')).toBe(`creation_rules:\n- age: >-\n    ${old.recipient}\n`);
    expect(await opened(old.identity)).toEqual(before);
    expect([...(await opened(added.identity)).values()]).toEqual(NAMES.map(() => undefined));
    const tokens = new Set(macs.flatMap((text) => text.match(/ENC\[[^\]]*\]/g) ?? []));
    for (const name of NAMES) {
      expect(
        (read(name).match(/ENC\[[^\]]*\]/g) ?? []).filter((token) => tokens.has(token)),
        name,
      ).toEqual([]);
    }
  });

  it('are what stock sops finds in line with its rules', async () => {
    await repository(oneRule());
    await run('recipients', 'add', added.recipient, '--key-file', 'keys.txt', '--yes');
    for (const name of NAMES) {
      const updated = await stockOutput('sops', ['updatekeys', '--yes', name], {
        cwd: folder,
        env: { HOME: folder, SOPS_AGE_KEY: old.identity },
      }).catch((thrown: unknown) => Buffer.from(String(thrown)));
      expect(updated.toString(), name).toBe('');
    }
    expect((await run('recipients', 'check')).exit).toBe(0);
  });

  it('change key groups with new shares, and stock sops opens the file with them', async () => {
    const third = await newAgeKeyPair();
    const groups = (first: string): string =>
      `creation_rules:\n- shamir_threshold: 2\n  key_groups:\n  - age:\n    - ${first}\n  - age: [${added.recipient}]\n`;
    await repository(groups(old.recipient));
    writeFileSync(join(folder, 'keys.txt'), `${old.identity}\n${added.identity}\n`);
    const missing = await run('recipients', 'add', third.recipient, '--key-file', 'keys.txt', '--yes');
    expect(missing.exit).toBe(2);
    expect(missing.stderr).toContain('SOTTO-CLI-214');
    const done = await run('recipients', 'add', third.recipient, '--group', '2', '--key-file', 'keys.txt', '--yes');
    expect(done).toMatchObject({ exit: 0 });
    expect(read('.sops.yaml')).toBe(groups(old.recipient).replace(']', `, ${third.recipient}]`));
    const both = `${old.identity}\n${third.identity}`;
    for (const name of NAMES) expect(await openByStock(folder, name, both), name).toBeDefined();
    expect((await run('recipients', 'check')).exit).toBe(0);
  });

  it('stop before harm where a file is encrypted for somebody whom the rule does not name', async () => {
    await repository(oneRule());
    await stockOutput('sops', ['rotate', '-i', '--add-age', added.recipient, 'deploy/db.yaml'], {
      cwd: folder,
      env: { HOME: folder, SOPS_AGE_KEY: old.identity },
    });
    const checked = await run('recipients', 'check', '-o', 'json');
    expect(checked.exit).toBe(1);
    expect(JSON.parse(checked.stdout)).toEqual({
      files: NAMES.length,
      findings: [
        {
          file: 'deploy/db.yaml',
          code: 'SOTTO-CLI-217',
          message: `is encrypted for ${added.recipient}, which rule 1 does not name`,
        },
      ],
    });
    const third = await newAgeKeyPair();
    const rules = read('.sops.yaml');
    const refused = await run('recipients', 'add', third.recipient, '--key-file', 'keys.txt', '--yes');
    expect(refused).toMatchObject({ exit: 1 });
    expect(refused.stderr).toContain('SOTTO-CLI-216');
    expect(read('.sops.yaml')).toBe(rules);
    expect((await run('recipients', 'remove', added.recipient, '--key-file', 'keys.txt', '--yes')).exit).toBe(0);
    expect((await run('recipients', 'check')).exit).toBe(0);
    expect(await openByStock(folder, 'deploy/db.yaml', added.identity)).toBeUndefined();
  });

  it('write nothing at all when one file does not open', async () => {
    await repository(oneRule());
    writeFileSync(join(folder, 'deploy/tls.json'), read('deploy/tls.json').replace('"nested"', '"moved"'));
    const texts = [...NAMES, '.sops.yaml'].map(read);
    const refused = await run('recipients', 'remove', old.recipient, '--key-file', 'keys.txt', '--yes');
    expect(refused.stderr).toContain('SOTTO-CLI-215');
    const failed = await run('recipients', 'add', added.recipient, '--key-file', 'keys.txt', '--yes');
    expect(failed.exit).toBe(4);
    expect(failed.stderr).toContain('deploy/tls.json');
    expect([...NAMES, '.sops.yaml'].map(read)).toEqual(texts);
  });

  it('keep OpenPGP keys beside, and make new data keys for them when their public part is given', async () => {
    await using gpg = await newGpgHome();
    const fingerprint = await gpg.newKey('rsa2048');
    writeFileSync(join(folder, 'team.asc'), await gpg.publicKey(fingerprint));
    writeAll(folder, {
      'a.yaml': 'password: hunter2\n',
      '.sops.yaml': `creation_rules:\n- pgp: ${fingerprint}\n  age: [${old.recipient}, ${added.recipient}]\n`,
    });
    const env = { HOME: folder, GNUPGHOME: gpg.folder };
    await stockOutput('sops', ['encrypt', '-i', 'a.yaml'], { cwd: folder, env });
    expect((await run('recipients', 'check')).exit).toBe(0);
    const third = await newAgeKeyPair();
    expect((await run('recipients', 'add', third.recipient, '--key-file', 'keys.txt', '--yes')).exit).toBe(0);
    const refused = await run('recipients', 'remove', third.recipient, '--key-file', 'keys.txt', '--yes');
    expect(refused.stderr).toContain('SOTTO-CLI-218');
    const done = await run(
      'recipients',
      'remove',
      third.recipient,
      '--key-file',
      'keys.txt',
      '--pgp-key',
      'team.asc',
      '--yes',
    );
    expect(done).toMatchObject({ exit: 0 });
    const clear = await stockOutput('sops', ['decrypt', 'a.yaml'], {
      cwd: folder,
      env: { ...env, HOME: '/nonexistent' },
    });
    expect(clear.toString()).toBe('password: hunter2\n');
  });
});
