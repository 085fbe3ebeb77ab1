import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrayAt, type Json, type JsonObject, memberAt, stringAt } from '../../src/core/json.ts';
import { MEMBER_LABEL as LABEL } from '../../src/core/labels.ts';
import { codesOf, passed } from '../harness/attention.ts';
import { leakCheck } from '../harness/leak-check.ts';
import { reactionTo, told } from '../harness/outside.ts';
import { eventNotes } from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { configMap, eventually, secret } from '../harness/world.ts';
import {
  annotation,
  type Bench,
  container,
  data,
  env,
  envOf,
  IS_CM,
  IS_D,
  IS_X,
  isMember,
  labelOf,
  nameIn,
  OBJECTS,
  pod,
  POD,
  replace,
  type Row,
  startBench,
} from './rows.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;

const ports = (live: Json | undefined): string =>
  arrayAt(live, 'spec', 'ports')
    .map((port) => JSON.stringify(memberAt(port, 'port')))
    .join();

/** The object as a person has it in a file: without what the server keeps, and without our label unless said so. */
const fileOf = (live: Json | undefined, change: (object: JsonObject) => JsonObject): JsonObject => {
  const { status: _status, ...rest } = (live ?? {}) as JsonObject;
  const { managedFields: _fields, resourceVersion: _version, uid: _uid, ...metadata } = rest['metadata'] as JsonObject;
  return change({ ...rest, metadata });
};

