import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeReal } from '../harness/real.ts';
import { CLEAR_FILES } from '../harness/sealed-repository.ts';
import { commitAll, identityIn, openedByStock, type Rotating, rotating } from '../harness/rotation.ts';

const NAMES = ['deploy/db.yaml', 'deploy/tls.json', 'deploy/app.env', 'deploy/app.ini', 'deploy/key.bin'];
/** More steps than a rotation of these files has; the loop ends sooner. */
const MOST = 80;
const PROGRAM = resolve('dist/sotto.cjs');
const KILL = resolve('test/harness/kill-at.cjs');

describeReal('SIGKILL at every step of a rotation', ['sops', 'age-keygen'], () => {
  let at: Rotating;
  let clear: Map<string, string | undefined>;
  beforeAll(async () => {
    const files = Object.fromEntries(NAMES.map((name) => [name, CLEAR_FILES[name] ?? '']));
    at = await rotating({ files });
    commitAll(at);
    clear = await openedByStock(at.root, NAMES, at.old.identity);
    cpSync(at.root, at.outside('pristine'), { recursive: true });
    cpSync(at.remote, at.outside('pristine.git'), { recursive: true });
  });
  afterAll(() => at[Symbol.dispose]());

  function rotate(args: readonly string[], killAt?: number): { code: number | null; stderr: string } {
    const preload = killAt === undefined ? [] : ['--require', KILL];
    const env = { ...at.env, ...(killAt === undefined ? {} : { KILL_AT: String(killAt) }) };
    const { status, stderr } = spawnSync(process.execPath, [...preload, PROGRAM, 'rotate', ...args], {
      cwd: at.root,
      env,
      encoding: 'utf8',
    });
    return { code: status, stderr };
  }

  function asBefore(): void {
    for (const [from, to] of [
      ['pristine', at.root],
      ['pristine.git', at.remote],
    ] as const) {
      rmSync(to, { recursive: true });
      cpSync(at.outside(from), to, { recursive: true, preserveTimestamps: true });
    }
    rmSync(at.outside('new.txt'), { force: true });
  }

  it.each([
    ['in the checkout', []],
    ['with a push', ['--push']],
  ] as const)(
    '%s: what is left is as before or resumed, and in the end all is as without it',
    async (_, more) => {
      const args = ['--key-file', at.outside('old.txt'), '--new-key', at.outside('new.txt'), '--yes', ...more];
      const resumed = new Set<number>();
      let killAt = 1;
      for (; killAt <= MOST; killAt += 1) {
        asBefore();
        const first = at.git('rev-parse', 'HEAD');
        const { code, stderr } = rotate(args, killAt);
        if (code === 0) break;
        expect(code, `step ${killAt}: ${stderr}`).toBeNull();
        const hasJournal = existsSync(join(at.root, '.git/sotto-rotate'));
        if (hasJournal) resumed.add(killAt);
        else if (at.git('rev-parse', 'HEAD') === first) expect(at.git('status', '--porcelain')).toBe('');
        const again = hasJournal ? rotate(['--resume']) : rotate(args);
        // Killed at the last step of all: everything was done, and the second rotation finds nothing.
        const isDone = !hasJournal && at.git('rev-parse', 'HEAD') !== first && again.code === 2;
        expect(isDone || again.code === 0, `after step ${killAt}: ${again.stderr}`).toBe(true);
        expect(await openedByStock(at.root, NAMES, identityIn(at.outside('new.txt'))), `step ${killAt}`).toEqual(clear);
        expect(at.git('status', '--porcelain')).toBe('');
        expect(at.git('rev-list', '--count', `${first.trim()}..HEAD`)).toBe('1\n');
        if (more.length > 0) expect(at.gitIn(at.remote, 'rev-parse', 'main')).toBe(at.git('rev-parse', 'HEAD'));
        expect(existsSync(join(at.root, '.git/sotto-rotate'))).toBe(false);
      }
      expect(killAt).toBeLessThan(MOST);
      // Push, branch, each file, index: all of them were passed.
      expect(resumed.size).toBeGreaterThan(NAMES.length + 3);
    },
    600_000,
  );

  it('does not write over what became of a file since', () => {
    asBefore();
    const args = ['--key-file', at.outside('old.txt'), '--new-key', at.outside('new.txt'), '--yes'];
    let killAt = 1;
    for (; killAt <= MOST; killAt += 1) {
      asBefore();
      rotate(args, killAt);
      if (existsSync(join(at.root, '.git/sotto-rotate'))) break;
    }
    expect(rotate(args)).toMatchObject({ code: 6, stderr: expect.stringContaining('SOTTO-ROTATE-002') as string });
    const text = at.read('deploy/db.yaml');
    at.write('deploy/db.yaml', `${text}# mine\n`);
    const refused = rotate(['--resume']);
    expect(refused).toMatchObject({ code: 6, stderr: expect.stringContaining('SOTTO-ROTATE-004') as string });
    expect(at.read('deploy/db.yaml')).toBe(`${text}# mine\n`);
    at.write('deploy/db.yaml', text);
    expect(rotate(['--resume'])).toMatchObject({ code: 0 });
    expect(at.git('status', '--porcelain')).toBe('');
  }, 120_000);
});
