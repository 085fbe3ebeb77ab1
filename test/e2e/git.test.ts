import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGitServer } from '../../src/demo/git-server.ts';
import { contents, errorOf, type GitFixture, sensitive, startGitFixture } from './git-fixture.ts';

let fixture: GitFixture;

beforeAll(async () => {
  fixture = await startGitFixture();
});

afterAll(() => fixture.stop());

describe('a pull', () => {
  it('reads the manifests of the path and nothing else', async () => {
    const repository = await fixture.repositoryWith({
      'deploy/a.yaml': 'a: 1\n',
      'deploy/sub/b.json': { mode: '100755', content: '{}' },
      'deploy/empty.yml': '',
      'deploy/README.md': 'x',
      'other/c.yaml': 'c: 1\n',
    });
    await using source = await fixture.sourceOf(repository);
    const snapshot = await source.pull();
    expect(snapshot.revision).toBe(`main@sha1:${await repository.head()}`);
    expect(contents(snapshot)).toEqual({
      'deploy/a.yaml': 'a: 1\n',
      'deploy/empty.yml': '',
      'deploy/sub/b.json': '{}',
    });
    expect([snapshot.isEmpty, snapshot.rewound, snapshot.refusal]).toEqual([false, undefined, undefined]);
  });

  it('asks for the head without fetching, and fetches only what is new', async () => {
    const repository = await fixture.repositoryWith({ 'deploy/a.yaml': 'a: 1\n', 'deploy/b.yaml': 'b: 1\n' });
    await using source = await fixture.sourceOf(repository);
    const first = await source.pull();
    expect(await source.ask()).toBe(first.commit);
    const second = await repository.commit({ 'deploy/a.yaml': 'a: 2\n' }, 'two');
    const head = await source.ask();
    expect(head).toBe(second);
    const before = fixture.server.requests.length;
    const next = await source.pull(first, head);
    expect(contents(next)).toEqual({ 'deploy/a.yaml': 'a: 2\n', 'deploy/b.yaml': 'b: 1\n' });
    expect(next.rewound).toBeUndefined();
    // Commit and trees, then the one blob: the greeting and the fetch of each.
    expect(fixture.server.requests.length - before).toBe(4);
    expect(next.files[1]?.bytes).toBe(first.files[1]?.bytes);
    expect(fixture.server.requests.every((request) => request.authorized)).toBe(true);
  });

  it('honours the ignore patterns of settings and of both ignore files', async () => {
    const repository = await fixture.repositoryWith({
      '.sourceignore': '*.tmp.yaml\n',
      'deploy/.sourceignore': '/local.yaml\n!*.tmp.yaml\n',
      'deploy/local.yaml': 'x',
      'deploy/a.tmp.yaml': 'kept by the nearer file',
      'deploy/secret.yaml': 'x',
      'deploy/a.yaml': 'a',
    });
    await using source = await fixture.sourceOf(repository, { ignore: ['secret.*'] });
    expect(Object.keys(contents(await source.pull()))).toEqual(['deploy/a.tmp.yaml', 'deploy/a.yaml']);
  });

  it('refuses a path with a kustomization as data, without reading its files', async () => {
    const repository = await fixture.repositoryWith({ 'deploy/x/kustomization.yaml': 'x', 'deploy/a.yaml': 'a' });
    await using source = await fixture.sourceOf(repository);
    const snapshot = await source.pull();
    expect(snapshot.refusal).toMatchObject({
      code: 'SOTTO-RENDER-001',
      place: { file: 'deploy/x/kustomization.yaml' },
    });
    expect([snapshot.files, snapshot.isEmpty]).toEqual([[], false]);
  });

  it('tells an empty folder from one that is not there', async () => {
    const repository = await fixture.repositoryWith({ 'deploy/README.md': 'x', 'file.yaml': 'x' });
    await using source = await fixture.sourceOf(repository);
    expect(await source.pull()).toMatchObject({ isEmpty: true, files: [] });
    expect((await fixture.pullError(repository, { path: 'deploi' })).code).toBe('SOTTO-GIT-019');
    expect((await fixture.pullError(repository, { path: 'file.yaml' })).code).toBe('SOTTO-GIT-020');
  });

  it('works with a server that knows no partial clone', async () => {
    const repository = await fixture.repositoryWith({ 'deploy/a.yaml': 'a: 1\n', 'deploy/b.yaml': 'b: 1\n' });
    await repository.git(['config', 'uploadpack.allowFilter', 'false']);
    await using source = await fixture.sourceOf(repository);
    const first = await source.pull();
    await repository.commit({ 'deploy/a.yaml': 'a: 2\n' }, 'two');
    await repository.commit({ 'deploy/a.yaml': 'a: 3\n' }, 'three');
    const next = await source.pull(first);
    expect(contents(next)).toEqual({ 'deploy/a.yaml': 'a: 3\n', 'deploy/b.yaml': 'b: 1\n' });
    expect(next.rewound).toBeUndefined();
  });

  it('works without credentials and with a token', async () => {
    await using open = await startGitServer();
    const repository = await open.createRepository('team/app');
    await repository.commit({ 'deploy/a.yaml': 'a' }, 'one');
    const caCertificate = Buffer.from(open.caPem);
    const url = open.url(repository);
    await using source = await fixture.sourceOf(repository, {
      url,
      access: { credential: { kind: 'none' }, caCertificate },
    });
    expect(contents(await source.pull())).toEqual({ 'deploy/a.yaml': 'a' });
    open.setAccess({ kind: 'bearer', token: 'to"k\\en' });
    const credential = { kind: 'bearer', token: sensitive('to"k\\en') } as const;
    await using other = await fixture.sourceOf(repository, { url, access: { credential, caCertificate } });
    expect(contents(await other.pull())).toEqual({ 'deploy/a.yaml': 'a' });
  });

  it('reads 1,000 files (times are printed, not asserted)', async () => {
    const paths = Array.from({ length: 1_000 }, (_, index) => `deploy/${index % 20}/${index}.yaml`);
    const repository = await fixture.server.createRepository(fixture.unique('repo'));
    const stream = paths.map((path, index) => {
      const content = `index: ${index}\n${'# padding\n'.repeat(100)}`;
      return `M 644 inline ${path}\ndata ${content.length}\n${content}\n`;
    });
    const head = 'commit refs/heads/main\ncommitter Test <test@example.com> 0 +0000\ndata 3\none\n';
    await repository.git(['fast-import', '--quiet'], `${head}${stream.join('')}`);
    await using source = await fixture.sourceOf(repository);
    const times: string[] = [];
    const timed = async <Result>(name: string, task: () => Promise<Result>): Promise<Result> => {
      const from = performance.now();
      const result = await task();
      times.push(`${name} ${Math.round(performance.now() - from)} ms`);
      return result;
    };
    const first = await timed('first pull', () => source.pull());
    expect(first.files).toHaveLength(1_000);
    await repository.commit({ [paths[0] ?? '']: 'index: new\n' }, 'two');
    const asked = await timed('ask', () => source.ask());
    const next = await timed('pull of one commit', () => source.pull(first, asked));
    expect(contents(next)[paths[0] ?? '']).toBe('index: new\n');
    process.stdout.write(`git source, 1,000 files: ${times.join(', ')}\n`);
  });
});