const ROWS: readonly Row[] = [
  {
    row: '1: kubectl patch of a key',
    kind: 'configmaps',
    act: (by, path) => by.patch(path, { data: { k1: 'x' } }, 'kubectl-patch'),
    holds: IS_CM,
    writes: 1,
    reads: 0,
  },
  {
    row: '2: kubectl edit that saves without a change',
    kind: 'configmaps',
    act: (by, path) => by.patch(path, { data: { k1: 'a' } }, 'kubectl-edit'),
    holds: IS_CM,
    writes: 0,
    reads: 0,
  },
  {
    row: '3: changed and back at once',
    kind: 'configmaps',
    act: async (by, path) => {
      await by.patch(path, { data: { k1: 'x' } }, 'kubectl-patch');
      await by.patch(path, { data: { k1: 'a' } }, 'kubectl-patch');
    },
    holds: IS_CM,
    // Where our apply comes between the two, the second changes nothing and is answered with our version.
    writes: [0, 2],
    reads: [0, 1],
  },
  {
    row: '4: kubectl edit removes a key',
    kind: 'configmaps',
    act: (by, path) => by.patch(path, { data: { k1: null } }, 'kubectl-edit'),
    holds: IS_CM,
    writes: 1,
    reads: 0,
  },
  {
    row: '6: kubectl replace with a file that lacks a key',
    kind: 'configmaps',
    act: async (by, path) =>
      by.replace(
        path,
        fileOf(await by.get(path), (object) => ({ ...object, data: { k1: 'a' } })),
        'kubectl-replace',
      ),
    holds: IS_CM,
    writes: 1,
    reads: 0,
  },
  {
    row: '7: changed three times in a row',
    kind: 'configmaps',
    act: async (by, path) => {
      for (const k1 of ['x', 'y', 'z']) await by.patch(path, { data: { k1 } }, 'kubectl-patch');
    },
    holds: IS_CM,
    writes: [1, 3],
    reads: [0, 2],
  },
  {
    row: '8: kubectl patch adds a key',
    kind: 'configmaps',
    act: (by, path) => by.patch(path, { data: { k9: 'x' } }, 'kubectl-patch'),
    holds: IS_CM,
    writes: 1,
    reads: 0,
  },
  {
    row: '8 under fields: it stays',
    kind: 'configmaps',
    fields: true,
    act: (by, path) => by.patch(path, { data: { k9: 'x' } }, 'kubectl-patch'),
    holds: (live) => data(live) === '{"k1":"a","k2":"b","k9":"x"}',
    writes: 0,
    reads: 0,
  },
  {
    row: '10: an operator adds a key',
    kind: 'configmaps',
    act: (by, path) => by.patch(path, { data: { k9: 'x' } }, 'some-operator'),
    holds: (live) => data(live) === '{"k1":"a","k2":"b","k9":"x"}',
    writes: 0,
    reads: 0,
  },
  {
    row: '11: kubectl set image',
    kind: 'deployments',
    act: (by, path) =>
      by.patch(path, replace(`${POD}/containers/0/image`, 'example.com/evil:1'), 'kubectl-set', 'json'),
    holds: IS_D,
    writes: 1,
    reads: 0,
  },
  {
    row: '12: kubectl scale',
    kind: 'deployments',
    act: (by, path) => by.scale(path, 5, 'kubectl'),
    holds: IS_D,
    writes: 1,
    reads: 0,
  },
  {
    row: '106: kubectl scale to 0',
    kind: 'deployments',
    act: (by, path) => by.scale(path, 0, 'kubectl'),
    holds: IS_D,
    writes: 1,
    reads: 1,
  },
  {
    row: '18: kubectl rollout restart',
    kind: 'deployments',
    act: (by, path) =>
      by.patch(
        path,
        { spec: { template: { metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': 'now' } } } } },
        'kubectl-rollout',
      ),
    holds: (live) =>
      IS_D(live) &&
      stringAt(live, 'spec', 'template', 'metadata', 'annotations', 'kubectl.kubernetes.io/restartedAt') === 'now',
    writes: 0,
    reads: 0,
  },
  {
    row: '21: kubectl set env adds a variable',
    kind: 'deployments',
    act: (by, path) =>
      by.patch(path, replace(`${POD}/containers/0/env`, [{ name: 'EVIL', value: '1' }, ...env]), 'kubectl-set', 'json'),
    holds: IS_D,
    writes: 2,
    reads: 0,
  },
  {
    row: '21 under fields: it stays',
    kind: 'deployments',
    fields: true,
    act: (by, path) =>
      by.patch(path, replace(`${POD}/containers/0/env`, [{ name: 'EVIL', value: '1' }, ...env]), 'kubectl-set', 'json'),
    holds: (live) => envOf(live) === 'EVIL,A,B',
    writes: 0,
    reads: 0,
  },
  {
    row: '22: an injector adds a container',
    kind: 'deployments',
    act: (by, path) =>
      by.patch(
        path,
        [{ op: 'add', path: `${POD}/containers/-`, value: { name: 'proxy', image: 'example.com/p:1' } }],
        'sidecar-injector',
        'json',
      ),
    holds: (live) => IS_D(live) && arrayAt(pod(live), 'containers').length === 2,
    writes: 0,
    reads: 0,
  },
  {
    row: '23: kubectl edit swaps two variables',
    kind: 'deployments',
    act: (by, path) => by.patch(path, replace(`${POD}/containers/0/env`, env.toReversed()), 'kubectl-edit', 'json'),
    holds: IS_D,
    writes: 1,
    reads: 0,
  },
  {
    row: '26: kubectl edit renames the container',
    kind: 'deployments',
    act: (by, path) => by.patch(path, replace(`${POD}/containers/0/name`, 'b'), 'kubectl-edit', 'json'),
    holds: (live) => IS_D(live) && arrayAt(pod(live), 'containers').length === 1,
    writes: 2,
    reads: 0,
  },
  {
    row: '28: the Deployment controller annotates, where Git has annotations: {}',
    kind: 'deployments',
    act: (by, path) =>
      by.patch(
        path,
        { metadata: { annotations: { 'deployment.kubernetes.io/revision': '1' } } },
        'kube-controller-manager',
      ),
    holds: (live) => IS_D(live) && annotation(live, 'deployment.kubernetes.io/revision') === '1',
    writes: 0,
    reads: 0,
  },
  {
    row: '107: kubectl edit fills args, where Git has args: []',
    kind: 'deployments',
    act: (by, path) =>
      by.patch(path, [{ op: 'add', path: `${POD}/containers/0/args`, value: ['x'] }], 'kubectl-edit', 'json'),
    holds: (live) => IS_D(live) && arrayAt(container(live), 'args').length === 0,
    writes: 1,
    reads: 0,
  },
  {
    row: '29: a hundred changes of status, where 1000m is stored as 1',
    kind: 'deployments',
    act: async (by, path) => {
      for (let replicas = 1; replicas <= 100; replicas += 1) await by.status(path, { replicas, observedGeneration: 1 });
    },
    holds: IS_D,
    writes: 0,
    reads: 0,
  },
  {
    row: '31: kubectl apply, client side, of another image',
    kind: 'deployments',
    act: (by, path) =>
      by.patch(
        path,
        {
          metadata: { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}' } },
          spec: { template: { spec: { containers: [{ name: 'c', image: 'example.com/evil:1' }] } } },
        },
        'kubectl-client-side-apply',
        'strategic',
      ),
    holds: (live) => IS_D(live) && annotation(live, 'kubectl.kubernetes.io/last-applied-configuration') === undefined,
    writes: 2,
    reads: 0,
  },
  {
    row: '32: kubectl apply --server-side --force-conflicts of another image',
    kind: 'deployments',
    act: (by, path) => by.apply(path, imageOf(path, 'example.com/evil:1'), 'kubectl', true),
    holds: IS_D,
    writes: [1, 2],
    reads: 0,
  },
  {
    row: '33: kubectl apply --server-side without force is refused',
    kind: 'deployments',
    act: async (by, path) => expect(await by.apply(path, imageOf(path, 'example.com/evil:1'), 'kubectl')).toBe(409),
    holds: IS_D,
    writes: 0,
    reads: 0,
  },
  {
    row: '35: another applier forces a key',
    kind: 'configmaps',
    act: (by, path) => by.apply(path, keyOf(path, { k1: 'x' }), 'rival', true),
    holds: IS_CM,
    writes: 1,
    reads: 0,
  },
  {
    row: '37: somebody applies under our name',
    kind: 'configmaps',
    act: async (by, path) => {
      const label = labelOf(await by.get(path)) ?? '';
      const metadata = { name: path.slice(path.lastIndexOf('/') + 1), labels: { [LABEL]: label } };
      await by.apply(path, { ...keyOf(path, { k1: 'x', k2: 'b' }), metadata }, 'sotto', true);
    },
    holds: IS_CM,
    writes: 1,
    reads: 0,
  },
  {
    row: '40: kubectl edit renumbers a port of the same name',
    kind: 'services',
    act: (by, path) => by.patch(path, replace('/spec/ports/0/port', 81), 'kubectl-edit', 'json'),
    holds: (live) => ports(live) === '80',
    writes: 2,
    reads: 0,
  },
  {
    row: '40 under fields: an apply is refused first',
    kind: 'services',
    fields: true,
    act: (by, path) => by.patch(path, replace('/spec/ports/0/port', 81), 'kubectl-edit', 'json'),
    holds: (live) => ports(live) === '80',
    writes: 2,
    reads: 1,
  },
  {
    row: '41: kubectl edit adds a port',
    kind: 'services',
    act: (by, path) =>
      by.patch(path, [{ op: 'add', path: '/spec/ports/-', value: { name: 'm', port: 9090 } }], 'kubectl-edit', 'json'),
    holds: (live) => ports(live) === '80',
    writes: 2,
    reads: 0,
  },
  {
    row: '42: kubectl edit extends the selector',
    kind: 'services',
    act: (by, path) => by.patch(path, { spec: { selector: { evil: 'yes' } } }, 'kubectl-edit'),
    holds: (live) => memberAt(live, 'spec', 'selector', 'evil') === undefined,
    writes: 1,
    reads: 0,
  },
  {
    row: '43: a cloud controller adds annotation and status',
    kind: 'services',
    act: async (by, path) => {
      await by.patch(path, { metadata: { annotations: { 'lb.example.com/id': '1' } } }, 'cloud-controller-manager');
      await by.status(path, { loadBalancer: {} });
    },
    holds: (live) => ports(live) === '80' && annotation(live, 'lb.example.com/id') === '1',
    writes: 0,
    reads: 0,
  },
  {
    row: '47: kubectl edit of the Pod selector of a policy',
    kind: 'networkpolicies',
    act: (by, path) => by.patch(path, { spec: { podSelector: { matchLabels: { app: 'other' } } } }, 'kubectl-edit'),
    holds: (live) => memberAt(live, 'spec', 'podSelector', 'matchLabels', 'app') === 'x',
    writes: 1,
    reads: 0,
  },
  {
    row: '48: kubectl edit of one path of an Ingress',
    kind: 'ingresses',
    act: (by, path) => by.patch(path, replace('/spec/rules/0/http/paths/0/path', '/evil'), 'kubectl-edit', 'json'),
    holds: (live) => JSON.stringify(memberAt(live, 'spec')).includes('"path":"/"'),
    writes: 1,
    reads: 0,
  },
  {
    row: '49: status of an autoscaler',
    kind: 'horizontalpodautoscalers',
    act: async (by, path) => {
      for (let desiredReplicas = 1; desiredReplicas <= 10; desiredReplicas += 1) {
        await by.status(path, { desiredReplicas, currentReplicas: 1 });
      }
    },
    holds: (live) => memberAt(live, 'spec', 'maxReplicas') === 3,
    writes: 0,
    reads: 0,
  },
  {
    row: '51: our label is removed',
    kind: 'configmaps',
    act: (by, path) => by.patch(path, { metadata: { labels: { [LABEL]: null } } }, 'kubectl-label'),
    holds: (live) => IS_CM(live) && isMember(live),
    writes: 1,
    reads: 0,
  },
  {
    row: '52: our label is overwritten with another text',
    kind: 'configmaps',
    act: (by, path) => by.patch(path, { metadata: { labels: { [LABEL]: 'mine' } } }, 'kubectl-label'),
    holds: (live) => IS_CM(live) && isMember(live),
    writes: 1,
    reads: [1, 2],
  },
  {
    row: '54: kubectl label adds a label',
    kind: 'configmaps',
    act: (by, path) => by.patch(path, { metadata: { labels: { team: 'x' } } }, 'kubectl-label'),
    holds: (live) => isMember(live) && stringAt(live, 'metadata', 'labels', 'team') === undefined,
    writes: 1,
    reads: 0,
  },
  {
    row: '55: kubectl annotate of our annotation',
    kind: 'configmaps',
    manifest: { metadata: { annotations: { note: 'ours' } } },
    act: (by, path) => by.patch(path, { metadata: { annotations: { note: 'theirs' } } }, 'kubectl-annotate'),
    holds: (live) => annotation(live, 'note') === 'ours',
    writes: 1,
    reads: 0,
  },
  {
    row: '56: our finalizer is removed',
    kind: 'configmaps',
    manifest: { metadata: { finalizers: ['example.com/ours'] } },
    act: (by, path) => by.patch(path, { metadata: { finalizers: null } }, 'some-operator'),
    holds: (live) => JSON.stringify(arrayAt(live, 'metadata', 'finalizers')) === '["example.com/ours"]',
    writes: 1,
    reads: 0,
  },
  {
    row: '57: an owner reference is added',
    kind: 'configmaps',
    act: (by, path) =>
      by.patch(
        path,
        { metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'none' }] } },
        'some-operator',
      ),
    holds: (live) => IS_CM(live) && arrayAt(live, 'metadata', 'ownerReferences').length === 1,
    writes: 0,
    reads: 0,
  },
  {
    row: '59: a key of a Secret is changed',
    kind: 'secrets',
    act: (by, path) => by.patch(path, { stringData: { p: 'evil' } }, 'kubectl-patch'),
    holds: IS_X,
    writes: 1,
    reads: 0,
  },
  {
    row: '61: an annotation of a Secret is changed by others: an apply is the check',
    kind: 'secrets',
    act: (by, path) => by.patch(path, { metadata: { annotations: { seen: 'yes' } } }, 'some-operator'),
    holds: (live, value) => IS_X(live, value) && annotation(live, 'seen') === 'yes',
    writes: 0,
    reads: 1,
  },
  {
    row: '65: a Secret is deleted',
    kind: 'secrets',
    act: (by, path) => by.remove(path),
    holds: IS_X,
    writes: 1,
    reads: 0,
  },
  {
    row: '66: a Secret is replaced by one without our label',
    kind: 'secrets',
    act: async (by, path) => {
      await by.remove(path);
      await by.create(
        path.slice(0, path.lastIndexOf('/')),
        secret(path.slice(path.lastIndexOf('/') + 1), { p: 'x' }),
        'kubectl-replace',
      );
    },
    holds: (live, value) => IS_X(live, value) && isMember(live),
    writes: [1, 2],
    reads: [0, 3],
  },
  {
    row: '67: an immutable Secret is deleted and made again with other data',
    kind: 'secrets',
    manifest: { immutable: true },
    act: async (by, path) => {
      const label = labelOf(await by.get(path)) ?? '';
      const name = path.slice(path.lastIndexOf('/') + 1);
      await by.remove(path);
      const other = { ...secret(name, { p: 'x' }), immutable: true, metadata: { name, labels: { [LABEL]: label } } };
      await by.create(path.slice(0, path.lastIndexOf('/')), other, 'kubectl-create');
    },
    holds: (live, value) => IS_X(live, value) && isMember(live),
    writes: [1, 2],
    // A correction between the deletion and the new object is refused, and looks again.
    reads: [0, 9],
  },
  {
    row: '71: managedFields are wiped',
    kind: 'configmaps',
    act: (by, path) => by.patch(path, replace('/metadata/managedFields', [{}]), 'kubectl-edit', 'json'),
    holds: (live) => IS_CM(live) && managersOf(live) === 'sotto',
    writes: 2,
    reads: 0,
  },
  {
    row: '72: our entry alone is removed',
    kind: 'configmaps',
    act: async (by, path) => {
      await by.patch(path, { data: { k9: 'x' } }, 'some-operator');
      const live = await by.get(path);
      const others = arrayAt(live, 'metadata', 'managedFields').filter((each) => stringAt(each, 'manager') !== 'sotto');
      await by.patch(path, replace('/metadata/managedFields', others), 'some-operator', 'json');
    },
    holds: (live) =>
      IS_CM({ data: { k1: stringAt(live, 'data', 'k1') ?? '', k2: 'b' } }) && managersOf(live).includes('sotto'),
    writes: 1,
    reads: 0,
  },
  {
    row: '74: twelve other writers sink into ancient-changes',
    kind: 'configmaps',
    act: async (by, path) => {
      for (let index = 1; index <= 12; index += 1) {
        await by.patch(path, { metadata: { annotations: { [`n${index}`]: 'x' } } }, `operator-${index}`);
      }
    },
    holds: (live) => IS_CM(live) && annotation(live, 'n12') === 'x' && managersOf(live).includes('ancient-changes'),
    writes: 0,
    reads: 0,
  },
  {
    row: '79: kubectl delete',
    kind: 'configmaps',
    act: (by, path) => by.remove(path),
    holds: (live) => IS_CM(live) && isMember(live),
    writes: 1,
    reads: 0,
  },
  {
    row: '80: kubectl delete of an object with a foreign finalizer: nothing until it is gone',
    kind: 'configmaps',
    act: async (by, path) => {
      await by.patch(path, { metadata: { finalizers: ['example.com/theirs'] } }, 'some-operator');
      await by.remove(path);
      await by.patch(path, { data: { k1: 'x' } }, 'kubectl-patch');
      await by.patch(path, { metadata: { finalizers: null } }, 'some-operator');
    },
    holds: (live) => IS_CM(live) && stringAt(live, 'metadata', 'deletionTimestamp') === undefined,
    writes: 1,
    reads: 0,
  },
  {
    row: '83: a finished Job is deleted',
    kind: 'jobs',
    act: async (by, path) => {
      await by.status(path, FINISHED);
      await by.remove(`${path}?propagationPolicy=Background`);
    },
    holds: (live) => live === undefined,
    writes: 0,
    reads: 0,
  },
];

