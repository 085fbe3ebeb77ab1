import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeReal } from '../harness/real.ts';
import { commitAll, type Rotating, rotating } from '../harness/rotation.ts';
import { CLEAR_FILES } from '../harness/sealed-repository.ts';
import { type AgeKeyPair, newAgeKeyPair, stockOutput } from '../harness/stock.ts';

/** More steps than there are before the new key is written. */
const MOST = 40;

describeReal('a new key in a file, for whoever is to get it back', ['sops', 'age-keygen', 'age'], () => {
  let at: Rotating;
  let before: string;
  let recovery: AgeKeyPair;
  beforeEach(async () => {
    at = await rotating({ files: { 'deploy/db.yaml': CLEAR_FILES['deploy/db.yaml'] ?? '' } });
    before = commitAll(at);
    recovery = await newAgeKeyPair();
    writeFileSync(at.outside('recovery.txt'), `${recovery.identity}\n`);
  });
  afterEach(() => at[Symbol.dispose]());

  const args = (...more: readonly string[]): string[] => [
    'rotate',
    '--key-file',
    at.outside('old.txt'),
    '--new-key',
    at.outside('new.txt'),
    '--yes',
    ...more,
  ];
  const beside = (): string[] => readdirSync(at.folder).filter((name) => name.startsWith('new.txt'));
  const expectNothingMade = (): void => {
    expect(existsSync(at.outside('new.txt'))).toBe(false);
    for (const name of beside().filter((each) => each.endsWith('.tmp')))
      expect(readFileSync(at.outside(name), 'latin1')).not.toContain('AGE-SECRET-KEY');
    expect(at.git('rev-parse', 'HEAD').trim()).toBe(before);
    expect(at.git('status', '--porcelain')).toBe('');
  };
  const openCopy = async (): Promise<string> => {
    const opening = ['-d', '-i', at.outside('recovery.txt'), at.outside('new.txt.recovery.age')];
    return (await stockOutput('age', opening)).toString();
  };

  it('is not made where a recovery recipient is none', async () => {
    const refused = await at.run(...args('--recovery', recovery.recipient, '--recovery', `${recovery.recipient}x`));
    expect(refused).toMatchObject({ exit: 2, stderr: expect.stringContaining('SOTTO-AGE-007') as string });
    expectNothingMade();
    expect(beside()).toEqual([]);
  });

  it('is not made where its copy cannot be stored', async () => {
    mkdirSync(at.outside('new.txt.recovery.age'));
    const refused = await at.run(...args('--recovery', recovery.recipient));
    expect(refused).toMatchObject({ exit: 2, stderr: expect.stringContaining('SOTTO-ROTATE-005') as string });
    expectNothingMade();
    rmSync(at.outside('new.txt.recovery.age'), { recursive: true });
    expect(await at.run(...args('--recovery', recovery.recipient))).toMatchObject({ exit: 0 });
    expect(await openCopy()).toBe(readFileSync(at.outside('new.txt'), 'utf8'));
  });

  it('exists at no moment without the copy, which stock age opens: killed at each step', async () => {
    const seen = new Set<string>();
    for (let killAt = 1; killAt <= MOST && !existsSync(at.outside('new.txt')); killAt += 1) {
      for (const name of beside()) rmSync(at.outside(name));
      const program = ['--require', resolve('test/harness/kill-at.cjs'), resolve('dist/sotto.cjs')];
      const { signal } = spawnSync(process.execPath, [...program, ...args('--recovery', recovery.recipient)], {
        cwd: at.root,
        env: { ...at.env, KILL_AT: String(killAt) },
        stdio: 'ignore',
      });
      expect(signal, `step ${killAt}`).toBe('SIGKILL');
      seen.add(
        beside()
          .filter((name) => !name.endsWith('.tmp'))
          .join(' '),
      );
      expect(at.git('rev-parse', 'HEAD').trim()).toBe(before);
    }
    expect([...seen]).toEqual(['', 'new.txt.recovery.age', 'new.txt new.txt.recovery.age']);
    expect(await openCopy()).toBe(readFileSync(at.outside('new.txt'), 'utf8'));
  });
});
