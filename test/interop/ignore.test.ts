import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runGit } from '../../src/demo/git-repository.ts';
import { parseIgnore } from '../../src/source/ignore.ts';

const env = { PATH: process.env['PATH'], LC_ALL: 'C', GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' };
const PARTS = ['a', 'b', 'ab', 'abc', 'a.md', 'b.yaml'];
const paths = PARTS.flatMap((one) => [one, ...PARTS.flatMap((two) => [`${one}/${two}`, `${one}/${two}/b.yaml`])]);

let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sotto-ignore-'));
  await runGit(['init', '--quiet', folder], { cwd: folder, env });
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function ignoredByGit(lines: readonly string[]): Promise<string[]> {
  // One path that is always ignored, since check-ignore ends with 1 when there is none.
  await writeFile(join(folder, '.gitignore'), [...lines, '/always'].join('\n'));
  const answer = await runGit(['check-ignore', '--no-index', '--stdin', '-z'], {
    cwd: folder,
    env,
    input: [...paths, 'always'].join('\0'),
  });
  return answer
    .toString()
    .split('\0')
    .filter((path) => path !== '' && path !== 'always');
}

describe('ignore patterns', () => {
  it('mean what they mean to git', async () => {
    const part = fc
      .oneof(
        fc.constantFrom(...PARTS, '*', '**', '?', '*.md', 'a*', '*b*', '[ab]', '[!a]*', 'a?c', '\\a', '***'),
        fc.string({ unit: fc.constantFrom('a', 'b', '*', '?', '.'), minLength: 1, maxLength: 4 }),
      )
      // git 2.39 compares a pointer into the pattern with one into the path when it looks at what stands before `**`,
      // so what `a**` means there depends on where memory lies. git's manual gives it the meaning of `*`.
      .filter((text) => !text.includes('**') || /^\*+$/.test(text));
    const line = fc
      .tuple(
        fc.constantFrom('', '', '', '!'),
        fc.constantFrom('', '', '/'),
        fc.array(part, { minLength: 1, maxLength: 3 }),
        fc.constantFrom('', '', '/'),
      )
      .map(([exception, front, parts, end]) => `${exception}${front}${parts.join('/')}${end}`);
    await fc.assert(
      fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 4 }), async (lines) => {
        const isIgnored = parseIgnore([{ lines, folder: '', origin: '.gitignore' }]);
        expect(paths.filter((path) => isIgnored(path))).toEqual(await ignoredByGit(lines));
      }),
      { numRuns: 300, seed: 20_261_125 },
    );
  });
});
