import { expect, test } from 'vitest';
import { memberAt, stringAt } from '../../src/core/json.ts';
import { leakCheck, plantCanaries } from '../harness/leak-check.ts';
import { describeReal } from '../harness/real.ts';
import { configMap, createWorld, eventually, secret, syncOf } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;

describeReal('the main job', TOOLS, () => {
  test('a commit with plain manifests and a SOPS file becomes running objects', async () => {
    using canaries = plantCanaries([4]);
    const [password = ''] = canaries.values;
    await using world = await createWorld();
    const encrypted = await world.sops(JSON.stringify(secret('db', { password })), 'db.json');
    await world.repository.commit(
      { 'deploy/web.yaml': JSON.stringify(configMap('web', { color: 'blue' })), 'deploy/db.json': encrypted },
      'first',
    );
    await using agent = await world.start();
    const status = await world.until('ready', (document) => stringAt(syncOf(document), 'state') === 'Ready');
    expect(memberAt(syncOf(status), 'counts', 'current')).toBe(2);
    const live = await world.get(`/api/v1/namespaces/${world.namespace}/secrets/db`);
    expect(Buffer.from(stringAt(live, 'data', 'password') ?? '', 'base64').toString()).toBe(password);
    await world.own.plane.admin(
      'PATCH',
      `/api/v1/namespaces/${world.namespace}/configmaps/web?fieldManager=kubectl-edit`,
      { data: { color: 'red', extra: 'x' } },
      'application/merge-patch+json',
    );
    await eventually('the edit is undone', async () => {
      const object = await world.get(`/api/v1/namespaces/${world.namespace}/configmaps/web`);
      return stringAt(object, 'data', 'color') === 'blue' && stringAt(object, 'data', 'extra') === undefined
        ? true
        : undefined;
    });
    await world.repository.commit({ 'deploy/web.yaml': null }, 'second');
    await eventually('the object is pruned', async () =>
      (await world.get(`/api/v1/namespaces/${world.namespace}/configmaps/web`)) === undefined ? true : undefined,
    );
    await leakCheck(world, agent, canaries);
  });
});
