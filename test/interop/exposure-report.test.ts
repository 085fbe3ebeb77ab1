import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { arrayAt, type Json, parseJson, stringAt } from '../../src/core/json.ts';
import { sotto } from '../cli/session.ts';
import { describeReal } from '../harness/real.ts';
import { commitAll, type Rotating, rotating, SEALED_NAME, sealByStock, SOPS_NAMES } from '../harness/rotation.ts';
import { newAgeKeyPair, stockOutput } from '../harness/stock.ts';

describeReal('the exposure report of a key', ['sops', 'age-keygen', 'age', 'kubeseal'], () => {
  let at: Rotating;
  beforeEach(async () => {
    at = await rotating();
  });
  afterEach(() => at[Symbol.dispose]());

  const plan = (...more: readonly string[]) =>
    at.run('rotate', '--key-file', at.outside('old.txt'), '--reason', 'compromised', '--plan', '-o', 'json', ...more);
  const forNewKey = () => ['--new-key', at.outside('new.txt')];
  const reported = async (...more: readonly string[]): Promise<readonly Json[]> => {
    const { exit, stdout, stderr } = await plan(...more);
    expect({ exit, stderr }).toMatchObject({ exit: 0 });
    return arrayAt(parseJson(stdout), 'exposure', 'values');
  };
  const sops = (...args: readonly string[]) =>
    stockOutput('sops', args, { cwd: at.root, env: { SOPS_AGE_KEY: at.old.identity } });
  it('has every value that sotto secret list knows as encrypted, of every format, and changes nothing', async () => {
    const first = commitAll(at);
    const values = await reported(...forNewKey());
    for (const name of SOPS_NAMES) {
      const { stdout } = await at.run('secret', 'list', name, '-o', 'json');
      const listed = stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => parseJson(line) as { path: string; encrypted: boolean })
        .filter(({ encrypted }) => encrypted)
        .map(({ path }) => path);
      expect(Object.keys(sinceOf(values, name)).toSorted(), name).toEqual([...new Set(listed)].toSorted());
    }
    expect(new Set(values.map((value) => stringAt(value, 'since', 'commit')))).toEqual(new Set([first]));
    expect(at.git('status', '--porcelain')).toBe('');
  });

  it('says since which commit the key could open a value as it is: not since it was encrypted anew, nor since the key came', async () => {
    const other = await newAgeKeyPair();
    at.write('late.yaml', 'a: one\nb: two\n');
    const to = ['encrypt', '-i', '--age', other.recipient, 'late.yaml'];
    await stockOutput('sops', to, { cwd: at.root });
    const rule = `- path_regex: late\\.yaml$\n  age: ${at.old.recipient},${other.recipient}\n`;
    const rules = readFileSync(join(at.root, '.sops.yaml'), 'utf8');
    at.write('.sops.yaml', rules.replace('creation_rules:\n', `creation_rules:\n${rule}`));
    commitAll(at, 'for another key');
    await stockOutput('sops', ['rotate', '-i', '--add-age', at.old.recipient, 'late.yaml'], {
      cwd: at.root,
      env: { SOPS_AGE_KEY: other.identity },
    });
    const readable = commitAll(at, 'for the old key too');
    await sops('rotate', '-i', 'late.yaml');
    commitAll(at, 'encrypted anew');
    await sops('set', 'late.yaml', '["b"]', '"three"');
    const changed = commitAll(at, 'another value');
    const { exit, stdout } = await plan('--old', at.old.recipient, ...forNewKey());
    expect(exit).toBe(0);
    const late = arrayAt(parseJson(stdout), 'exposure', 'values').filter(
      (value) => stringAt(value, 'file') === 'late.yaml',
    );
    expect(sinceOf(late, 'late.yaml')).toEqual({ a: readable, b: changed });
    expect(late.map((value) => stringAt(value, 'certainty'))).toEqual(['first', 'first']);
  });

  it('finds a value that came with a branch at the commit of that branch, and says where history is cut short', async () => {
    commitAll(at);
    at.git('checkout', '-q', '-b', 'side');
    at.write('side.yaml', 'a: one\n');
    await stockOutput('sops', ['encrypt', '-i', '--age', at.old.recipient, 'side.yaml'], { cwd: at.root });
    at.git('add', '-A');
    at.git('commit', '-q', '-m', 'on the side');
    const onSide = at.git('rev-parse', 'HEAD').trim();
    at.git('checkout', '-q', 'main');
    at.write('README.md', 'more\n');
    commitAll(at, 'meanwhile');
    at.git('merge', '-q', '--no-ff', '-m', 'both', 'side');
    at.git('push', '-q');
    expect(sinceOf(await reported(...forNewKey()), 'side.yaml')).toEqual({ a: onSide });

    at.gitIn(at.folder, 'clone', '-q', '--depth', '1', `file://${at.remote}`, 'shallow');
    const words = ['rotate', '--key-file', at.outside('old.txt'), ...forNewKey(), '--reason', 'compromised', '--plan'];
    const { stdout, stderr } = await sotto(words, { cwd: at.outside('shallow'), env: at.env });
    expect(stdout).toMatch(/side\.yaml +a +\d{4}-\d\d-\d\d +[0-9a-f]{12} or before /);
    expect(stderr).toContain('“or before”');
  });

  it('has the items of SealedSecrets that an old sealing key opens, and names the files of which nothing tells', async () => {
    await sealByStock(at);
    const first = commitAll(at);
    await sealByStock(at);
    commitAll(at, 'sealed anew');
    const sealing = ['--key-file', at.outside('sealing.json'), '--cert', at.outside('new.pem')];
    const values = await reported(...sealing);
    expect(values).toMatchObject([
      { file: SEALED_NAME, document: 1, key: 'password', since: { commit: first } },
      { file: SEALED_NAME, document: 2, key: 'password', since: { commit: first } },
    ]);
  });

  it('gives its reason to the commit; any other reason only that', async () => {
    commitAll(at);
    const rotate = (reason: string) =>
      at.run('rotate', '--key-file', at.outside('old.txt'), ...forNewKey(), '--yes', '--reason', reason);
    const { exit, stdout, stderr } = await rotate('  a year\nhas passed ');
    expect(exit).toBe(0);
    expect(stdout).not.toContain('READABLE SINCE');
    expect(stderr).not.toContain('have to change, because');
    expect(at.git('log', '-1', '--format=%B')).toContain('\nReason: a year has passed\n');
  });
});

/** The commit that is told for each value of a file. */
function sinceOf(values: readonly Json[], file: string): Record<string, string> {
  return Object.fromEntries(
    values
      .filter((value) => stringAt(value, 'file') === file)
      .map((value) => [stringAt(value, 'key') ?? '', stringAt(value, 'since', 'commit') ?? '']),
  );
}
