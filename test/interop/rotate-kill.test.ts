import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeReal } from '../harness/real.ts';
import { CLEAR_FILES } from '../harness/sealed-repository.ts';
import {
  commitAll,
  identityIn,
  openedByStock,
  type Rotating,
  rotating,
  SEALED_NAME,
  sealByStock,
} from '../harness/rotation.ts';
import type { SealingKeySecret } from '../harness/sealing-key.ts';
import { stockOutput } from '../harness/stock.ts';

const NAMES = ['deploy/db.yaml', 'deploy/tls.json', 'deploy/app.env', 'deploy/app.ini', 'deploy/key.bin'];
/** More steps than a rotation of these files has; the loop ends sooner. */
const MOST = 80;
const PROGRAM = resolve('dist/sotto.cjs');
const KILL = resolve('test/harness/kill-at.cjs');
const RENAMES = resolve('test/harness/renames.cjs');

describeReal('SIGKILL at every step of a rotation', ['sops', 'age-keygen', 'kubeseal'], () => {
  let at: Rotating;
  /** What stock tools open after a rotation that nobody interrupted. */
  let uninterrupted: ReadonlyMap<string, string | undefined>;
  let changedFiles: string;
  beforeAll(async () => {
    const files = Object.fromEntries(NAMES.map((name) => [name, CLEAR_FILES[name] ?? '']));
    at = await rotating({ files });
    await sealByStock(at);
    commitAll(at);
    const before = await opened(at.old.identity, at.oldSealing);
    expect([...before.values()]).not.toContain(undefined);
    cpSync(at.root, at.outside('pristine'), { recursive: true });
    cpSync(at.remote, at.outside('pristine.git'), { recursive: true });
    expect(rotate(rotation())).toMatchObject({ code: 0 });
    uninterrupted = await openedByNewKeys();
    changedFiles = at.git('diff', '--name-only', 'HEAD^', 'HEAD');
    expect(uninterrupted).toEqual(before);
    expect(changedFiles.trim().split('\n').toSorted()).toEqual(['.sops.yaml', ...NAMES, SEALED_NAME].toSorted());
  });
  afterAll(() => at[Symbol.dispose]());

  const rotation = (...more: readonly string[]): string[] => {
    const age = ['--key-file', at.outside('old.txt'), '--new-key', at.outside('new.txt')];
    return [...age, '--key-file', at.outside('sealing.json'), '--cert', at.outside('new.pem'), '--yes', ...more];
  };

  /** By stock sops and stock kubeseal, with one identity and one sealing key alone; undefined for what does not open. */
  async function opened(identity: string, sealing: SealingKeySecret): Promise<Map<string, string | undefined>> {
    const found = await openedByStock(at.root, NAMES, identity);
    const key = String((sealing.secret['stringData'] as Record<string, string>)['tls.key']);
    writeFileSync(at.outside('tls.key'), key);
    for (const [index, document] of at.read(SEALED_NAME).split('---\n').entries()) {
      const unseal = ['--recovery-unseal', '--recovery-private-key', at.outside('tls.key')];
      const made = await stockOutput('kubeseal', unseal, { stdin: document }).catch(() => undefined);
      found.set(`${SEALED_NAME} ${index}`, made?.toString());
    }
    return found;
  }

  const openedByNewKeys = (): Promise<Map<string, string | undefined>> =>
    opened(identityIn(at.outside('new.txt')), at.newSealing);

  /** Each file has the bytes of the commit, the index has its entries, and there is no file beside. */
  function expectTreeOfCommit(what: string): void {
    for (const line of at.git('ls-tree', '-r', '-z', 'HEAD').split('\0').filter(Boolean)) {
      const [, id = '', path = ''] = /^\d+ blob (\w+)\t(.*)$/s.exec(line) ?? [];
      const blob = spawnSync('git', ['-C', at.root, 'cat-file', 'blob', id], { env: at.env }).stdout;
      expect(readFileSync(join(at.root, path)).equals(blob), `${what}: ${path}`).toBe(true);
    }
    expect(at.git('diff-index', '--cached', 'HEAD'), what).toBe('');
    expect(at.git('status', '--porcelain', '--ignored'), what).toBe('');
  }

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

  it('puts each file in its place as a whole: written beside it and synced before, and its folder after', () => {
    asBefore();
    const log = at.outside('renames.txt');
    const env = { ...at.env, RENAMES: log };
    const args = ['--require', RENAMES, PROGRAM, 'rotate', ...rotation()];
    expect(spawnSync(process.execPath, args, { cwd: at.root, env })).toMatchObject({ status: 0 });
    const lines = readFileSync(log, 'utf8').trim().split('\n');
    const files = changedFiles
      .trim()
      .split('\n')
      .map((path) => join(at.root, path));
    const places = [at.outside('new.txt'), join(at.root, '.git/sotto-rotate'), ...files];
    expect(lines.filter((line) => !line.startsWith('folder ')).toSorted()).toEqual(
      places.map((path) => `synced ${path}`).toSorted(),
    );
    for (const path of places)
      expect(lines.lastIndexOf(`folder ${dirname(path)}`), path).toBeGreaterThan(lines.indexOf(`synced ${path}`));
  });

  it.each([
    ['in the checkout', []],
    ['with a push', ['--push']],
  ] as const)(
    '%s: what is left is as before or resumed, and in the end all is as without it',
    async (_, more) => {
      const args = rotation(...more);
      const resumed = new Set<number>();
      let killAt = 1;
      for (; killAt <= MOST; killAt += 1) {
        asBefore();
        const first = at.git('rev-parse', 'HEAD');
        const { code, stderr } = rotate(args, killAt);
        if (code === 0) break;
        const what = `step ${killAt}`;
        expect(code, `${what}: ${stderr}`).toBeNull();
        const hasJournal = existsSync(join(at.root, '.git/sotto-rotate'));
        if (hasJournal) resumed.add(killAt);
        else if (at.git('rev-parse', 'HEAD') === first) expectTreeOfCommit(what);
        const again = hasJournal ? rotate(['--resume']) : rotate(args);
        // Killed at the last step of all: everything was done, and the second rotation finds nothing.
        const isDone = !hasJournal && at.git('rev-parse', 'HEAD') !== first && again.code === 2;
        expect(isDone || again.code === 0, `after ${what}: ${again.stderr}`).toBe(true);
        expect(await openedByNewKeys(), what).toEqual(uninterrupted);
        expect(at.git('diff', '--name-only', 'HEAD^', 'HEAD'), what).toBe(changedFiles);
        expectTreeOfCommit(what);
        expect(at.git('rev-list', '--count', `${first.trim()}..HEAD`)).toBe('1\n');
        if (more.length > 0) expect(at.gitIn(at.remote, 'rev-parse', 'main')).toBe(at.git('rev-parse', 'HEAD'));
        expect(existsSync(join(at.root, '.git/sotto-rotate'))).toBe(false);
      }
      expect(killAt).toBeLessThan(MOST);
      // Push, branch, each file, index: all of them were passed.
      expect(resumed.size).toBeGreaterThan(changedFiles.trim().split('\n').length + 2);
    },
    600_000,
  );

  it('on a branch of its own: the checkout is as before at every step, and the branch is there as a whole or not', async () => {
    const args = rotation('--branch', 'anew', '--push');
    let killAt = 1;
    for (; killAt <= MOST; killAt += 1) {
      asBefore();
      const refs = at.git('for-each-ref', 'refs/heads/main');
      const { code, stderr } = rotate(args, killAt);
      if (code === 0) break;
      const what = `step ${killAt}`;
      expect(code, `${what}: ${stderr}`).toBeNull();
      const again = rotate(args);
      // Killed after the push, or after that: the branch is taken.
      if (again.code !== 0) expect(again.stderr, what).toMatch(/SOTTO-(?:ROTATE-007|CLI-193)/);
      expectTreeOfCommit(what);
      expect(at.git('for-each-ref', 'refs/heads/main'), what).toBe(refs);
      at.git('fetch', '-q', 'origin', 'anew');
      at.git('checkout', '-q', '--detach', 'FETCH_HEAD');
      expect(await openedByNewKeys(), what).toEqual(uninterrupted);
      expect(at.git('diff', '--name-only', 'HEAD^', 'HEAD'), what).toBe(changedFiles);
    }
    expect(killAt).toBeLessThan(MOST);
  }, 600_000);

  it('does not write over what became of the branch or of a file since', () => {
    const args = rotation();
    let killAt = 1;
    for (; killAt <= MOST; killAt += 1) {
      asBefore();
      rotate(args, killAt);
      if (existsSync(join(at.root, '.git/sotto-rotate'))) break;
    }
    expect(rotate(args)).toMatchObject({ code: 6, stderr: expect.stringContaining('SOTTO-ROTATE-002') as string });
    const first = at.git('rev-parse', 'HEAD').trim();
    const mine = at.git('commit-tree', '-p', first, '-m', 'mine', 'HEAD^{tree}').trim();
    at.git('update-ref', 'refs/heads/main', mine);
    const moved = rotate(['--resume']);
    expect(moved).toMatchObject({ code: 6, stderr: expect.stringContaining('SOTTO-ROTATE-004') as string });
    expect(moved.stderr).toContain('git reflog main');
    expect(at.git('rev-parse', 'HEAD').trim()).toBe(mine);
    at.git('update-ref', 'refs/heads/main', first);
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
