import { EventEmitter } from 'node:events';
import { mkdtemp, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type FileWatcher,
  followSettings,
  readSettings,
  type SettingsOrigin,
} from '../../src/agent/settings-source.ts';
import { systemClock } from '../../src/core/clock.ts';
import { withRetry } from '../../src/kube/retry.ts';
import type { Transport } from '../../src/kube/transport.ts';
import { NO_SETTINGS, type SettingsState } from '../../src/settings/last-good.ts';
import { type FakeApi, sendJson, startFakeApi, statusOf } from '../kube/fake-api.ts';
import { nobody } from './fixture.ts';

function text(path: string): string {
  const source = `{ git: { url: "https://git.example.com/app.git", ref: { branch: main } } }`;
  return `apiVersion: sotto.dev/v1alpha1\nkind: Config\nsyncs:\n- name: app\n  path: ${path}\n  source: ${source}\n`;
}

const pathOf = ({ current }: SettingsState): string | undefined => current?.syncs[0]?.path;
const codesOf = ({ problems }: SettingsState): string[] => problems.map(({ code }) => code);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sotto-settings-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Follows until the end of the test; `seen` has each state it was told of. */
async function follow(origin: SettingsOrigin, transport: Transport, watchFile?: () => FileWatcher) {
  const stop = new AbortController();
  const seen: SettingsState[] = [];
  const first = await readSettings(origin, transport);
  const ended = followSettings(first, {
    origin,
    transport,
    clock: systemClock,
    random: () => 0,
    signal: stop.signal,
    onChange: (state) => seen.push(state),
    onDefect: (thrown) => expect.fail(String(thrown)),
    ...(watchFile === undefined ? {} : { watchFile }),
  });
  const end = async (): Promise<void> => {
    stop.abort();
    await ended;
  };
  return { first, seen, [Symbol.asyncDispose]: end };
}

describe('settings from a file', () => {
  it('that is not there are a problem with a next step, and no settings', async () => {
    const state = await readSettings({ kind: 'file', path: join(folder, 'none.yaml') }, nobody());
    expect([state.current, codesOf(state)]).toEqual([undefined, ['SOTTO-CONF-012']]);
    expect(state.problems[0]?.text()).toContain('the file does not exist');
  });

  it('are followed, also through a link that is swapped, and a bad change keeps the last good ones', async () => {
    const [one, two] = [join(folder, 'one.yaml'), join(folder, 'two.yaml')];
    const path = join(folder, 'sotto.yaml');
    await writeFile(one, text('one'));
    await writeFile(two, text('two'));
    await symlink(one, path);
    await using followed = await follow({ kind: 'file', path }, nobody());
    expect(pathOf(followed.first)).toBe('one');
    // The watcher needs a moment to begin: changes are made until one was seen.
    await vi.waitUntil(
      async () => {
        await unlink(path);
        await symlink(two, path);
        return followed.seen.some((state) => pathOf(state) === 'two');
      },
      { timeout: 15_000, interval: 300 },
    );
    await unlink(path);
    await writeFile(path, 'syncs: 7');
    await vi.waitUntil(() => followed.seen.some((state) => codesOf(state).length > 0), { timeout: 15_000 });
    expect(pathOf(followed.seen.at(-1) ?? NO_SETTINGS)).toBe('two');
  });

  it('that changed between the first reading and the beginning of the watch are not missed', async () => {
    const path = join(folder, 'sotto.yaml');
    await writeFile(path, text('one'));
    const watcher = Object.assign(new EventEmitter(), { close: () => Promise.resolve() });
    await using followed = await follow({ kind: 'file', path }, nobody(), () => watcher);
    await writeFile(path, text('two'));
    // What is there when it begins is no event of a watcher.
    watcher.emit('ready');
    await vi.waitUntil(() => followed.seen.length > 0);
    expect(followed.seen.map(pathOf)).toEqual(['two']);
  });

  it('whose watcher fails stay as they are, and the fault is told and ends nothing', async () => {
    const path = join(folder, 'sotto.yaml');
    await writeFile(path, text('one'));
    const watcher = Object.assign(new EventEmitter(), { close: () => Promise.resolve() });
    await using followed = await follow({ kind: 'file', path }, nobody(), () => watcher);
    await vi.waitUntil(() => watcher.listenerCount('error') > 0);
    watcher.emit('error', Object.assign(new Error('no more'), { code: 'ENOSPC' }));
    expect(followed.seen.map((state) => [pathOf(state), codesOf(state)])).toEqual([['one', ['SOTTO-CONF-012']]]);
    expect(followed.seen[0]?.problems[0]?.why).toContain('ENOSPC');
    await writeFile(path, text('two'));
    watcher.emit('all');
    await vi.waitUntil(() => followed.seen.length > 1);
    expect(followed.seen.map((state) => [pathOf(state), codesOf(state)]).at(-1)).toEqual(['two', []]);
  });
});

