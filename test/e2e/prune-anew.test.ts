import { expect, test } from 'vitest';
import { stringAt } from '../../src/core/json.ts';
import { FIELD_MANAGER, MEMBER_LABEL } from '../../src/core/labels.ts';
import { passed } from '../harness/attention.ts';
import { leakCheck, plantCanaries } from '../harness/leak-check.ts';
import { configMapPath } from '../harness/objects.ts';
import { outsideOf } from '../harness/outside.ts';
import { describeReal } from '../harness/real.ts';
import { configMap, createWorld, secret, type World } from '../harness/world.ts';

const file = (name: string): string => JSON.stringify(configMap(name, { color: 'blue' }));
const pathOf = (world: World, name: string): string => configMapPath(world.namespace, name);

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;

describeReal('what left Git while it was another object than the one remembered', TOOLS, () => {
  test('goes when a killed agent had made it anew, and stays when somebody else did', async () => {
    using canaries = plantCanaries([1]);
    await using world = await createWorld();
    const names = ['kept', 'ours', 'theirs'];
    const all = Object.fromEntries(names.map((name) => [`deploy/${name}.json`, file(name)]));
    const db = await world.sops(JSON.stringify(secret('db', { password: canaries.values[0] ?? '' })), 'db.json');
    const first = await world.repository.commit({ ...all, 'deploy/db.json': db }, 'first');
    const before = await world.start();
    await passed(before, first);
    const set = stringAt(await world.get(pathOf(world, 'ours')), 'metadata', 'labels', MEMBER_LABEL) ?? '';
    await before.kill('SIGKILL');

    // As a correction leaves it when the agent is killed before its inventory is written; and a copy with our label.
    const by = outsideOf(world);
    const labelled = (name: string) => {
      const metadata = { name, labels: { [MEMBER_LABEL]: set } };
      return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { color: 'blue' } };
    };
    await by.remove(pathOf(world, 'ours'));
    await by.remove(pathOf(world, 'theirs'));
    expect(await by.apply(pathOf(world, 'ours'), labelled('ours'), FIELD_MANAGER)).toBe(201);
    const collection = `/api/v1/namespaces/${world.namespace}/configmaps`;
    expect(await by.create(collection, labelled('theirs'), 'kubectl-create')).toBe(201);

    const second = await world.repository.commit({ 'deploy/ours.json': null, 'deploy/theirs.json': null }, 'second');
    await using agent = await world.start(['--take-over']);
    await passed(agent, second);
    expect(await world.get(pathOf(world, 'ours'))).toBeUndefined();
    expect(await world.get(pathOf(world, 'theirs'))).toBeDefined();
    expect(await world.get(pathOf(world, 'kept'))).toBeDefined();
    const told = agent.log.filter(({ msg }) => msg === 'not pruned: somebody else made it anew');
    expect(told.map(({ object }) => object)).toEqual(['ConfigMap/theirs']);
    await leakCheck(world, agent, canaries);
  });
});
