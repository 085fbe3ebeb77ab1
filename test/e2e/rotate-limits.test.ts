import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readRepository } from '../../src/agent/rotation/read-repository.ts';
import { LIMITS } from '../../src/core/limits.ts';
import { parseBranch, parseGitUrl } from '../../src/git/address.ts';
import { GitRepository } from '../../src/git/repository.ts';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import { makeIdentity } from '../../src/sops/make-identity.ts';
import { errorOf, type GitFixture, startGitFixture } from './git-fixture.ts';

const NOW = new Date('2027-01-31T12:00:00Z');

describe('what a rotation by the agent reads', () => {
  let fixture: GitFixture;
  let sealed: string;
  const { recipient } = makeIdentity(NOW).identity;

  beforeAll(async () => {
    fixture = await startGitFixture();
    const clear = Buffer.from('A=b\n');
    sealed = await encryptFile(clear, { format: 'dotenv', file: 'a.env', recipients: [recipient], now: NOW });
  });
  afterAll(() => fixture.stop());

  type Served = Awaited<ReturnType<GitFixture['repositoryWith']>>;

  async function read(server: Served): Promise<Awaited<ReturnType<typeof readRepository>>> {
    await using repository = await GitRepository.open({
      url: parseGitUrl(fixture.server.url(server)),
      branch: parseBranch('main'),
      workDir: join(fixture.volume, fixture.unique('rotate')),
      timeoutMs: 20_000,
      access: async () => fixture.accessWith(),
    });
    return await readRepository(repository, await repository.head());
  }

  function rules(patterns: readonly string[]): string {
    return `creation_rules:\n${patterns.map((each) => `- path_regex: ${each}\n  age: ${recipient}\n`).join('')}`;
  }

  async function refused(server: Served): Promise<unknown> {
    const { code, why, next } = await errorOf(read(server));
    expect(next).toContain('rotate from a checkout');
    return [code, why];
  }

  /** One content at many paths, with one tree for each depth. */
  async function shared(content: string, width: number, depth: number): Promise<Served> {
    const server = await fixture.repositoryWith({});
    const blob = (await server.git(['hash-object', '-w', '--stdin'], content)).toString().trim();
    let entry = `100644 blob ${blob}`;
    let tree = '';
    for (let at = 0; at < depth; at++) {
      const lines = Array.from({ length: width }, (_, name) => `${entry}\t${name}${at === 0 ? '.env' : ''}\n`);
      tree = (await server.git(['mktree'], lines.join(''))).toString().trim();
      entry = `040000 tree ${tree}`;
    }
    await server.forceTo((await server.git(['commit-tree', tree, '-m', 'many'])).toString().trim());
    return server;
  }

  it('is every encrypted file with its rule, each path of the same content too', async () => {
    const server = await fixture.repositoryWith({
      'a/one.env': sealed,
      'b/two.env': sealed,
      'b/.sops.yaml': `creation_rules:\n- path_regex: other\n  age: age1other\n- path_regex: two\n  age: ${recipient}\n`,
      'readme.md': 'nothing',
    });
    const { policies, sops } = await read(server);
    expect(policies.map(({ path }) => path)).toEqual(['b/.sops.yaml']);
    expect(sops.map(({ file }) => [file.name, file.known?.recipients.groups, file.known?.rule?.number])).toEqual([
      ['a/one.env', [[recipient]], undefined],
      ['b/two.env', [[recipient]], 2],
    ]);
  });

  it('is refused when one small file stands at too many paths', async () => {
    expect(await refused(await shared(sealed, 12, 4))).toEqual([
      'SOTTO-ROTATE-025',
      '20736 of its files may be encrypted',
    ]);
  });

  it('is refused when one large file stands at several paths', async () => {
    const large = `sops ${'x'.repeat(LIMITS.maxRotatedBytes / 9)}`;
    expect(await refused(await shared(large, 10, 1))).toEqual([
      'SOTTO-ROTATE-025',
      expect.stringMatching(/^what may be encrypted has \d+ bytes$/) as string,
    ]);
  });

  it('is refused when the rules take too long, compiled or matched', async () => {
    const folder = 'x/'.repeat(190);
    const files = Array.from({ length: 200 }, (_, at) => [`${folder}${at}.env`, sealed] as const);
    const slow = Array.from({ length: 400 }, (_, at) => `.*.*.*.*z${at}$`);
    const large = Array.from({ length: 400 }, (_, at) => `a{900}b{900}c{900}d{900}e{900}f{900}${at}`);
    const why = expect.stringContaining('takes too long') as string;
    const matched = { ...Object.fromEntries(files), '.sops.yaml': rules(slow) };
    expect(await refused(await fixture.repositoryWith(matched))).toEqual(['SOTTO-ROTATE-025', why]);
    const compiled = { 'a.env': sealed, '.sops.yaml': rules(large) };
    expect(await refused(await fixture.repositoryWith(compiled))).toEqual(['SOTTO-ROTATE-025', why]);
  });
});
