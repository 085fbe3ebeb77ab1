import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { arrayAt, stringAt } from '../../src/core/json.ts';
import { configMapPath } from '../harness/objects.ts';
import { describeReal, toolPath } from '../harness/real.ts';
import { createWorld, eventually, secret, syncOf } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen', 'kustomize'] as const;

describeReal('a kustomization with closed secrets', TOOLS, () => {
  const env = () => ({ PATH: `${dirname(toolPath('kustomize'))}:${process.env['PATH'] ?? ''}` });

  test('is built from bases outside of the path; its secrets are values only in their Secrets', async () => {
    await using world = await createWorld();
    const files = {
      'base/kustomization.yaml': 'resources: [db.json, web.yaml]\n',
      'base/db.json': await world.sops(JSON.stringify(secret('db', { password: world.value(0) })), 'db.json'),
      'base/web.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: web }\ndata: { color: blue }\n',
      'deploy/kustomization.yaml': [
        'namePrefix: prod-',
        'resources: [../base]',
        'secretGenerator:',
        '- name: app',
        '  envs: [app.env]',
        'configMapGenerator:',
        '- name: settings',
        '  literals: [a=b]',
      ].join('\n'),
      'deploy/app.env': await world.sops(`TOKEN=${world.value(1)}\n`, 'app.env', []),
    };
    const commit = await world.repository.commit(files, 'first');
    await using agent = await world.start([], { env: env() });
    const status = await world.until('ready', (document) => stringAt(syncOf(document), 'state') === 'Ready');
    expect(stringAt(syncOf(status), 'appliedRevision')).toContain(commit);
    const secrets = await world.get(`/api/v1/namespaces/${world.namespace}/secrets`);
    const named = arrayAt(secrets, 'items').filter((item) => /^prod-/.test(stringAt(item, 'metadata', 'name') ?? ''));
    expect(named.map((item) => stringAt(item, 'metadata', 'name'))).toEqual([
      expect.stringMatching(/^prod-app-[a-z0-9]{10}$/),
      'prod-db',
    ]);
    expect(Buffer.from(stringAt(named[0], 'data', 'TOKEN') ?? '', 'base64').toString()).toBe(world.value(1));
    expect(Buffer.from(stringAt(named[1], 'data', 'password') ?? '', 'base64').toString()).toBe(world.value(0));
    await eventually('the map is there', () => world.get(configMapPath(world.namespace, 'prod-web')));
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