const at = '2026-01-02T03:04:05Z';
const condition = (type: string): JsonObject => ({ type, status: 'True', lastTransitionTime: at });
const FINISHED: JsonObject = {
  startTime: at,
  completionTime: at,
  succeeded: 1,
  uncountedTerminatedPods: {},
  conditions: [condition('SuccessCriteriaMet'), condition('Complete')],
};

function managersOf(live: Json | undefined): string {
  return arrayAt(live, 'metadata', 'managedFields')
    .map((each) => stringAt(each, 'manager'))
    .join();
}

function keyOf(path: string, entries: JsonObject): JsonObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: nameIn(path) }, data: entries };
}

function imageOf(path: string, image: string): JsonObject {
  const spec = { template: { spec: { containers: [{ name: 'c', image }] } } };
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: nameIn(path) }, spec };
}

const job = (image: string, more: JsonObject = {}): JsonObject => ({
  ...OBJECTS.jobs,
  apiVersion: 'batch/v1',
  metadata: { name: 'fixed', ...more },
  spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image }] } } },
});

describeReal('drift', TOOLS, () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await startBench(ROWS);
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  test.for(ROWS.map((row) => [row.row, row] as const))('row %s', ([, row]) => bench.check(row));

  test('row 36: somebody who writes each time is met at once five times, then slower, and named', async () => {
    const row = ROWS[0];
    if (row === undefined) throw new Error('no rows');
    const { world, agent } = bench;
    const [path, name] = [bench.pathOf(row), bench.nameOf(row)];
    const before = agent.log.length;
    let turn = 0;
    const rival = setInterval(() => {
      turn += 1;
      void world.own.plane.admin(
        'PATCH',
        `${path}?fieldManager=rival&force=true`,
        keyOf(path, { k1: `x${turn}` }),
        'application/apply-patch+yaml',
      );
    }, 200);
    try {
      await eventually('he is named', async () => {
        const attention = codesOf(await world.status());
        return attention[`ConfigMap/${name}`] === 'SOTTO-PLAN-012' ? true : undefined;
      });
    } finally {
      clearInterval(rival);
    }
    const since = agent.log.slice(before).filter(({ object }) => object === `ConfigMap/${name}`);
    expect(since.filter(({ msg }) => msg === 'a change made outside Git was undone').length).toBeLessThanOrEqual(7);
    expect(JSON.stringify(since)).toContain('rival writes /data/k1');
    const notes = await eventNotes(world, 'ConfigMap', name);
    expect(notes.filter((note) => note.startsWith('rival writes /data/k1 each time'))).toHaveLength(1);
    await eventually('restored in the end', async () => (IS_CM(await world.get(path)) ? true : undefined));
  });

  test('row 58: a foreign object that gets our label is not ours: neither changed nor pruned', async () => {
    const own = ROWS[0];
    if (own === undefined) throw new Error('no rows');
    const { world, history } = bench;
    const label = labelOf(await world.get(bench.pathOf(own))) ?? '';
    const collection = `/api/v1/namespaces/${world.namespace}/configmaps`;
    const path = `${collection}/foreign`;
    const reaction = await reactionTo(world, history, {
      paths: [path],
      act: async (by) => {
        await by.create(collection, { ...configMap('foreign', { a: 'b' }) }, 'kubectl-create');
        await by.patch(path, { metadata: { labels: { [LABEL]: label } } }, 'kubectl-label');
      },
      holds: async () => data(await world.get(path)) === '{"a":"b"}',
    });
    expect(reaction, told(reaction)).toMatchObject({ writes: 0, reads: 0 });
  });

  test('row 84: what cannot be changed is reported, and made anew only where the manifest says so', async () => {
    const { world, agent } = bench;
    const file = 'deploy/fixed.json';
    await passed(agent, await world.repository.commit({ [file]: JSON.stringify(job('example.com/c:1')) }, 'a job'));
    await passed(agent, await world.repository.commit({ [file]: JSON.stringify(job('example.com/c:2')) }, 'changed'));
    const path = `/apis/batch/v1/namespaces/${world.namespace}/jobs/fixed`;
    await eventually('it is reported', async () =>
      Object.values(codesOf(await world.status())).includes('SOTTO-KUBE-010') ? true : undefined,
    );
    expect(stringAt(container(await world.get(path)), 'image')).toBe('example.com/c:1');
    const annotations = { 'sotto.dev/recreate': 'allowed' };
    await world.repository.commit({ [file]: JSON.stringify(job('example.com/c:2', { annotations })) }, 'allowed');
    await eventually('it is made anew', async () =>
      stringAt(container(await world.get(path)), 'image') === 'example.com/c:2' ? true : undefined,
    );
  });

  test('nothing of this shows a value', async () => {
    await leakCheck(bench.world, bench.agent, bench.canaries);
  });
});
