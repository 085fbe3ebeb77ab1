import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { findLeaks, plantCanaries } from '../harness/leak-check.ts';
import { describeReal } from '../harness/real.ts';
import { configMap, createWorld, secret } from '../harness/world.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

describeReal('the leak check', ['kube-apiserver', 'etcd', 'sops', 'age-keygen'], () => {
  test('finds a value in every place where one may be left, and names the place', async () => {
    await using world = await createWorld();
    using canaries = plantCanaries([4, 4, 4, 4, 4, 4, 4, 4]);
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
      join(world.folder, 'left'),
      `git objects of ${world.repository.folder}`,
    ];
    expect(places).toEqual(expect.arrayContaining(wanted));
    expect(places.some((place) => place.startsWith(`process ${child.pid}`))).toBe(true);
  });
});

/** As the inventory has it: something in front of the compressed part. */
function packedEntry(text: string): string {
  return Buffer.concat([Buffer.from('a mac'), gzipSync(text)]).toString('base64');
}
