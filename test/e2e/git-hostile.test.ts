import { randomBytes } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/core/limits.ts';
import { runGit } from '../../src/git/command.ts';
import {
  contents,
  errorOf,
  type GitFixture,
  PASSWORD,
  PASSWORD_BASE64,
  processesIn,
  startGitFixture,
} from './git-fixture.ts';

let fixture: GitFixture;

beforeAll(async () => {
  fixture = await startGitFixture();
});

afterAll(() => fixture.stop());

describe('hostile content', () => {
  it('is skipped and reported: links, submodules, odd names', async () => {
    const repository = await fixture.repositoryWith({
      'deploy/link.yaml': { mode: '120000', content: '/etc/passwd' },
      'deploy/module': { mode: '160000', content: 'a'.repeat(40) },
      'deploy/line\nbreak.yaml': 'x',
      'deploy/--upload-pack=x.yaml': 'dash',
      'deploy/"q" \\.yaml': 'quote',
      '.gitmodules': '[submodule "x"]\n\tpath = deploy/module\n\turl = https://127.0.0.1:1/x.git\n',
    });
    await using source = await fixture.sourceOf(repository);
    const snapshot = await source.pull();
    expect(contents(snapshot)).toEqual({ 'deploy/"q" \\.yaml': 'quote', 'deploy/--upload-pack=x.yaml': 'dash' });
    expect(snapshot.skipped.map((entry) => entry.path)).toEqual([
      'deploy/line?break.yaml',
      'deploy/link.yaml',
      'deploy/module',
    ]);
  });

  it.each(['.git', '..', '.GIT'])('that git itself forbids is refused: a folder named %s', async (name) => {
    const repository = await fixture.repositoryWith({ 'deploy/a.yaml': 'x' });
    const blob = (await repository.git(['hash-object', '-w', '--stdin'], 'evil')).toString().trim();
    const inner = await repository.git(['mktree'], `100644 blob ${blob}\tconfig\n`);
    const tree = await repository.git(['mktree'], `040000 tree ${inner.toString().trim()}\t${name}\n`);
    const commit = await repository.git(['commit-tree', tree.toString().trim(), '-m', 'evil']);
    await repository.forceTo(commit.toString().trim());
    expect((await fixture.pullError(repository)).code).toBe('SOTTO-GIT-026');
  });

  it('that is too large is set aside by name; beside the path or ignored it is not even fetched', async () => {
    const huge = new Uint8Array(LIMITS.maxFileBytes + 1).fill(0x61);
    const repository = await fixture.repositoryWith({
      'deploy/a.yaml': 'a',
      'deploy/huge.yaml': huge,
      'other/huge.yaml': new Uint8Array(LIMITS.maxFileBytes + 2),
    });
    await using source = await fixture.sourceOf(repository);
    const snapshot = await source.pull();
    expect(contents(snapshot)).toEqual({ 'deploy/a.yaml': 'a' });
    expect(snapshot.skipped.map(({ path, error }) => [path, error?.code, error?.place.file])).toEqual([
      ['deploy/huge.yaml', 'SOTTO-GIT-023', 'deploy/huge.yaml'],
    ]);
    await using ignoring = await fixture.sourceOf(repository, { ignore: ['huge.yaml'] });
    expect(await ignoring.pull()).toMatchObject({ files: [{ path: 'deploy/a.yaml' }], skipped: [] });
  });

  it('with 10,001 manifests is refused', async () => {
    const repository = await fixture.repositoryWith({});
    const blob = (await repository.git(['hash-object', '-w', '--stdin'], 'x')).toString().trim();
    const lines = Array.from({ length: LIMITS.maxSnapshotFiles + 1 }, (_, at) => `100644 blob ${blob}\t${at}.yaml\n`);
    const folder = (await repository.git(['mktree'], lines.join(''))).toString().trim();
    const tree = (await repository.git(['mktree'], `040000 tree ${folder}\tdeploy\n`)).toString().trim();
    await repository.forceTo((await repository.git(['commit-tree', tree, '-m', 'many'])).toString().trim());
    expect((await fixture.pullError(repository)).code).toBe('SOTTO-GIT-022');
  });

  it('that names a billion files in a few kilobytes is refused', async () => {
    const repository = await fixture.repositoryWith({});
    const blob = (await repository.git(['hash-object', '-w', '--stdin'], 'x')).toString().trim();
    let entry = `100644 blob ${blob}`;
    for (let depth = 0; depth < 9; depth++) {
      const lines = Array.from({ length: 10 }, (_, at) => `${entry}\t${at}${depth === 0 ? '.yaml' : ''}\n`);
      entry = `040000 tree ${(await repository.git(['mktree'], lines.join(''))).toString().trim()}`;
    }
    const tree = (await repository.git(['mktree'], `${entry}\tdeploy\n`)).toString().trim();
    await repository.forceTo((await repository.git(['commit-tree', tree, '-m', 'bomb'])).toString().trim());
    await using source = await fixture.sourceOf(repository);
    expect((await errorOf(source.pull())).code).toBe('SOTTO-GIT-022');
    // The source goes on with the next commit.
    await repository.commit({ 'deploy/a.yaml': 'a' }, 'mended', { parent: null });
    expect(contents(await source.pull())).toEqual({ 'deploy/a.yaml': 'a' });
  });
});

