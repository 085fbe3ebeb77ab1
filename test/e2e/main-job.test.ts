import { expect, test } from 'vitest';
import { memberAt, stringAt } from '../../src/core/json.ts';
import { describeReal } from '../harness/real.ts';
import { configMap, createWorld, eventually, secret, syncOf } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;

describeReal('the main job', TOOLS, () => {
  test('a commit with plain manifests and a SOPS file becomes running objects', async () => {
    await using world = await createWorld();
    const encrypted = await world.sops(JSON.stringify(secret('db', { password: 'hunter2-hunter2' })), 'db.json');
    await world.repository.commit(
      { 'deploy/web.yaml': JSON.stringify(configMap('web', { color: 'blue' })), 'deploy/db.json': encrypted },
      'first',
    );
    await using agent = await world.start();
    const status = await world.until('ready', (document) => stringAt(syncOf(document), 'state') === 'Ready');
    expect(memberAt(syncOf(status), 'counts', 'current')).toBe(2);
    const live = await world.get(`/api/v1/namespaces/${world.namespace}/secrets/db`);
    expect(Buffer.from(stringAt(live, 'data', 'password') ?? '', 'base64').toString()).toBe('hunter2-hunter2');
    expect(agent.output()).not.toContain('hunter2');
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
  });
});
