import { expect, test } from 'vitest';
import { type JsonObject, stringAt } from '../../src/core/json.ts';
import { codesOf, passed, untilTried } from '../harness/attention.ts';
import { configMapPath, secretPath } from '../harness/objects.ts';
import { personIn } from '../harness/person.ts';
import { describeReal } from '../harness/real.ts';
import { rolledOut } from '../harness/rollout.ts';
import { configMap, createWorld, eventually, secret, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;
const labels = { app: 'web' };

function deployment(config: string, key: string): string {
  const env = [{ name: 'P', valueFrom: { secretKeyRef: { name: key, key: 'p' } } }];
  const containers = [{ name: 'c', image: 'example.com/c:1', env, envFrom: [{ configMapRef: { name: config } }] }];
  const template: JsonObject = { metadata: { labels }, spec: { containers, serviceAccountName: config } };
  const spec = { replicas: 1, selector: { matchLabels: labels }, template };
  return JSON.stringify({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' }, spec });
}

const account = (name: string): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name } });
const path = (world: World): string => `/apis/apps/v1/namespaces/${world.namespace}/deployments/web`;

async function version(world: World, name: string): Promise<Record<string, string>> {
  return {
    [`deploy/${name}.json`]: JSON.stringify(configMap(name, { color: name })),
    [`deploy/${name}-account.json`]: account(name),
    [`deploy/${name}-key.json`]: await world.sops(JSON.stringify(secret(name, { p: world.value(0) })), 'key.json'),
    'deploy/web.json': deployment(name, name),
  };
}

const without = (name: string): Record<string, null> => ({
  [`deploy/${name}.json`]: null,
  [`deploy/${name}-account.json`]: null,
  [`deploy/${name}-key.json`]: null,
});

async function existing(world: World, name: string): Promise<boolean[]> {
  const accountPath = `/api/v1/namespaces/${world.namespace}/serviceaccounts/${name}`;
  const paths = [configMapPath(world.namespace, name), secretPath(world.namespace, name), accountPath];
  return Promise.all(paths.map(async (each) => (await world.get(each)) !== undefined));
}

describeReal('configuration that left Git', TOOLS, () => {
  test('goes when the rollout that does without it is done, and not while something that runs refers to it', async () => {
    await using world = await createWorld({ retryInterval: '10m' });
    const first = await world.repository.commit(await version(world, 'one'), 'first');
    await using agent = await world.start();
    await passed(agent, first);
    await rolledOut(world, path(world));

    const second = await world.repository.commit({ ...without('one'), ...(await version(world, 'two')) }, 'second');
    const waiting = await untilTried(world, second);
    expect(codesOf(waiting)).toMatchObject({
      'ConfigMap/one': 'SOTTO-PLAN-083',
      'Secret/one': 'SOTTO-PLAN-083',
      'ServiceAccount/one': 'SOTTO-PLAN-083',
    });
    expect(await existing(world, 'one')).toEqual([true, true, true]);
    // The end of the rollout alone is what goes on: nothing is asked, committed or due.
    await rolledOut(world, path(world));
    await eventually('the old configuration is gone', async () =>
      (await existing(world, 'one')).every((there) => !there) ? true : undefined,
    );
    expect(await existing(world, 'two')).toEqual([true, true, true]);

    const person = await personIn(world);
    const asked = await person.sotto(['pause', 'apps/Deployment/web', '--for', '1h', '--reason', 'x']);
    expect(asked).toMatchObject({ exit: 0 });
    const third = await world.repository.commit({ ...without('two'), ...(await version(world, 'three')) }, 'third');
    const used = await untilTried(world, third);
    expect(codesOf(used)).toMatchObject({ 'ConfigMap/two': 'SOTTO-PLAN-084', 'Secret/two': 'SOTTO-PLAN-084' });
    expect(JSON.stringify(used)).toContain('sotto resume apps/Deployment/web');
    expect(await existing(world, 'two')).toEqual([true, true, true]);
    expect(await person.sotto(['resume', 'apps/Deployment/web'])).toMatchObject({ exit: 0 });
    await eventually('the new version is applied', async () =>
      stringAt(await world.get(path(world)), 'spec', 'template', 'spec', 'serviceAccountName') === 'three'
        ? true
        : undefined,
    );
    expect(await existing(world, 'two')).toEqual([true, true, true]);
    await rolledOut(world, path(world));
    await eventually('the old configuration is gone', async () =>
      (await existing(world, 'two')).every((there) => !there) ? true : undefined,
    );
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('goes with the workload that used it', async () => {
    await using world = await createWorld();
    const first = await world.repository.commit(
      { ...(await version(world, 'one')), 'deploy/stays.json': JSON.stringify(configMap('stays', { a: '1' })) },
      'first',
    );
    await using agent = await world.start();
    await passed(agent, first);
    await world.repository.commit({ ...without('one'), 'deploy/web.json': null }, 'second');
    await eventually('all of it is gone', async () =>
      (await world.get(path(world))) === undefined && (await existing(world, 'one')).every((there) => !there)
        ? true
        : undefined,
    );
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
