import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isolatedGitEnv } from '../../src/demo/git-repository.ts';
import { openCheckout } from '../../src/git/checkout.ts';
import { branchLine, namingCommits, type NamingCommits } from '../../src/git/naming-commits.ts';

const PATTERN = 'recipient"?[[:space:]]*[:=][[:space:]]*"?age1abc';

/** As git fast-import reads it. */
function data(text: string): string {
  return `data ${Buffer.byteLength(text)}\n${text}\n`;
}

/** How many files of each commit, oldest first, name the recipient. */
async function namingIn(
  counts: readonly number[],
  depth?: number,
): Promise<{ ids: string[]; found: NamingCommits | undefined }> {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-naming-'));
  const env = isolatedGitEnv(folder);
  try {
    const git = (args: readonly string[], input?: string): string =>
      execFileSync('git', ['-C', folder, ...args], { env, input, encoding: 'utf8' });
    git(['init', '-q', '-b', 'main']);
    const commits = counts.map((count, index) => {
      const files = Array.from({ length: 3 }, (_, file) => {
        const names = file < count ? 'age1abc' : 'age1other';
        return `M 100644 inline f${file}.yaml\n${data(`sops:\n  age:\n  - recipient: ${names}\n# ${index} age1abc\n`)}`;
      });
      return `commit refs/heads/main\ncommitter K <k@example.com> ${1_700_000_000 + index} +0000\n${data('c')}${files.join('')}`;
    });
    git(['fast-import', '--quiet'], `${commits.join('\n')}\ndone\n`);
    const ids = git(['rev-list', '--reverse', 'main']).trim().split('\n');
    const short = join(folder, 'short');
    if (depth !== undefined) git(['clone', '-q', '--depth', `${depth}`, `file://${folder}`, short]);
    const where = depth === undefined ? folder : short;
    const checkout = await openCheckout(where, env, new AbortController().signal);
    const tip = ids.at(-1) as Parameters<typeof branchLine>[1];
    return { ids, found: await namingCommits(checkout, await branchLine(checkout, tip), PATTERN) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('the commits of a branch that name a recipient', () => {
  it('go from the first that has it to the one before it went', async () => {
    const { ids, found } = await namingIn([0, 2, 3, 1, 0, 0]);
    expect(found).toMatchObject({
      newest: { commit: ids[3], at: expect.stringMatching(/^2023-11-14T/) as string },
      oldest: { commit: ids[1] },
      count: 3,
      isWhole: true,
    });
  });

  it('are not said to be all where a clone was cut short among them', async () => {
    for (const depth of [1, 2])
      expect((await namingIn([2, 2, 2], depth)).found).toMatchObject({ count: depth, isWhole: false });
    expect((await namingIn([2, 0, 2, 2], 3)).found).toMatchObject({ count: 2, isWhole: true });
  });

  it('are none where only other texts name it', async () => {
    expect((await namingIn([0, 0])).found).toBeUndefined();
  });

  it('are those that a look at every commit finds', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 7 }), async (counts) => {
        const { ids, found } = await namingIn(counts);
        const naming = ids.filter((_, index) => (counts[index] ?? 0) > 0);
        expect([found?.oldest.commit, found?.newest.commit]).toEqual([naming[0], naming.at(-1)]);
      }),
      { numRuns: 6 },
    );
  });
});
