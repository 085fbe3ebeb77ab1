import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { expect, onTestFinished, test, type TestContext } from 'vitest';
import type { RunningAgent } from '../harness/agent.ts';
import { findLeaks, plantCanaries } from '../harness/leak-check.ts';
import { describeReal } from '../harness/real.ts';
import { configMap, createWorld, secret, type World } from '../harness/world.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;

describeReal('the leak check', TOOLS, () => {
  test('finds a value in every place where one may be left, and names the place', async () => {
    await using world = await createWorld();
    using canaries = plantCanaries([4, 4, 4, 4, 4, 4, 4, 4], true);
    const [live = '', log = '', inGit = '', entry = '', packed = '', note = '', file = '', argument = ''] =
      canaries.values;
    const core = `/api/v1/namespaces/${world.namespace}`;
    await world.repository.commit({ 'deploy/a.yaml': await world.sops(JSON.stringify(secret('a', { a: live }))) }, 'a');
    await using agent = await world.start();
    await agent.line('the first pass', ({ msg }) => msg === 'pass ended');
    expect(await findLeaks(world, agent, canaries)).toEqual([]);

    // In Git in clear it is in the memory of the agent and in the object too.
    const commit = await world.repository.commit(
      { 'deploy/b.yaml': JSON.stringify(configMap('b', { b: inGit })) },
      'b',
    );
    await agent.line(
      'the second pass',
      ({ msg, revision }) => msg === 'pass ended' && String(revision).endsWith(commit),
    );
    await world.create(`${core}/configmaps`, configMap('entry', { a: `x${base64(`xy${entry}`)}` }));
    await world.create(`${core}/configmaps`, {
      ...configMap('packed', {}),
      binaryData: { a: packedEntry(packed) },
    });
    await world.create(`${core}/secrets`, {
      ...secret('noted', { a: live }),
      metadata: { name: 'noted', annotations: { a: note } },
    });
    await world.create(`${core}/configmaps`, configMap('number', { n: canaries.numbers.values[0] ?? '' }));
    const digest = createHash('sha256').update(live);
    await world.create(
      `${core}/configmaps`,
      configMap('digest', { a: `sha256:${digest.copy().digest('hex').slice(0, 16)}` }),
    );
    await world.create(`${core}/configmaps`, configMap('digest-64', { a: digest.digest('base64') }));
    await writeFile(join(world.folder, 'left'), file.slice(7, 40));
    const child = spawn('sleep', ['60'], { argv0: `sleep ${argument}` });
    await sleep(100);
    child.kill('SIGKILL');

    const speaking = { ...agent, output: () => `${agent.output()}\n${log}` };
    const places = (await findLeaks(world, speaking, canaries)).map((line) => line.replace(/: .*$/, ''));
    const wanted = [
      'memory',
      'log',
      'configmaps/b',
      'configmaps/entry',
      'configmaps/packed a',
      'secrets/noted',
      'configmaps/number',
      'configmaps/digest',
      'configmaps/digest-64',
      join(world.folder, 'left'),
      `git objects of ${world.repository.folder}`,
    ];
    expect(places).toEqual(expect.arrayContaining(wanted));
    expect(places.some((place) => place.startsWith(`process ${child.pid}`))).toBe(true);
  });
});

describeReal('a test that ends', TOOLS, () => {
  /** What was said of the test before. */
  let said: readonly string[] = [];
  let running: RunningAgent | undefined;

  // The world looks by itself: none of these tests calls the check.
  test.fails('fails when a value is left where an agent of its world was running', async ({ task }) => {
    tell(task);
    await using world = await createWorld();
    await world.repository.commit(await world.canaryFile(), 'a');
    await using agent = await world.start();
    await agent.line('the first pass', ({ msg }) => msg === 'pass ended');
    await leave(world, 'left');
  });
  test('and is told the place', () => expect(said).toEqual([expect.stringContaining('configmaps/left: 1 values')]));

  test.fails('fails when a value that the test itself has planted is left', async ({ task }) => {
    tell(task);
    await using world = await createWorld();
    using canaries = plantCanaries([4]);
    await using agent = await world.start();
    expect(agent.isRunning()).toBe(true);
    await leave(world, 'planted', canaries.values[0]);
  });
  test('and is told where', () => expect(said).toEqual([expect.stringContaining('configmaps/planted: ')]));

  test.fails('fails when a value is left after its agent was killed', async ({ task }) => {
    tell(task);
    await using world = await createWorld();
    const agent = await world.start();
    await agent.kill('SIGKILL');
    await leave(world, 'after');
  });
  test('and is told that place', () => expect(said).toEqual([expect.stringContaining('configmaps/after: 1 values')]));

  test.fails('fails when an agent holds a value at rest, and the agent is stopped', async ({ task }) => {
    tell(task);
    await using world = await createWorld();
    await world.repository.commit(
      { 'deploy/a.json': JSON.stringify(configMap('a', { a: world.value(0) })) },
      'in clear',
    );
    const agent = await world.start();
    await agent.line('the first pass', ({ msg }) => msg === 'pass ended');
    running = agent;
  });
  test('and is told that it was the memory', () => {
    expect(said).toEqual([expect.stringMatching(/\nmemory: 1 values .*\n/)]);
    expect(running?.isRunning()).toBe(false);
  });

  test.fails('fails with its own failure first', async ({ task }) => {
    tell(task);
    await using world = await createWorld();
    await using agent = await world.start();
    expect(agent.isRunning()).toBe(true);
    await leave(world, 'left');
    throw new Error('its own failure');
  });
  test('and is told the other one after it', () => {
    expect(said).toEqual([
      expect.stringContaining('its own failure'),
      expect.stringContaining('configmaps/left: 1 values'),
    ]);
  });

  test.fails('fails with nothing but its own failure when no check can be made any more', async ({ task }) => {
    tell(task);
    await using world = await createWorld();
    await using agent = await world.start();
    expect(agent.isRunning()).toBe(true);
    await rm(world.repository.folder, { recursive: true });
    await world.own.plane.admin('DELETE', `/api/v1/namespaces/${world.namespace}`);
    world.own.plane[Symbol.dispose]();
    throw new Error('its own failure');
  });
  test('and is told nothing else', () => expect(said).toEqual([expect.stringContaining('its own failure')]));

  function tell({ result }: TestContext['task']): void {
    onTestFinished(() => {
      said = result?.errors?.map(({ message }) => message) ?? [];
    });
  }
});

async function leave(world: World, name: string, value = world.value(0)): Promise<void> {
  await world.create(`/api/v1/namespaces/${world.namespace}/configmaps`, configMap(name, { a: value }));
}

/** As the inventory has it: something in front of the compressed part. */
function packedEntry(text: string): string {
  return Buffer.concat([Buffer.from('a mac'), gzipSync(text)]).toString('base64');
}