describe('a server that does not do what it should', () => {
  it('gets no credential anywhere else: a redirect is refused before anything is sent there', async () => {
    const seen: string[] = [];
    const elsewhere = createServer((socket) => {
      seen.push('connection');
      socket.on('error', () => undefined).on('data', (bytes) => seen.push(bytes.toString('latin1')));
    });
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
    const address = elsewhere.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const repository = await fixture.repositoryWith({ 'deploy/a.yaml': 'a' });
    for (const status of [301, 302, 307, 308]) {
      fixture.server.setFault({ kind: 'redirect', location: `https://127.0.0.1:${port}/x.git/info/refs`, status });
      expect((await fixture.pullError(repository)).code).toBe('SOTTO-GIT-011');
    }
    fixture.server.setFault(null);
    elsewhere.close();
    expect(seen).toEqual([]);
  });

  it.each([
    [403, 'SOTTO-GIT-008'],
    [404, 'SOTTO-GIT-009'],
    [429, 'SOTTO-GIT-013'],
    [503, 'SOTTO-GIT-013'],
    [200, 'SOTTO-GIT-014'],
  ])('and answers %i is told with %s, without its words', async (status, code) => {
    const repository = await fixture.repositoryWith({ 'deploy/a.yaml': 'a' });
    fixture.server.setFault({
      kind: 'status',
      status,
      body: `<!doctype html>\n<title>${PASSWORD} \u001b[2J</title>\n`,
    });
    const error = await fixture.pullError(repository);
    fixture.server.setFault(null);
    expect(error.code).toBe(code);
    const shown = [error.text(), String(error.cause), JSON.stringify(error)].join();
    expect(shown).not.toMatch(/canary|html/);
    expect(shown).not.toContain('\u001b');
  });

  it('and cuts the answer is told, and the next pull works', async () => {
    const repository = await fixture.repositoryWith({ 'deploy/a.yaml': 'a' });
    await using source = await fixture.sourceOf(repository);
    const head = await source.ask();
    fixture.server.setFault({ kind: 'cut', afterBytes: 100 });
    expect((await errorOf(source.pull(undefined, head))).code).toBe('SOTTO-GIT-014');
    fixture.server.setFault(null);
    expect(contents(await source.pull())).toEqual({ 'deploy/a.yaml': 'a' });
  });

  it('and moves on between question and fetch is asked again', async () => {
    const repository = await fixture.repositoryWith({ 'deploy/a.yaml': 'a' });
    await using source = await fixture.sourceOf(repository);
    const gone = 'e'.repeat(40);
    const head = await source.ask();
    const snapshot = await source.pull(undefined, head.replace(/.*/, gone) as typeof head);
    expect(snapshot.commit).toBe(head);
  });

  it('and sends without end is stopped at the cap', async () => {
    const repository = await fixture.repositoryWith({ 'deploy/a.yaml': randomBytes(3_000_000) });
    const workDir = join(fixture.volume, fixture.unique('cap'));
    await using source = await fixture.sourceOf(repository, { workDir });
    const configPath = join(workDir, 'private/test.config');
    const header = `Authorization: Basic ${PASSWORD_BASE64}`;
    await writeFile(configPath, `[http]\nsslCAInfo = ${fixture.server.caPath}\nextraHeader = "${header}"\n`);
    const folder = join(workDir, 'repo.git');
    const place = { folder, home: join(workDir, 'home'), programPath: process.env['PATH'] ?? '', timeoutMs: 20_000 };
    const fetch = { args: ['fetch', '--no-filter', 'origin', 'main'], configPath, maxOutputBytes: 10_000 };
    const download = { folder: join(folder, 'objects/pack'), maxBytes: 1_000_000 };
    expect(await runGit(place, { ...fetch, download })).toEqual({ kind: 'ended', why: 'download' });
    expect((await source.pull()).files).toHaveLength(1);
  });
});

describe('who may come in', () => {
  it('is not the one with a wrong password, and not the one without', async () => {
    const repository = await fixture.repositoryWith({ 'deploy/a.yaml': 'a' });
    const error = await fixture.pullError(repository, { access: fixture.accessWith('canary-wrong') });
    expect(error.code).toBe('SOTTO-GIT-007');
    expect(error.text()).not.toContain('canary');
    const caCertificate = Buffer.from(fixture.server.caPem);
    const without = await fixture.pullError(repository, { access: { credential: { kind: 'none' }, caCertificate } });
    expect(without.code).toBe('SOTTO-GIT-006');
  });

  it('is a server only with a certificate of a known authority and for its own name', async () => {
    const repository = await fixture.repositoryWith({ 'deploy/a.yaml': 'a' });
    const before = fixture.server.requests.length;
    const { credential } = fixture.accessWith();
    expect((await fixture.pullError(repository, { access: { credential } })).code).toBe('SOTTO-GIT-010');
    const otherName = fixture.server.url(repository).replace('127.0.0.1', 'other.localhost');
    expect((await fixture.pullError(repository, { url: otherName })).code).toBe('SOTTO-GIT-010');
    expect(fixture.server.requests.length).toBe(before);
  });
});

