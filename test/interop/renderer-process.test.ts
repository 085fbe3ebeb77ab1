import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { readRendererPlace } from '../../src/render/kustomize/socket/address.ts';
import { socketRenderer, type SocketRendererOptions } from '../../src/render/kustomize/socket/socket-renderer.ts';
import type { BuildFile } from '../../src/render/kustomize/tree.ts';
import { type RunningCommand, startCommand } from '../harness/cli.ts';
import { sampleProcesses } from '../harness/process-sampler.ts';
import { describeReal, toolPath } from '../harness/real.ts';
import { eventually } from '../harness/world.ts';
import { BOMB } from '../render/kustomize/failing.ts';
import { fixture, kustomization, MAP } from '../render/kustomize/trees.ts';

const PATIENCE = { reachMs: 30_000, firstWaitMs: 50, maxWaitMs: 200 };

function filesOf(text: string): BuildFile[] {
  return [...fixture(text).files].map(([path, content]) => ({ path, bytes: new TextEncoder().encode(content) }));
}

const GOOD = filesOf(kustomization('resources: [map.yaml]\nnamePrefix: a-', MAP));

describeReal('sotto renderer', ['kustomize'], () => {
  let folder = '';
  let workFolder = '';
  let socket = '';
  let commands: RunningCommand[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sotto-renderer-'));
  });

  beforeEach(async () => {
    workFolder = await mkdtemp(join(folder, 'work-'));
    socket = join(workFolder, 'run', 'private', 'socket');
  });

  afterEach(async () => {
    for (const command of commands) await command[Symbol.asyncDispose]();
    commands = [];
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  const start = async (args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) => {
    const program = ['--kustomize', toolPath('kustomize')];
    const where = args.includes('--listen') ? [] : ['--listen', `unix:${socket}`];
    const command = startCommand(['renderer', ...program, ...where, ...args], { SOTTO_WORK_DIR: workFolder, ...env });
    commands.push(command);
    await command.says('"msg":"listening"');
    return command;
  };

  const client = (more: Partial<SocketRendererOptions> = {}) =>
    socketRenderer({ place: { kind: 'unix', path: socket }, patience: PATIENCE, ...more });

  /** Trees of builds: one folder of the renderer, and in it one for each build at work. */
  const trees = async (): Promise<string[]> => {
    const own = (await readdir(workFolder)).filter((name) => name.startsWith('sotto-render-'));
    const inside = await Promise.all(own.map((name) => readdir(join(workFolder, name))));
    return inside.flat();
  };

  test('serves until it is told to end, and leaves neither files nor processes', async () => {
    const command = await start();
    const built = await client().build(GOOD, '');
    expect(built.ok && Buffer.from(built.bytes).toString()).toContain('name: a-');
    expect(await client().describe()).toMatchObject({ kustomize: '5.8.2' });
    using sampler = sampleProcesses();
    const ending = client({ patience: { ...PATIENCE, reachMs: 100 } }).build(filesOf(BOMB), '');
    await eventually('it builds', async () => ((await trees()).length > 0 ? true : undefined));
    expect(await command.end('SIGTERM')).toBe(0);
    const ended = await ending;
    // Cut by the end of the renderer, or told of it, whichever was first.
    expect(!ended.ok && ended.error.code).toMatch(/^SOTTO-RENDER-0(?:38|64|65)$/);
    expect((await readdir(workFolder)).filter((name) => name.startsWith('sotto-'))).toEqual([]);
    const seen = sampler.samples().filter(({ argv }) => argv.includes('kustomize\0build'));
    expect(seen.filter(({ environ }) => environ !== '')).toEqual([]);
    expect(command.stdout()).not.toMatch(/map\.yaml|bomb|ConfigMap/);
  });

  test('that is killed in the middle of a build is waited for, and the build is made by the next one', async () => {
    // What it leaves running ends itself soon at this limit; in a container it ends with the renderer.
    const first = await start([], { SOTTO_MEMORY_LIMIT: String(256 * 1024 * 1024) });
    const building = client().build(filesOf(BOMB), '');
    await eventually('it builds', async () => ((await trees()).length > 0 ? true : undefined));
    await first.end('SIGKILL');
    const good = client().build(GOOD, '');
    await start([], { SOTTO_MEMORY_LIMIT: String(512 * 1024 * 1024) });
    expect((await good).ok).toBe(true);
    const ended = await building;
    expect(!ended.ok && ended.error.code).toBe('SOTTO-RENDER-038');
  });

  test('builds for two at once, one after the other', async () => {
    await start();
    const both = await Promise.all([client().build(GOOD, ''), client().build(GOOD, '')]);
    expect(both.map(({ ok }) => ok)).toEqual([true, true]);
  });

  test('gives a build half of its memory, ends it when it wants more, and goes on', async () => {
    await start([], { SOTTO_MEMORY_LIMIT: String(256 * 1024 * 1024) });
    const described = await client().describe();
    expect(described?.resources).toBe('capped');
    const greedy = await client().build(filesOf(BOMB), '');
    expect(!greedy.ok && [greedy.error.code, greedy.error.why]).toEqual([
      'SOTTO-RENDER-038',
      'it needed more memory than it may have',
    ]);
    expect((await client().build(GOOD, '')).ok).toBe(true);
  });

  test('at a port answers only who has the token', async () => {
    const token = join(workFolder, 'token');
    await writeFile(token, 'a'.repeat(32));
    const command = await start(['--listen', 'tcp:127.0.0.1:0', '--token', token]);
    const port = /"port":(\d+)/.exec(command.stdout())?.[1] ?? '';
    const at = (file: string) =>
      client({ place: readRendererPlace(`tcp:127.0.0.1:${port}`, file), patience: { ...PATIENCE, reachMs: 100 } });
    expect((await at(token).build(GOOD, '')).ok).toBe(true);
    const other = join(workFolder, 'other');
    await writeFile(other, 'b'.repeat(32));
    const refused = await at(other).build(GOOD, '');
    expect(!refused.ok && refused.error.code).toBe('SOTTO-RENDER-069');
  });

  test('says so when its kustomize is not the one that was tested, and when it has none', async () => {
    const other = join(workFolder, 'kustomize');
    await writeFile(other, '#!/bin/sh\necho v5.4.3\n');
    await chmod(other, 0o755);
    const command = await start(['--kustomize', other]);
    await command.says('another kustomize than the tested one');
    expect((await client().describe())?.kustomize).toBe('5.4.3');
    for (const args of [
      ['--kustomize', '/nonexistent/kustomize'],
      ['--kustomize', '/bin/true'],
    ]) {
      const none = startCommand(['renderer', '--listen', `unix:${socket}2`, ...args]);
      expect(await none.ended()).toBe(2);
      expect(none.stderr()).toContain('SOTTO-RENDER-039');
    }
    const unused = startCommand(['renderer', '--listen', 'tcp::1', '--kustomize', other]);
    expect(await unused.ended()).toBe(2);
    expect(unused.stderr()).toContain('SOTTO-RENDER-061');
  });
});
