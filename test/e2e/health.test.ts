import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { attentionOf, codesOf, passed, stateOf, untilReady, untilTried } from '../harness/attention.ts';
import { configMapPath } from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { deploymentPath, rollOut, setStatus } from '../harness/status-of.ts';
import { AGENT_RULES, configMap, createWorld } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;

const HEALTH = `  timeout: 3s
  health:
    strict: true
    expressions:
    - group: apps
      kind: Deployment
      failed: status.replicas == 13
      current: status.readyReplicas == spec.replicas || status.replicas < "none"`;

const labels = { app: 'web' };
const DEPLOYMENT = JSON.stringify({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    replicas: 1,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'example.com/c:1' }] } },
  },
});
const SERVICE = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'edge' },
  spec: { type: 'LoadBalancer', selector: labels, ports: [{ port: 80 }] },
});

describeReal('health by the settings of a sync', TOOLS, () => {
  test('strict rules and expressions decide from watch events, and each object has its own reason', async () => {
    await using world = await createWorld({ sync: HEALTH });
    const commit = await world.repository.commit(
      { ...(await world.canaryFile()), 'deploy/web.json': DEPLOYMENT, 'deploy/edge.json': SERVICE },
      'first',
    );
    await using agent = await world.start();
    await passed(agent, commit);
    const late = await world.until('both are late', (status) => Object.keys(codesOf(status)).length === 2);
    expect(codesOf(late)).toEqual({ 'apps/Deployment/web': 'SOTTO-PLAN-011', 'Service/edge': 'SOTTO-PLAN-011' });
    const textOf = (object: string) => attentionOf(late).find((item) => item.object === object)?.text;
    expect(textOf('Service/edge')).toContain('NoIngress');
    expect(textOf('apps/Deployment/web')).toContain('FieldMissing');
    expect(stateOf(late)).toBe('Degraded');

    await setStatus(world, `/api/v1/namespaces/${world.namespace}/services/edge`, {
      loadBalancer: { ingress: [{ ip: '192.0.2.1' }] },
    });
    await setStatus(world, deploymentPath(world, 'web'), { replicas: 2, readyReplicas: 2, observedGeneration: 1 });
    await world.until(
      'the expression cannot be evaluated, and the Service is ready',
      (status) => JSON.stringify(codesOf(status)) === '{"apps/Deployment/web":"SOTTO-PLAN-071"}',
    );
    await setStatus(world, deploymentPath(world, 'web'), { replicas: 13, readyReplicas: 0 });
    const failed = await world.until(
      'it failed',
      (status) => codesOf(status)['apps/Deployment/web'] === 'SOTTO-PLAN-011',
    );
    expect(attentionOf(failed)[0]?.text).toContain('FailedByExpression');
    await rollOut(world, 'web');
    await untilReady(world, commit);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('a custom resource is ready when its expression says so, and what depends on it follows then', async () => {
    const group = `e${randomBytes(4).toString('hex')}.example.com`;
    const verbs = ['get', 'list', 'watch', 'create', 'patch', 'delete'];
    await using world = await createWorld({
      rules: [...AGENT_RULES, { apiGroups: [group], resources: ['databases'], verbs }],
      retryInterval: '10m',
      sync: `  health:
    expressions:
    - group: ${group}
      kind: Database
      failed: status.phase == "Broken"
      current: status.phase == "Running" && status.ready >= spec.replicas`,
    });
    await world.create('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', databases(group));
    const database = { apiVersion: `${group}/v1`, kind: 'Database', metadata: { name: 'main' }, spec: { replicas: 2 } };
    const needs = { 'config.kubernetes.io/depends-on': `${group}/namespaces/${world.namespace}/Database/main` };
    const after = { ...configMap('after', { a: '1' }), metadata: { name: 'after', annotations: needs } };
    const commit = await world.repository.commit(
      {
        ...(await world.canaryFile()),
        'deploy/main.json': JSON.stringify(database),
        'deploy/after.json': JSON.stringify(after),
      },
      'first',
    );
    await using agent = await world.start();
    const waits = await untilTried(world, commit);
    expect(codesOf(waits)).toEqual({ 'ConfigMap/after': 'SOTTO-PLAN-060' });
    const path = `/apis/${group}/v1/namespaces/${world.namespace}/databases/main`;
    await setStatus(world, path, { phase: 'Broken' });
    const failed = await world.until('it failed', (status) => codesOf(status)[`${group}/Database/main`] !== undefined);
    expect(codesOf(failed)).toEqual({
      [`${group}/Database/main`]: 'SOTTO-PLAN-011',
      'ConfigMap/after': 'SOTTO-PLAN-061',
    });
    await setStatus(world, path, { phase: 'Running', ready: 1 });
    expect(await world.get(configMapPath(world.namespace, 'after'))).toBeUndefined();
    await setStatus(world, path, { phase: 'Running', ready: 2 });
    await untilReady(world, commit);
    expect(await world.get(configMapPath(world.namespace, 'after'))).toBeDefined();
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

function databases(group: string): JsonObject {
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `databases.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural: 'databases', singular: 'database', kind: 'Database' },
      versions: [{ name: 'v1', served: true, storage: true, schema, subresources: { status: {} } }],
    },
  };
}
