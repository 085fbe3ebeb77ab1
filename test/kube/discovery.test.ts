import { describe, expect, it } from 'vitest';
import { discover } from '../../src/kube/discovery.ts';
import { resourceOf, resourcePath, SECRETS } from '../../src/kube/resource.ts';
import { sendJson, startFakeApi, statusOf } from './fake-api.ts';

const verbs = ['get', 'list', 'watch', 'create', 'patch', 'delete'];

function aggregated(items: unknown[]): unknown {
  return { kind: 'APIGroupDiscoveryList', apiVersion: 'apidiscovery.k8s.io/v2', items };
}

function group(name: string, version: string, resources: unknown[], freshness = 'Current'): unknown {
  return { metadata: name === '' ? {} : { name }, versions: [{ version, freshness, resources }] };
}

const configMaps = {
  resource: 'configmaps',
  responseKind: { group: '', version: 'v1', kind: 'ConfigMap' },
  scope: 'Namespaced',
  verbs,
};
const secrets = {
  resource: 'secrets',
  responseKind: { group: '', version: 'v1', kind: 'Secret' },
  scope: 'Namespaced',
  verbs,
};
const roles = { resource: 'clusterroles', responseKind: { kind: 'ClusterRole' }, scope: 'Cluster', verbs };

describe('discovery', () => {
  it('takes two requests and knows Secrets from other kinds', async () => {
    await using api = await startFakeApi((received, response) => {
      const isCore = received.path === '/api';
      sendJson(
        response,
        200,
        aggregated(
          isCore ? [group('', 'v1', [configMaps, secrets])] : [group('rbac.authorization.k8s.io', 'v1', [roles])],
        ),
      );
    });
    const found = await discover(api.transport());
    expect(api.received).toHaveLength(2);
    expect(api.received[0]?.headers.accept).toContain('as=APIGroupDiscoveryList');
    if (!found.ok) throw new Error('refused');
    const { value: catalog } = found;
    expect(catalog.find('v1', 'ConfigMap')).toEqual({
      group: '',
      version: 'v1',
      kind: 'ConfigMap',
      plural: 'configmaps',
      namespaced: true,
      verbs,
      secret: false,
    });
    expect(catalog.find('v1', 'Secret')?.secret).toBe(true);
    expect(catalog.find('rbac.authorization.k8s.io/v1', 'ClusterRole')?.namespaced).toBe(false);
    expect(catalog.find('v2', 'ConfigMap')).toBeUndefined();
    expect(catalog.unknownGroups).toEqual([]);
  });

  it('names groups whose server did not answer: a kind missing there is not known to be gone', async () => {
    await using api = await startFakeApi((received, response) =>
      sendJson(response, 200, aggregated(received.path === '/api' ? [] : [group('metrics.k8s.io', 'v1', [], 'Stale')])),
    );
    expect(await discover(api.transport())).toMatchObject({ value: { unknownGroups: ['metrics.k8s.io'] } });
  });

  it('asks each group where discovery is not aggregated; one group that fails does not hide the others', async () => {
    const answers: Record<string, unknown> = {
      '/api': { kind: 'APIVersions', versions: ['v1'] },
      '/apis': {
        kind: 'APIGroupList',
        groups: [{ versions: [{ groupVersion: 'apps/v1' }] }, { versions: [{ groupVersion: 'down/v1' }] }],
      },
      '/api/v1': {
        resources: [
          { name: 'secrets', kind: 'Secret', namespaced: true, verbs },
          { name: 'pods/log', kind: 'Pod', namespaced: true, verbs },
        ],
      },
      '/apis/apps/v1': { resources: [{ name: 'deployments', kind: 'Deployment', namespaced: true, verbs }] },
    };
    await using api = await startFakeApi((received, response) => {
      const answer = answers[received.path];
      if (answer === undefined) sendJson(response, 503, statusOf(503, 'ServiceUnavailable'));
      else sendJson(response, 200, answer);
    });
    const found = await discover(api.transport());
    expect(found).toMatchObject({ ok: true, value: { unknownGroups: ['down'] } });
    if (found.ok) expect(found.value.resources.map(({ kind }) => kind)).toEqual(['Secret', 'Deployment']);
  });

  it('that is refused or answered with something else is a failure', async () => {
    await using api = await startFakeApi((_received, response) => sendJson(response, 403, statusOf(403, 'Forbidden')));
    expect(await discover(api.transport())).toMatchObject({ ok: false, failure: { status: 403 } });
    api.handle((_received, response) => void response.end('<html>'));
    expect(await discover(api.transport())).toMatchObject({ ok: false, failure: { kind: 'protocol' } });
  });
});

describe('resourcePath', () => {
  const deployments = resourceOf({
    group: 'apps',
    version: 'v1',
    kind: 'Deployment',
    plural: 'deployments',
    namespaced: true,
    verbs,
  });
  const clusterRoles = resourceOf({
    group: 'rbac.authorization.k8s.io',
    version: 'v1',
    kind: 'ClusterRole',
    plural: 'clusterroles',
    namespaced: false,
    verbs,
  });

  it.each([
    [resourcePath(SECRETS, 'team'), '/api/v1/namespaces/team/secrets'],
    [resourcePath(SECRETS, 'team', 'db'), '/api/v1/namespaces/team/secrets/db'],
    [resourcePath(deployments, 'team', 'web', 'scale'), '/apis/apps/v1/namespaces/team/deployments/web/scale'],
    [
      resourcePath(clusterRoles, 'team', 'System:My Role'),
      '/apis/rbac.authorization.k8s.io/v1/clusterroles/System%3AMy%20Role',
    ],
    [resourcePath(SECRETS, '../x', 'a/b'), '/api/v1/namespaces/..%2Fx/secrets/a%2Fb'],
  ])('builds %s', (path, expected) => {
    expect(path).toBe(expected);
  });
});