function object(data: Readonly<Record<string, string>>, version: string) {
  const metadata = { name: 'sotto', namespace: 'team', uid: 'u', resourceVersion: version };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data };
}

/** One event of a watch. */
function line(type: string, of: unknown): string {
  return `${JSON.stringify({ type, object: of })}\n`;
}

describe('settings from the ConfigMap', () => {
  const ORIGIN: SettingsOrigin = { kind: 'configmap', namespace: 'team' };
  const notFound = statusOf(404, 'NotFound', { details: { name: 'sotto', kind: 'configmaps' } });
  let api: FakeApi;
  afterEach(() => api[Symbol.asyncDispose]());

  it('that is not there, or has no such key, are a problem that says how to make them', async () => {
    api = await startFakeApi((_received, response) => sendJson(response, 404, notFound));
    const state = await readSettings(ORIGIN, api.transport());
    expect(codesOf(state)).toEqual(['SOTTO-CONF-012']);
    expect(state.problems[0]?.next).toContain('kubectl create configmap sotto -n team');
    api.handle((_received, response) => sendJson(response, 200, object({ other: 'x' }, '1')));
    expect((await readSettings(ORIGIN, api.transport())).problems[0]?.why).toContain('no key sotto.yaml');
  });

  it('are thrown about when the API server refuses or is away, after asking again where that is wanted', async () => {
    api = await startFakeApi((_received, response) => sendJson(response, 503, statusOf(503, 'ServiceUnavailable')));
    await expect(readSettings(ORIGIN, api.transport())).rejects.toMatchObject({ code: 'SOTTO-KUBE-015' });
    await expect(readSettings(ORIGIN, nobody())).rejects.toMatchObject({ code: 'SOTTO-KUBE-001' });
    const before = api.received.length;
    api.handle((_received, response) =>
      api.received.length === before + 1
        ? sendJson(response, 503, statusOf(503, 'ServiceUnavailable'))
        : sendJson(response, 200, object({ 'sotto.yaml': text('one') }, '1')),
    );
    const state = await readSettings(ORIGIN, api.transport(), (attempt) => withRetry(attempt, { random: () => 0 }));
    expect([pathOf(state), api.received.length - before]).toEqual(['one', 2]);
  });

  it('are not asked for again when they are forbidden', async () => {
    const forbidden = statusOf(403, 'Forbidden', { message: 'u cannot get resource "configmaps"' });
    api = await startFakeApi((_received, response) => sendJson(response, 403, forbidden));
    const read = readSettings(ORIGIN, api.transport(), (attempt) => withRetry(attempt, { random: () => 0 }));
    await expect(read).rejects.toMatchObject({ code: 'SOTTO-KUBE-003' });
    expect(api.received).toHaveLength(1);
  });

  it('are followed: a change, a bad change, and the deletion of the ConfigMap', async () => {
    const bookmark = {
      kind: 'ConfigMap',
      apiVersion: 'v1',
      metadata: { resourceVersion: '10', annotations: { 'k8s.io/initial-events-end': 'true' } },
    };
    const good = object({ 'sotto.yaml': text('two') }, '11');
    api = await startFakeApi(({ query }, response) => {
      if (!query.has('watch')) return sendJson(response, 200, object({ 'sotto.yaml': text('one') }, '10'));
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.write(line('ADDED', object({ 'sotto.yaml': text('one') }, '10')));
      response.write(line('BOOKMARK', bookmark));
      response.write(line('MODIFIED', good));
      response.write(line('MODIFIED', object({ 'sotto.yaml': 'syncs: 7' }, '12')));
      response.write(line('DELETED', object({}, '13')));
    });
    await using followed = await follow(ORIGIN, api.transport());
    await vi.waitUntil(() => followed.seen.length >= 3);
    const seen = followed.seen.slice(-3);
    expect(seen.map(pathOf)).toEqual(['two', 'two', 'two']);
    expect(seen.map((state) => codesOf(state).length > 0)).toEqual([false, true, true]);
    expect(codesOf(seen[2] ?? NO_SETTINGS)).toEqual(['SOTTO-CONF-012']);
  });
});
