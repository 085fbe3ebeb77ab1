import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseBranch, parseGitUrl } from '../../src/git/address.ts';
import { GitRepository } from '../../src/git/repository.ts';
import { commitBare, publishBranch } from '../../src/git/write-branch.ts';
import { filesBelow } from '../harness/leak-places.ts';
import { type GitFixture, startGitFixture } from './git-fixture.ts';

const BY = { name: 'sotto in team', email: 'sotto@team.invalid' };
const AT = new Date('2026-01-01T00:00:00Z');

describe('a commit of the agent in its bare repository', () => {
  let fixture: GitFixture;
  beforeAll(async () => {
    fixture = await startGitFixture();
  });
  afterAll(() => fixture.stop());

  const opened = (repository: Parameters<GitFixture['server']['url']>[0]): Promise<GitRepository> =>
    GitRepository.open({
      url: parseGitUrl(fixture.server.url(repository)),
      branch: parseBranch('main'),
      workDir: join(fixture.volume, fixture.unique('write')),
      timeoutMs: 20_000,
      access: async () => fixture.accessWith(),
    });

  it('has exactly the files that are given, with their bytes and modes, whatever they are called', async () => {
    const names = fc
      .stringMatching(/^[^/\0.][^/\0]{0,20}$/u)
      .filter((name) => name.isWellFormed() && !/git/i.test(name));
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(names, fc.tuple(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' })), {
          minKeys: 1,
          maxKeys: 8,
        }),
        async (contents) => {
          const entries = Object.entries(contents);
          const server = await fixture.repositoryWith({
            ...Object.fromEntries(entries.map(([name, [before]]) => [`d/${name}`, before])),
            'run.sh': { mode: '100755', content: 'before' },
            'same.bin': new Uint8Array([0, 255, 10, 0]),
          });
          await using repository = await opened(server);
          const head = await repository.head();
          await repository.fetch(head);
          const entriesBefore = await repository.list(head, ['']);
          const changing = entriesBefore.filter(({ path }) => path !== 'same.bin');
          await repository.bring(changing.flatMap((entry) => (entry.kind === 'file' ? [entry.blob] : [])));
          const files = new Map(entries.map(([name, [, after]]) => [`d/${name}`, Buffer.from(after)]));
          files.set('run.sh', Buffer.from('after'));
          files.set('.sotto/new.json', Buffer.from('{}'));
          const made = { parent: head, files, message: 'One\n\nTwo "three"\n', by: BY, at: AT };
          const commit = await commitBare(repository, made);
          const end = await publishBranch(repository, parseBranch('new'), commit, fixture.accessWith());
          expect(end).toEqual({ kind: 'pushed' });
          for (const [path, content] of files) {
            expect(await server.git(['cat-file', 'blob', `${commit}:${path}`])).toEqual(Buffer.from(content));
          }
          const modes = (await server.git(['ls-tree', commit, 'run.sh'])).toString();
          expect(modes).toMatch(/^100755 /);
          expect(await server.git(['cat-file', 'blob', `${commit}:same.bin`])).toEqual(Buffer.from([0, 255, 10, 0]));
          const text = (await server.git(['log', '-1', '--format=%an <%ae> %at%n%P%n%B', commit])).toString();
          expect(text.trimEnd()).toBe(`${BY.name} <${BY.email}> ${AT.getTime() / 1000}\n${head}\nOne\n\nTwo "three"`);
        },
      ),
      { numRuns: 12 },
    );
  });

  it('is never pushed over a branch that is there, also one that it comes after', async () => {
    const server = await fixture.repositoryWith({ 'a.txt': 'a' });
    await using repository = await opened(server);
    const head = await repository.head();
    await repository.fetch(head);
    await repository.bring(
      (await repository.list(head, [''])).flatMap((each) => (each.kind === 'file' ? [each.blob] : [])),
    );
    await server.git(['update-ref', 'refs/heads/theirs', head]);
    const files = new Map([['a.txt', Buffer.from('b')]]);
    const commit = await commitBare(repository, { parent: head, files, message: 'x', by: BY, at: AT });
    const access = fixture.accessWith();
    expect(await publishBranch(repository, parseBranch('theirs'), commit, access)).toEqual({ kind: 'taken' });
    expect((await server.git(['rev-parse', 'theirs'])).toString().trim()).toBe(head);
    expect(await publishBranch(repository, parseBranch('theirs/below'), commit, access)).toMatchObject({
      kind: 'refused',
    });
    const wrong = await publishBranch(repository, parseBranch('new'), commit, fixture.accessWith('wrong'));
    expect(wrong).toEqual({ kind: 'refused', why: 'the server does not let this credential write' });
    expect((await server.git(['for-each-ref', '--format=%(refname)'])).toString().trim().split('\n')).toEqual([
      'refs/heads/main',
      'refs/heads/theirs',
    ]);
  });

  it('takes no file out of the way of another', async () => {
    const server = await fixture.repositoryWith({ '.sotto': 'a file of theirs', 'a.txt': 'a' });
    await using repository = await opened(server);
    const head = await repository.head();
    await repository.fetch(head);
    const files = new Map([['.sotto/rotation.json', Buffer.from('{}')]]);
    await expect(commitBare(repository, { parent: head, files, message: 'x', by: BY, at: AT })).rejects.toMatchObject({
      code: 'SOTTO-ROTATE-024',
    });
  });

  it('leaves nothing behind', async () => {
    expect(await filesBelow(fixture.volume)).toEqual([]);
  });
});
