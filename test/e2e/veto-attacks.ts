import type { JsonObject } from '../../src/core/json.ts';
import type { PolicyRule } from '../../src/demo/control-plane.ts';
import { configMap } from '../harness/world.ts';

/** Something a push must not do, and the code that refuses it. */
export interface Attack {
  readonly name: string;
  readonly code: string;
  /** Of the settings; undefined: it is never lifted. */
  readonly lift?: 'key-mount' | 'agent-account' | 'agent-rbac' | 'key-label';
  /** `apis/apps/v1/deployments`: where it would be. */
  readonly at: string;
  readonly manifest: JsonObject;
  /** Exists before as whoever installed the agent made it. */
  readonly exists?: boolean;
  /** It stands in Git in a List in a List. */
  readonly inLists?: boolean;
  /** The API server itself never takes it, also where nothing refuses it before. */
  readonly invalid?: boolean;
}

const RBAC = 'rbac.authorization.k8s.io/v1';
const labels = { app: 'attack' };

/** A custom resource: nobody but its controller knows what its fields mean. */
export const THINGS = { group: 'vetoes.example.com', plural: 'things' };
export const THINGS_CRD: JsonObject = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${THINGS.plural}.${THINGS.group}` },
  spec: {
    group: THINGS.group,
    scope: 'Namespaced',
    names: { plural: THINGS.plural, singular: 'thing', kind: 'Thing' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
};

/** More than `deploy/` gives, so that nothing but a veto stands in the way. */
export const WIDE_RULES: readonly PolicyRule[] = [
  {
    apiGroups: ['', 'apps', 'batch', 'networking.k8s.io', 'autoscaling', 'discovery.k8s.io'],
    resources: ['*'],
    verbs: ['*'],
  },
  { apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles', 'rolebindings', 'clusterroles'], verbs: ['*'] },
  { apiGroups: [THINGS.group], resources: [THINGS.plural], verbs: ['*'] },
  { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
];

function object(apiVersion: string, kind: string, name: string, more: JsonObject = {}): JsonObject {
  return { apiVersion, kind, metadata: { name }, ...more };
}

function podSpec(spec: JsonObject, container: JsonObject = {}): JsonObject {
  return { serviceAccountName: 'app', containers: [{ name: 'c', image: 'example.com/c', ...container }], ...spec };
}

function deployment(name: string, spec: JsonObject, container: JsonObject = {}): JsonObject {
  const template = { metadata: { labels }, spec: podSpec(spec, container) };
  return object('apps/v1', 'Deployment', name, { spec: { selector: { matchLabels: labels }, template } });
}

function jobTemplate(spec: JsonObject, container: JsonObject = {}): JsonObject {
  return { spec: { template: { spec: { restartPolicy: 'Never', ...podSpec(spec, container) } } } };
}

function thing(name: string, spec: JsonObject): Pick<Attack, 'at' | 'manifest'> {
  const { group, plural } = THINGS;
  return { at: `apis/${group}/v1/${plural}`, manifest: object(`${group}/v1`, 'Thing', name, { spec }) };
}

const mount = (secretName: string): JsonObject => ({ volumes: [{ name: 'v', secret: { secretName } }] });
const envOf = (name: string): JsonObject => ({ env: [{ name: 'A', valueFrom: { secretKeyRef: { name, key: 'k' } } }] });

const own = (name: string, at: string, manifest: JsonObject, exists = false): Attack => ({
  name,
  code: 'SOTTO-PLAN-020',
  at,
  manifest,
  exists,
});
const reads = (name: string, at: string, manifest: JsonObject, more: Partial<Attack> = {}): Attack => ({
  name,
  code: 'SOTTO-PLAN-021',
  lift: 'key-mount',
  at,
  manifest,
  ...more,
});
const runs = (name: string, at: string, manifest: JsonObject): Attack => ({
  name,
  code: 'SOTTO-PLAN-022',
  lift: 'agent-account',
  at,
  manifest,
});
const hands = (name: string, kind: 'roles' | 'rolebindings', more: JsonObject): Attack => {
  const id = `hands-${name.replaceAll(/[^a-z]+/g, '-')}`;
  return {
    name,
    code: 'SOTTO-PLAN-023',
    lift: 'agent-rbac',
    at: `apis/${RBAC}/${kind}`,
    manifest: object(RBAC, kind === 'roles' ? 'Role' : 'RoleBinding', id, more),
  };
};
const grants = (name: string, group: string, resource: string, verb: string, more: JsonObject = {}): Attack =>
  hands(name, 'roles', { rules: [{ apiGroups: [group], resources: [resource], verbs: [verb], ...more }] });
const roleRef = (kind: string, name: string): JsonObject => ({ apiGroup: 'rbac.authorization.k8s.io', kind, name });
const APP = { kind: 'ServiceAccount', name: 'app' };

/** The key label stands on a Secret whose values are encrypted; the test does that. */
const marks = (name: string, metadata: JsonObject): Attack => ({
  name,
  code: 'SOTTO-PLAN-024',
  lift: 'key-label',
  at: 'api/v1/secrets',
  manifest: {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: `marks-${name.replaceAll(/[^a-z]+/g, '-')}`, ...metadata },
    stringData: { a: 'not-a-secret' },
  },
});

/** In a namespace where ConfigMap sotto, the account sotto with its Role, sops-age, git-auth and sealing-1 exist. */
export const ATTACKS: readonly Attack[] = [
  own('the settings', 'api/v1/configmaps', configMap('sotto', { 'sotto.yaml': 'syncs: []' }), true),
  own('requests', 'api/v1/configmaps', configMap('sotto-requests', { a: '{}' }), true),
  own('what was applied last', 'api/v1/configmaps', configMap('sotto-last-app', { a: 'b' })),
  own('the account', 'api/v1/serviceaccounts', object('v1', 'ServiceAccount', 'sotto'), true),
  own('its Role', `apis/${RBAC}/roles`, object(RBAC, 'Role', 'sotto', { rules: [] }), true),
  own(
    'its binding',
    `apis/${RBAC}/rolebindings`,
    object(RBAC, 'RoleBinding', 'sotto', { roleRef: roleRef('Role', 'sotto'), subjects: [APP] }),
    true,
  ),
  own('its Deployment', 'apis/apps/v1/deployments', deployment('sotto', {})),
  own('its Service', 'api/v1/services', object('v1', 'Service', 'sotto', { spec: { ports: [{ port: 80 }] } })),
  own(
    'its NetworkPolicy',
    'apis/networking.k8s.io/v1/networkpolicies',
    object('networking.k8s.io/v1', 'NetworkPolicy', 'sotto', { spec: { podSelector: {} } }),
  ),
  own('the authority of the API server', 'api/v1/configmaps', configMap('kube-root-ca.crt', { 'ca.crt': 'mine' })),
  own('the fingerprint key', 'api/v1/secrets', object('v1', 'Secret', 'sotto-fingerprint'), true),
  own('a key of the settings', 'api/v1/secrets', object('v1', 'Secret', 'sops-age'), true),
  own('the credential of the source', 'api/v1/secrets', object('v1', 'Secret', 'git-auth'), true),
  own('a sealing key by its label', 'api/v1/secrets', object('v1', 'Secret', 'sealing-1'), true),
  own('endpoints behind its Service', 'apis/discovery.k8s.io/v1/endpointslices', {
    ...object('discovery.k8s.io/v1', 'EndpointSlice', 'own-endpoints'),
    metadata: { name: 'own-endpoints', labels: { 'kubernetes.io/service-name': 'sotto' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['192.0.2.1'] }],
  }),
  own(
    'its size',
    'apis/autoscaling/v2/horizontalpodautoscalers',
    object('autoscaling/v2', 'HorizontalPodAutoscaler', 'own-size', {
      spec: { maxReplicas: 9, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'sotto' } },
    }),
  ),
  reads('a mounted key', 'apis/apps/v1/deployments', deployment('mount', mount('sops-age'))),
  reads(
    'the fingerprint key in a variable',
    'apis/apps/v1/deployments',
    deployment('env', {}, envOf('sotto-fingerprint')),
  ),
  reads(
    'all of a credential',
    'apis/apps/v1/deployments',
    deployment('envfrom', {}, { envFrom: [{ secretRef: { name: 'git-auth' } }] }),
  ),
  reads(
    'a sealing key among others',
    'apis/apps/v1/deployments',
    deployment('projected', { volumes: [{ name: 'v', projected: { sources: [{ secret: { name: 'sealing-1' } }] } }] }),
  ),
  reads(
    'a credential as image pull secret',
    'apis/apps/v1/deployments',
    deployment('pull', { imagePullSecrets: [{ name: 'git-auth' }] }),
  ),
  reads(
    'a key by a CSI driver',
    'apis/apps/v1/deployments',
    deployment('csi', { volumes: [{ name: 'v', csi: { driver: 'd', nodePublishSecretRef: { name: 'sops-age' } } }] }),
  ),
  reads(
    'a key by an attribute that only a driver knows',
    'apis/apps/v1/deployments',
    deployment('driver', { volumes: [{ name: 'v', csi: { driver: 'd', volumeAttributes: { of: 'team/sops-age' } } }] }),
  ),
  reads('a copy of a key by an annotation', 'api/v1/configmaps', {
    ...configMap('copies', {}),
    metadata: { name: 'copies', annotations: { 'replicator.example.com/replicate-from': 'sops-age' } },
  }),
  reads(
    'a key in a list in a list',
    'api/v1/pods',
    object('v1', 'Pod', 'listed', { spec: podSpec(mount('sops-age')) }),
    {
      inLists: true,
    },
  ),
  reads(
    'a key in an init container',
    'apis/apps/v1/deployments',
    deployment('init', { initContainers: [{ name: 'i', image: 'example.com/i', ...envOf('sops-age') }] }),
  ),
  reads('a Pod', 'api/v1/pods', object('v1', 'Pod', 'pod', { spec: podSpec(mount('sops-age')) })),
  reads(
    'an ephemeral container',
    'api/v1/pods',
    object('v1', 'Pod', 'ephemeral', {
      spec: podSpec({ ephemeralContainers: [{ name: 'e', image: 'example.com/e', ...envOf('sops-age') }] }),
    }),
    { invalid: true },
  ),
  reads('a Job', 'apis/batch/v1/jobs', object('batch/v1', 'Job', 'job', jobTemplate({}, envOf('sops-age')))),
  reads(
    'a CronJob',
    'apis/batch/v1/cronjobs',
    object('batch/v1', 'CronJob', 'cron', {
      spec: { schedule: '* * * * *', jobTemplate: jobTemplate(mount('sealing-1')) },
    }),
  ),
  reads(
    'a StatefulSet',
    'apis/apps/v1/statefulsets',
    object('apps/v1', 'StatefulSet', 'set', {
      spec: {
        serviceName: 'set',
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: podSpec(mount('git-auth')) },
      },
    }),
  ),
  reads(
    'a PodTemplate',
    'api/v1/podtemplates',
    object('v1', 'PodTemplate', 'template', { template: { spec: podSpec(mount('sops-age')) } }),
  ),
  reads(
    'an account that pulls images',
    'api/v1/serviceaccounts',
    object('v1', 'ServiceAccount', 'pulls', { imagePullSecrets: [{ name: 'git-auth' }] }),
  ),
  reads(
    'an Ingress that serves with the sealing key',
    'apis/networking.k8s.io/v1/ingresses',
    object('networking.k8s.io/v1', 'Ingress', 'serves', {
      spec: { defaultBackend: { service: { name: 'web', port: { number: 80 } } }, tls: [{ secretName: 'sealing-1' }] },
    }),
  ),
  runs('a Deployment as the agent', 'apis/apps/v1/deployments', deployment('runs', { serviceAccountName: 'sotto' })),
  runs(
    'a Pod by the old field',
    'api/v1/pods',
    object('v1', 'Pod', 'legacy', { spec: { ...podSpec({}), serviceAccountName: 'sotto', serviceAccount: 'sotto' } }),
  ),
  runs('a token Secret', 'api/v1/secrets', {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'token', annotations: { 'kubernetes.io/service-account.name': 'sotto' } },
    type: 'kubernetes.io/service-account-token',
  }),
  grants('Secrets by name', '', 'secrets', 'get', { resourceNames: ['sops-age'] }),
  grants('everything', '*', '*', '*'),
  grants('impersonation', '', 'serviceaccounts', 'impersonate'),
  grants('tokens', '', 'serviceaccounts/token', 'create'),
  grants('exec', '', 'pods/exec', 'create'),
  grants('ephemeral containers', '', 'pods/ephemeralcontainers', 'patch'),
  grants('starting Pods', '', 'pods', 'create'),
  grants('changing workloads', 'apps', 'deployments', 'patch'),
  grants('more rights', 'rbac.authorization.k8s.io', 'roles', 'escalate'),
  grants('binding roles of the cluster', 'rbac.authorization.k8s.io', 'clusterroles', 'bind'),
  grants('writing the settings', '', 'configmaps', 'update', { resourceNames: ['sotto'] }),
  hands('the rights of the agent', 'rolebindings', { roleRef: roleRef('Role', 'sotto'), subjects: [APP] }),
  hands('a ClusterRole', 'rolebindings', { roleRef: roleRef('ClusterRole', 'edit'), subjects: [APP] }),
  hands('something to the agent', 'rolebindings', {
    roleRef: roleRef('Role', 'harmless'),
    subjects: [{ kind: 'ServiceAccount', name: 'sotto' }],
  }),
  hands('a Role that is not in Git', 'rolebindings', { roleRef: roleRef('Role', 'secret-reader'), subjects: [APP] }),
  hands('a Role that is not there yet', 'rolebindings', { roleRef: roleRef('Role', 'made-later'), subjects: [APP] }),
  hands('a Role that Git only pretends to have', 'rolebindings', {
    roleRef: roleRef('Role', 'pretended'),
    subjects: [APP],
  }),
  marks('as a key', { labels: { 'sotto.dev/use': 'keys' } }),
  marks('as a sealing key', { labels: { 'sealedsecrets.bitnami.com/sealed-secrets-key': 'active' } }),
  marks('as made by sotto', { annotations: { 'sotto.dev/origin': 'sotto' } }),
  {
    ...reads('a key anywhere in a custom resource', '', {}),
    ...thing('thing-reads', { push: { from: 'sops-age', to: 'https://elsewhere.example.com' } }),
  },
  {
    ...reads('a manifest with a key in the text of a custom resource', '', {}),
    ...thing('thing-text', { manifest: '{"kind":"Pod","spec":{"volumes":[{"secret":{"secretName":"sops-age"}}]}}' }),
  },
  {
    ...reads('a custom resource that would make a Secret of the name of a key', '', {}),
    ...thing('git-auth', {}),
  },
  {
    ...runs('a manifest that runs as the agent in the text of a custom resource', '', {}),
    ...thing('thing-text-runs', { manifest: 'kind: Pod\nspec: { serviceAccountName: sotto }\n' }),
  },
  {
    ...runs('the agent by a custom resource', '', {}),
    ...thing('thing-runs', { template: { spec: { serviceAccountName: 'sotto' } } }),
  },
  {
    ...marks('by a custom resource', {}),
    ...thing('thing-marks', { secretTemplate: { labels: { 'sotto.dev/use': 'keys' } } }),
  },
];