describe('what is not there', () => {
  it('has a code each: branch, every branch, repository, host, git itself', async () => {
    const repository = await fixture.repositoryWith({ 'deploy/a.yaml': 'a' });
    const branch = await fixture.pullError(repository, { branch: 'trunk' });
    expect([branch.code, branch.why]).toEqual(['SOTTO-GIT-015', 'its branches are main']);
    const empty = await fixture.server.createRepository(fixture.unique('empty'));
    expect((await fixture.pullError(empty)).code).toBe('SOTTO-GIT-016');
    const url = fixture.server.url(repository);
    expect((await fixture.pullError(repository, { url: url.replace('.git', '-no.git') })).code).toBe('SOTTO-GIT-009');
    expect((await fixture.pullError(repository, { url: 'https://127.0.0.1:1/x.git' })).code).toBe('SOTTO-GIT-001');
    expect((await fixture.pullError(repository, { programPath: '/nonexistent' })).code).toBe('SOTTO-GIT-028');
  });
});

describe('while git runs', () => {
  it('the credential is in no argument and no environment, and in one file that is gone afterwards', async () => {
    const repository = await fixture.repositoryWith({ 'deploy/a.yaml': 'a' });
    const stop = new AbortController();
    const workDir = join(fixture.volume, fixture.unique('hang'));
    await using source = await fixture.sourceOf(repository, { workDir, signal: stop.signal });
    fixture.server.setFault({ kind: 'hang' });
    const asked = fixture.server.requests.length;
    const failed = errorOf(source.ask());
    await expect.poll(() => fixture.server.requests.length, { timeout: 10_000 }).toBeGreaterThan(asked);
    const processes = await processesIn(workDir);
    // git, the helper it starts, and the helper's own program: a scan that finds none proves nothing.
    expect(processes.length).toBeGreaterThanOrEqual(3);
    expect(processes.join('\n')).not.toContain(PASSWORD);
    expect(processes.join('\n')).not.toContain(PASSWORD_BASE64);
    const folder = join(workDir, 'private');
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    const files = await readdir(folder);
    expect(files.toSorted()).toEqual(['1.ca', '1.config']);
    expect(await readFile(join(folder, '1.config'), 'latin1')).toContain(PASSWORD_BASE64);
    expect((await stat(join(folder, '1.config'))).mode & 0o777).toBe(0o600);
    stop.abort();
    expect((await failed).code).toBe('SOTTO-GIT-031');
    fixture.server.setFault(null);
    expect(await readdir(folder)).toEqual([]);
    expect(await processesIn(workDir)).toEqual([]);
  });

  it('a server that hangs costs the timeout and leaves no process behind', async () => {
    const repository = await fixture.repositoryWith({ 'deploy/a.yaml': 'a' });
    const workDir = join(fixture.volume, fixture.unique('hang'));
    await using source = await fixture.sourceOf(repository, { workDir, timeoutMs: 1_500 });
    const head = await source.ask();
    fixture.server.setFault({ kind: 'hang' });
    expect((await errorOf(source.pull(undefined, head))).code).toBe('SOTTO-GIT-012');
    fixture.server.setFault(null);
    expect(await processesIn(workDir)).toEqual([]);
    expect(contents(await source.pull())).toEqual({ 'deploy/a.yaml': 'a' });
  });

  it('nothing outside the folder configures it', async () => {
    const repository = await fixture.repositoryWith({ 'deploy/a.yaml': 'a' });
    const names = { GIT_SSL_NO_VERIFY: '1', GIT_TRACE_CURL: join(fixture.volume, 'trace'), GIT_DIR: '/nonexistent' };
    Object.assign(process.env, names);
    try {
      const { credential } = fixture.accessWith();
      expect((await fixture.pullError(repository, { access: { credential } })).code).toBe('SOTTO-GIT-010');
      await using source = await fixture.sourceOf(repository);
      expect(contents(await source.pull())).toEqual({ 'deploy/a.yaml': 'a' });
      await expect(stat(join(fixture.volume, 'trace'))).rejects.toThrow('ENOENT');
    } finally {
      for (const name of Object.keys(names)) Reflect.deleteProperty(process.env, name);
    }
  });

  it('nothing of the repository but its manifests is written, and nothing stays when the source is closed', async () => {
    const repository = await fixture.repositoryWith({
      'deploy/a.yaml': 'a',
      'x.sh': { mode: '100755', content: '#!/bin/sh' },
    });
    const workDir = join(fixture.volume, fixture.unique('closed'));
    const source = await fixture.sourceOf(repository, { workDir });
    await source.pull();
    expect((await readdir(join(workDir, 'repo.git'))).toSorted()).toEqual([
      'HEAD',
      'config',
      'objects',
      'refs',
      'shallow',
    ]);
    expect(await readdir(join(workDir, 'home'))).toEqual([]);
    await source[Symbol.asyncDispose]();
    expect(await readdir(workDir)).toEqual([]);
  });
});
