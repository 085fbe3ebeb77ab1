import { expect, test } from 'vitest';
import { arrayAt, type JsonObject, numberAt, stringAt } from '../../src/core/json.ts';
import { passed, untilReady } from '../harness/attention.ts';
import { listenerOf } from '../harness/listener.ts';
import { describeReal } from '../harness/real.ts';
import { requestsFromNow, shown } from '../harness/requests.ts';
import { rolledOut } from '../harness/rollout.ts';
import { configMap, createWorld, secret, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;
const STAMP = 'sotto.dev/secrets-digest';

/** Reads Secret and ConfigMap of one name. */
function deployment(name: string, reads: string, image = 'example.com/c:1'): string {
  const labels = { app: name };
  const envFrom = [{ secretRef: { name: reads } }, { configMapRef: { name: reads } }];
  const template: JsonObject = { metadata: { labels }, spec: { containers: [{ name: 'c', image, envFrom }] } };
  const spec = { replicas: 1, selector: { matchLabels: labels }, template };
  const metadata = { name, annotations: { 'sotto.dev/restart-on-change': 'true' } };
  return JSON.stringify({ apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec });
}

const encrypted = (world: World, name: string, value: string): Promise<string> =>
  world.sops(JSON.stringify(secret(name, { p: value })), 'key.json');

const pathOf = (world: World, name: string): string =>
  `/apis/apps/v1/namespaces/${world.namespace}/deployments/${name}`;

async function live(world: World, name: string) {
  const object = await world.get(pathOf(world, name));
  return {
    generation: numberAt(object, 'metadata', 'generation'),
    stamp: stringAt(object, 'spec', 'template', 'metadata', 'annotations', STAMP),
    managers: arrayAt(object, 'metadata', 'managedFields')
      .map((entry) => stringAt(entry, 'manager'))
      .toSorted((a = '', b = '') => (a < b ? -1 : 1)),
  };
}

describeReal('a workload with restart-on-change', TOOLS, () => {
  test('is restarted once by a changed value that it reads, and by nothing else', async () => {
    await using world = await createWorld();
    const { repository } = world;
    const first = await repository.commit(
      {
        'deploy/one-key.json': await encrypted(world, 'one', world.value(0)),
        'deploy/two-key.json': await encrypted(world, 'two', world.value(0)),
        'deploy/one.json': JSON.stringify(configMap('one', { color: 'red' })),
        'deploy/two.json': JSON.stringify(configMap('two', { color: 'red' })),
        'deploy/web.json': deployment('web', 'one'),
        'deploy/other.json': deployment('other', 'two'),
      },
      'first',
    );
    const agent = await world.start();
    await passed(agent, first);
    expect(await live(world, 'web')).toMatchObject({ generation: 1, stamp: undefined });

    const again = await repository.commit(
      { 'deploy/one-key.json': await encrypted(world, 'one', world.value(0)) },
      'encrypted again',
    );
    await passed(agent, again);
    expect(await live(world, 'web')).toMatchObject({ generation: 1, stamp: undefined });

    const changed = await repository.commit(
      { 'deploy/one-key.json': await encrypted(world, 'one', world.value(1)) },
      'another value',
    );
    await passed(agent, changed);
    const stamped = await live(world, 'web');
    expect(stamped).toMatchObject({ generation: 2, stamp: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(stamped.managers).toContain('sotto-restart');
    expect(await live(world, 'other')).toMatchObject({ generation: 1, stamp: undefined });

    const both = await repository.commit(
      {
        'deploy/one.json': JSON.stringify(configMap('one', { color: 'blue' })),
        'deploy/web.json': deployment('web', 'one', 'example.com/c:2'),
      },
      'value and template',
    );
    await passed(agent, both);
    expect(await live(world, 'web')).toEqual({ ...stamped, generation: 3 });

    for (const name of ['web', 'other']) await rolledOut(world, pathOf(world, name));
    await untilReady(world, both);
    await agent.kill('SIGTERM');
    const requests = await requestsFromNow(world);
    await using second = await world.start();
    expect(await passed(second, both)).toMatchObject({ applied: 0, pruned: 0, refused: 0 });
    expect(shown((await requests.writes()).filter(({ resource }) => resource === 'deployments'))).toEqual([]);
    expect(await (await listenerOf(second)).text('/metrics')).not.toMatch(/^sotto_decrypts_total\{.*\} [1-9]/m);
    expect(await live(world, 'web')).toMatchObject({ stamp: stamped.stamp, generation: 3 });
    for (const { log } of [agent, second]) {
      expect(log.filter(({ level }) => level === 'error')).toEqual([]);
      // Its own stamp is no drift.
      expect(log.filter(({ msg }) => /outside Git|another writer|correction/.test(msg))).toEqual([]);
    }
  });
});