describe('a history', () => {
  it('that went on by several commits and merges is not rewound', async () => {
    const repository = await fixture.repositoryWith({ 'deploy/a.yaml': '1' });
    await using source = await fixture.sourceOf(repository, { requireFastForward: true });
    let snapshot = await source.pull();
    for (const content of ['2', '3', '4']) await repository.commit({ 'deploy/a.yaml': content }, content);
    snapshot = await source.pull(snapshot);
    expect([snapshot.rewound, contents(snapshot)]).toEqual([undefined, { 'deploy/a.yaml': '4' }]);
    // Back to an older content: its trees were named to us by history, and must be fetched all the same.
    await repository.commit({ 'deploy/a.yaml': '2' }, 'revert');
    snapshot = await source.pull(snapshot);
    expect([snapshot.rewound, contents(snapshot)]).toEqual([undefined, { 'deploy/a.yaml': '2' }]);
    const tree = (await repository.git(['rev-parse', 'main^{tree}'])).toString().trim();
    const side = await repository.commit({ 'deploy/b.yaml': 'b' }, 'side', { branch: 'side', parent: null });
    const args = ['commit-tree', tree, '-p', side, '-p', await repository.head(), '-m', 'merge'];
    await repository.forceTo((await repository.git(args)).toString().trim());
    expect((await source.pull(snapshot)).rewound).toBeUndefined();
  });

  it('that was rewritten is followed and reported', async () => {
    const repository = await fixture.repositoryWith({ 'deploy/a.yaml': '1' });
    await repository.commit({ 'deploy/a.yaml': '2' }, 'two');
    await using source = await fixture.sourceOf(repository);
    const first = await source.pull();
    await repository.rewrite({ 'deploy/a.yaml': 'rewritten' }, 'two again');
    const next = await source.pull(first);
    expect(next.rewound).toEqual({ from: first.commit });
    expect(contents(next)).toEqual({ 'deploy/a.yaml': 'rewritten' });
    await repository.commit({ 'deploy/a.yaml': '3' }, 'three');
    expect((await source.pull(next)).rewound).toBeUndefined();
  });

  it('that was rewritten is refused where settings say so, until it comes back', async () => {
    const repository = await fixture.repositoryWith({ 'deploy/a.yaml': '1' });
    const good = await repository.commit({ 'deploy/a.yaml': '2' }, 'two');
    await using source = await fixture.sourceOf(repository, { requireFastForward: true });
    const first = await source.pull();
    await repository.rewrite({ 'deploy/a.yaml': 'rewritten' }, 'two again');
    expect((await errorOf(source.pull(first))).code).toBe('SOTTO-GIT-018');
    await repository.forceTo(good);
    await repository.commit({ 'deploy/a.yaml': '3' }, 'three');
    expect(contents(await source.pull(first))).toEqual({ 'deploy/a.yaml': '3' });
  });

  it('of another repository with the same name is rewound, and only the commit need be remembered', async () => {
    const repository = await fixture.repositoryWith({ 'deploy/a.yaml': '1' });
    await using source = await fixture.sourceOf(repository);
    const commit = 'd'.repeat(40);
    expect((await source.pull({ commit, files: [] })).rewound).toEqual({ from: commit });
    expect((await source.pull({ commit: await repository.head(), files: [] })).rewound).toBeUndefined();
  });
});
