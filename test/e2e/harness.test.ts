import { request } from 'node:https';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { stringAt } from '../../src/core/json.ts';
import { connectControlPlane } from '../../src/demo/control-plane.ts';
import { namespaceForTest } from '../harness/control-plane.ts';
import type { TestNamespace } from '../harness/control-plane.ts';
import { describeReal } from '../harness/real.ts';

const READ_SECRETS = [{ apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list'] }];

describeReal('the test control plane', ['kube-apiserver', 'etcd'], () => {
  test('gives each test a namespace and an account that can do what its Role says and nothing else', async () => {
    using own = await namespaceForTest(READ_SECRETS);
    using other = await namespaceForTest(READ_SECRETS);
    expect(await statusAs(own, `/api/v1/namespaces/${own.namespace}/secrets`)).toBe(200);
    expect(await statusAs(own, `/api/v1/namespaces/${own.namespace}/configmaps`)).toBe(403);
    expect(await statusAs(own, `/api/v1/namespaces/${other.namespace}/secrets`)).toBe(403);
  });

  test('counts requests by user in the audit log, from a mark on', async () => {
    using own = await namespaceForTest(READ_SECRETS);
    await statusAs(own, `/api/v1/namespaces/${own.namespace}/secrets`);
    const since = await own.plane.auditMark();
    await statusAs(own, `/api/v1/namespaces/${own.namespace}/secrets/none`);
    await statusAs(own, `/api/v1/namespaces/${own.namespace}/secrets`);
    const entries = await own.plane.auditEntries({ user: own.account.user, since });
    expect(entries.map((entry) => [entry.verb, entry.status])).toEqual([
      ['get', 404],
      ['list', 200],
    ]);
  });

  test('speaks to no other server than its own', async () => {
    using own = await namespaceForTest([]);
    const serverFingerprint = own.plane.access.serverFingerprint.replace(/^../, 'ZZ');
    using stranger = await connectControlPlane({ ...own.plane.access, serverFingerprint });
    await expect(stranger.admin('GET', '/version')).rejects.toThrow('another server');
  });

  test('gives an error as an answer', async () => {
    using own = await namespaceForTest([]);
    const answer = await own.plane.admin('GET', `/api/v1/namespaces/${own.namespace}/secrets/none`);
    expect([answer.status, stringAt(answer.body, 'reason')]).toEqual([404, 'NotFound']);
  });
});

async function statusAs({ plane, account }: TestNamespace, path: string): Promise<number> {
  const ca = await readFile(plane.access.caPath);
  const headers = { authorization: `Bearer ${account.token}` };
  return new Promise((resolve, reject) => {
    request(`${plane.access.url}${path}`, { ca, headers, agent: false }, (incoming) => {
      incoming.resume().once('end', () => resolve(incoming.statusCode ?? 0));
    })
      .once('error', reject)
      .end();
  });
}
