import { afterAll, beforeAll, test } from 'vitest';
import { arrayAt, type Json, type JsonObject, memberAt, numberAt, stringAt } from '../../src/core/json.ts';
import { type Mutation, startAdmissionWebhook } from '../harness/admission-webhook.ts';
import { leakCheck } from '../harness/leak-check.ts';
import { describeReal } from '../harness/real.ts';
import { AGENT_RULES } from '../harness/world.ts';
import {
  API,
  type Bench,
  container,
  env,
  envOf,
  IS_D,
  IS_IMAGE,
  IS_X,
  OBJECTS,
  POD,
  replace,
  type Row,
  startBench,
  valuesOf,
} from './rows.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;

const { replicas: _replicas, ...specWithoutReplicas } = OBJECTS.deployments['spec'] as JsonObject;
const replicas = (live: Json | undefined): number | undefined => numberAt(memberAt(live, 'spec'), 'replicas');
const scaler = (name: string): JsonObject => ({
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name },
  spec: { minReplicas: 1, maxReplicas: 9, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name } },
});
const ports = (live: Json | undefined): Json => arrayAt(live, 'spec', 'ports')[0] ?? null;
const storage = (live: Json | undefined): string | undefined =>
  stringAt(live, 'spec', 'resources', 'requests', 'storage');
const more = { apiGroups: [''], resources: ['configmaps'], verbs: ['get'] };
/** Of the role that an aggregation controller fills. */
const FILLED = [{ apiGroups: [''], resources: ['pods', 'services'], verbs: ['get'] }];
const EXPANDABLE = `sotto-rows-${process.pid}`;

function claimOf(size: string): JsonObject {
  const spec = OBJECTS.persistentvolumeclaims['spec'] as JsonObject;
  return { ...spec, storageClassName: EXPANDABLE, resources: { requests: { storage: size } } };
}

const ROWS: readonly Row[] = [
  {
    row: '15: an autoscaler scales what has no replicas in Git',
    kind: 'deployments',
    manifest: { spec: specWithoutReplicas },
    act: (by, path) => by.scale(path, 5, 'kube-controller-manager'),
    holds: (live) => IS_IMAGE(live) && replicas(live) === 5,
    writes: 0,
    reads: 0,
  },
  {
    row: '16: KEDA scales to 0: asked once whether something scales it, and left to it',
    kind: 'deployments',
    beside: scaler,
    act: async (by, path) => {
      await by.scale(path, 0, 'keda-operator');
    },
    holds: (live) => IS_IMAGE(live) && replicas(live) === 0,
    writes: 0,
    reads: 1,
  },
  {
    row: '19: kubectl rollout undo to a template with a variable more',
    kind: 'deployments',
    act: async (by, path) => {
      const live = await by.get(path);
      const template = memberAt(live, 'spec', 'template') as JsonObject;
      const before = [{ ...(container(live) as JsonObject), image: 'example.com/c:0', env: [...env, { name: 'OLD' }] }];
      const spec = { ...(template['spec'] as JsonObject), containers: before };
      await by.patch(
        path,
        [{ op: 'replace', path: '/spec/template', value: { ...template, spec } }],
        'kubectl',
        'json',
      );
    },
    holds: IS_D,
    writes: [1, 2],
    reads: 0,
  },
  {
    row: '44: the server and a cloud controller choose address and port',
    kind: 'services',
    manifest: { spec: { type: 'NodePort', selector: { app: 'x' }, ports: [{ name: 'http', port: 80 }] } },
    act: async (by, path) => {
      const nodePort = (numberAt(ports(await by.get(path)), 'nodePort') ?? 0) === 30_999 ? 30_998 : 30_999;
      await by.patch(
        path,
        [{ op: 'replace', path: '/spec/ports/0/nodePort', value: nodePort }],
        'cloud-controller-manager',
        'json',
      );
    },
    holds: (live) =>
      (stringAt(live, 'spec', 'clusterIP') ?? '') !== '' && (numberAt(ports(live), 'nodePort') ?? 0) >= 30_998,
    writes: 0,
    reads: 0,
  },
  {
    row: '45: kubectl edit adds a rule to a Role',
    kind: 'roles',
    act: (by, path) => by.patch(path, [{ op: 'add', path: '/rules/-', value: more }], 'kubectl-edit', 'json'),
    holds: (live) => arrayAt(live, 'rules').length === 1,
    writes: 1,
    reads: 0,
  },
  {
    row: '50: a controller fills rules that Git leaves out',
    kind: 'roles',
    manifest: { rules: null },
    act: async (by, path) => {
      for (const rules of [FILLED, [], FILLED]) await by.patch(path, { rules }, 'clusterrole-aggregation-controller');
    },
    holds: (live) => arrayAt(arrayAt(live, 'rules')[0], 'resources').length === 2,
    writes: 0,
    reads: 0,
  },
  {
    row: '64: Git removes a key that had been written as stringData',
    kind: 'secrets',
    before: async (_by, path, bench) =>
      bench.recommit(path, { ...bench.manifestAt(path), stringData: { p: bench.value, q: bench.value } }),
    act: async (_by, path, bench) => bench.recommit(path, bench.manifestAt(path)),
    holds: IS_X,
    writes: 1,
    reads: 0,
  },
  {
    row: '68: sops rotate: other ciphertext, same plaintext',
    kind: 'secrets',
    act: (_by, path, bench) => bench.recommit(path, bench.manifestAt(path)),
    holds: IS_X,
    writes: 0,
    reads: 1,
  },
  {
    row: '69: Git changes the type of a Secret',
    kind: 'secrets',
    act: (_by, path, bench) => bench.recommit(path, { ...bench.manifestAt(path), type: 'example.com/other' }),
    holds: (live, value) => IS_X(live, value) && stringAt(live, 'type') === 'Opaque',
    after: (_by, path, bench) => bench.recommit(path, bench.manifestAt(path)),
    writes: 0,
    reads: 1,
  },
  {
    row: '69 with sotto.dev/recreate: allowed: deleted and made anew',
    kind: 'secrets',
    manifest: { metadata: { annotations: { 'sotto.dev/recreate': 'allowed' } } },
    act: (_by, path, bench) => bench.recommit(path, { ...bench.manifestAt(path), type: 'example.com/other' }),
    holds: (live, value) => IS_X(live, value) && stringAt(live, 'type') === 'example.com/other',
    // A deletion is no version of the object, so it counts among the requests: refused, looked at, tried, deleted.
    writes: 1,
    reads: 4,
  },
  {
    row: '85: a claim was grown outside',
    kind: 'persistentvolumeclaims',
    manifest: { spec: claimOf('10Gi') },
    before: async (by, path) => {
      await by.patch(path, { spec: { volumeName: 'v' } }, 'kube-controller-manager');
      await by.status(path, { phase: 'Bound', capacity: { storage: '10Gi' } });
    },
    act: (by, path) => by.patch(path, { spec: { resources: { requests: { storage: '20Gi' } } } }, 'kubectl-edit'),
    holds: (live) => storage(live) === '20Gi' && stringAt(live, 'metadata', 'deletionTimestamp') === undefined,
    // What was done to get rid of it: Git says so too.
    after: (_by, path, bench) => bench.recommit(path, { ...bench.manifestAt(path), spec: claimOf('20Gi') }),
    writes: 0,
    reads: 1,
  },
];

