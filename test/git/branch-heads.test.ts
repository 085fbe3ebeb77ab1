import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isolatedGitEnv } from '../../src/demo/git-repository.ts';
import { fetchBranches } from '../../src/git/branch-heads.ts';
import { openCheckout } from '../../src/git/checkout.ts';

let folder: string;
let env: NodeJS.ProcessEnv;
const git = (...args: readonly string[]): string => execFileSync('git', args, { cwd: folder, env, encoding: 'utf8' });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sotto-heads-'));
  env = isolatedGitEnv(folder, process.env['PATH'] ?? '');
  mkdirSync(join(folder, 'there'));
  git('init', '-q', '-b', 'main', 'there');
  git('-C', 'there', 'commit', '-q', '--allow-empty', '-m', 'one');
  git('-C', 'there', 'switch', '-q', '-c', 'old');
  git('-C', 'there', 'commit', '-q', '--allow-empty', '-m', 'two');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the branches of a remote', () => {
  it('are all known here, or it is said that they are not', async () => {
    git('clone', '-q', '--single-branch', '--branch', 'main', join(folder, 'there'), 'here');
    const checkout = await openCheckout(join(folder, 'here'), env, new AbortController().signal);
    expect(await fetchBranches(checkout)).toBe(false);
    git('-C', 'here', 'remote', 'set-branches', 'origin', '*');
    expect(await fetchBranches(checkout)).toBe(true);
    git('-C', 'here', 'remote', 'set-url', 'origin', join(folder, 'gone'));
    expect(await fetchBranches(checkout)).toBe(false);
  });
});
