import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startGitServer } from '../../src/demo/git-server.ts';
import type { GitServer } from '../../src/demo/git-server.ts';

const TIMEOUT_MS = 2_000;
let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sotto-git-test-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

test('a stock git clones with the password and not without, and the server counts', async () => {
  await using server = await startGitServer({ kind: 'basic', username: 'bot', password: 'pw' });
  const repository = await server.createRepository('app');
  await repository.commit({ 'deploy/a.yaml': 'a: 1\n', 'b.txt': 'b' }, 'first');
  const head = await repository.commit({ 'b.txt': null }, 'second');
  const url = server.url(repository);
  await expect(git(server, ['ls-remote', url])).rejects.toThrow('could not read Username');
  const clone = join(folder, 'clone');
  await git(server, ['clone', '--depth=1', url.replace('https://', 'https://bot:pw@'), clone]);
  expect(readdirSync(clone).toSorted()).toEqual(['.git', 'deploy']);
  expect(await git(server, ['-C', clone, 'rev-parse', 'HEAD'])).toBe(head);
  expect(server.requests.map((request) => request.status)).toEqual([401, 401, 200, 200, 200]);
});

test('a rewritten branch, a forced one and a pushed one', async () => {
  await using server = await startGitServer();
  const repository = await server.createRepository('app', 'trunk');
  const first = await repository.commit({ a: '1' }, 'first');
  await repository.commit({ a: '2' }, 'second');
  const rewritten = await repository.rewrite({ a: '3' }, 'second again');
  expect(await repository.head()).toBe(rewritten);
  await repository.forceTo(first);
  const clone = join(folder, 'clone');
  await git(server, ['clone', server.url(repository), clone]);
  await git(server, ['-C', clone, 'commit', '--allow-empty', '-m', 'pushed']);
  await git(server, ['-C', clone, 'push', 'origin', 'trunk']);
  expect(await repository.head()).toBe(await git(server, ['-C', clone, 'rev-parse', 'HEAD']));
});

test('faults: redirect, refusal, a cut answer, silence', async () => {
  await using server = await startGitServer();
  const repository = await server.createRepository('app');
  await repository.commit({ a: '1' }, 'first');
  const ask = () => git(server, ['-c', 'http.followRedirects=false', 'ls-remote', server.url(repository)]);
  server.setFault({ kind: 'redirect', location: 'https://example.com/' });
  await expect(ask()).rejects.toThrow('302');
  server.setFault({ kind: 'status', status: 503 });
  await expect(ask()).rejects.toThrow('503');
  server.setFault({ kind: 'cut', afterBytes: 20 });
  await expect(ask()).rejects.toThrow(/fatal|error/);
  server.setFault({ kind: 'hang' });
  await expect(ask()).rejects.toMatchObject({ killed: true });
  server.setFault(null);
  expect(await ask()).toContain('refs/heads/main');
});

async function git(server: GitServer, args: readonly string[]): Promise<string> {
  const identity = ['-c', 'user.name=a', '-c', 'user.email=a@example.com'];
  const { stdout } = await promisify(execFile)('git', ['-c', `http.sslCAInfo=${server.caPath}`, ...identity, ...args], {
    env: { PATH: process.env['PATH'], HOME: folder, GIT_TERMINAL_PROMPT: '0', GIT_CONFIG_NOSYSTEM: '1', LC_ALL: 'C' },
    timeout: TIMEOUT_MS,
  });
  return stdout.trim();
}