/** Rows with a webhook between: its kind, and what it does. */
const WEBHOOK_ROWS: readonly (Row & { readonly mutation: Mutation })[] = [
  {
    row: '24: kubectl edit swaps two variables on a server that keeps the order it has (before 1.24)',
    kind: 'deployments',
    act: (by, path) => by.patch(path, replace(`${POD}/containers/0/env`, env.toReversed()), 'kubectl-edit', 'json'),
    holds: (live) => IS_IMAGE(live) && envOf(live) === 'B,A',
    mutation: ({ fieldManager, before }) => {
      const stored = memberAt(container(before), 'env');
      return fieldManager === 'sotto' && stored !== undefined ? replace(`${POD}/containers/0/env`, stored) : undefined;
    },
    writes: 0,
    reads: 1,
  },
  {
    row: '63: a webhook rewrites a value when an operator sets a label',
    kind: 'secrets',
    act: (by, path) => by.patch(path, { metadata: { labels: { team: 'x' } } }, 'some-operator'),
    holds: IS_X,
    mutation: rewritten((fieldManager) => fieldManager === 'some-operator'),
    writes: 1,
    reads: 0,
  },
  {
    row: '63 with a webhook that repeats it: adopted',
    kind: 'secrets',
    act: (by, path) => by.patch(path, { metadata: { labels: { team: 'x' } } }, 'some-operator'),
    holds: (live) => valuesOf(live)['p'] === 'rewritten',
    mutation: rewritten(() => true),
    writes: 0,
    reads: 1,
  },
];

function rewritten(isMeant: (fieldManager: string) => boolean): Mutation {
  const value = Buffer.from('rewritten').toString('base64');
  return ({ fieldManager }) => (isMeant(fieldManager) ? replace('/data/p', value) : undefined);
}

const ALL = [...ROWS, ...WEBHOOK_ROWS];

const RBAC = { apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles'] };
const RULES = [
  ...AGENT_RULES,
  // What a Role of Git grants, the agent has to have itself.
  { ...RBAC, verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'] },
];

describeReal('drift of more kinds, and from Git', TOOLS, () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await startBench(ALL, { rules: RULES });
    await bench.world.create('/apis/storage.k8s.io/v1/storageclasses', {
      metadata: { name: EXPANDABLE },
      provisioner: 'example.com/none',
      allowVolumeExpansion: true,
    });
  });
  afterAll(async () => {
    await bench.world.own.plane.admin('DELETE', `/apis/storage.k8s.io/v1/storageclasses/${EXPANDABLE}`);
    await bench[Symbol.asyncDispose]();
  });

  test.for(ROWS.map((row) => [row.row, row] as const))('row %s', ([, row]) => bench.check(row));

  test.for(WEBHOOK_ROWS.map((row) => [row.row, row] as const))('row %s', async ([, row]) => {
    const [path, name] = [bench.pathOf(row), bench.nameOf(row)];
    const apiGroup = API[row.kind].split('/').at(-2) ?? '';
    await using webhook = await startAdmissionWebhook(bench.world, {
      apiGroup: apiGroup === 'api' ? '' : apiGroup,
      resource: row.kind,
      path,
    });
    webhook.mutate((review) => (review.name === name ? row.mutation(review) : undefined));
    await bench.check(row);
  });

  test('nothing of this shows a value', async () => {
    await leakCheck(bench.world, bench.agent, bench.canaries);
  });
});
