import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SottoError } from '../../src/core/errors.ts';
import type { Json, JsonObject } from '../../src/core/json.ts';
import { groupOf } from '../../src/core/ids.ts';
import { stringAt } from '../../src/core/json.ts';
import { refuseVetoed } from '../../src/render/veto.ts';
import type { VetoRules } from '../../src/render/veto-rules.ts';
import { KIND_CASES } from '../harness/objects.ts';

const RULES: VetoRules = {
  lifted: [],
  agentNamespace: 'team',
  targetNamespace: 'team',
  accounts: ['sotto'],
  namedSecrets: new Set(['sotto-fingerprint', 'sops-age', 'git-auth']),
  markedSecrets: new Set(['sealing-1']),
};
const SPLIT: Partial<VetoRules> = { targetNamespace: 'team-app' };

function vetoOf(tree: JsonObject, more: Partial<VetoRules> = {}): SottoError | undefined {
  const rules = { ...RULES, ...more };
  const id = {
    group: groupOf(stringAt(tree, 'apiVersion') ?? ''),
    kind: stringAt(tree, 'kind') ?? '',
    namespace: rules.targetNamespace,
    name: stringAt(tree, 'metadata', 'name') ?? '',
  };
  try {
    refuseVetoed({ id, tree }, rules, () => 7);
    return undefined;
  } catch (thrown) {
    return thrown as SottoError;
  }
}

/** `020 metadata.name`: the code and the place. */
function told(tree: JsonObject, more: Partial<VetoRules> = {}): string | undefined {
  const error = vetoOf(tree, more);
  return error && `${error.code.slice(-3)} ${error.place.key ?? ''}`;
}

function object(apiVersion: string, kind: string, name: string, more: JsonObject = {}): JsonObject {
  return { apiVersion, kind, metadata: { name }, ...more };
}

const container = { name: 'c', image: 'example.com/c' };
const pod = (spec: JsonObject): JsonObject =>
  object('v1', 'Pod', 'web', { spec: { containers: [container], ...spec } });
const role = (...rules: readonly JsonObject[]): JsonObject =>
  object('rbac.authorization.k8s.io/v1', 'Role', 'app', { rules });
const rule = (group: string, resources: string[], verbs: string[], more: JsonObject = {}): JsonObject => ({
  apiGroups: [group],
  resources,
  verbs,
  ...more,
});
const binding = (roleRef: JsonObject, ...subjects: readonly JsonObject[]): JsonObject =>
  object('rbac.authorization.k8s.io/v1', 'RoleBinding', 'app', { roleRef, subjects });
const ROLE = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'app' };
const ACCOUNT = { kind: 'ServiceAccount', name: 'app' };

describe('an object of the agent itself', () => {
  it.each([
    object('apps/v1', 'Deployment', 'sotto'),
    object('v1', 'ServiceAccount', 'sotto'),
    object('rbac.authorization.k8s.io/v1', 'Role', 'sotto'),
    object('rbac.authorization.k8s.io/v1', 'RoleBinding', 'sotto-requests'),
    object('v1', 'Service', 'sotto'),
    object('v1', 'Endpoints', 'sotto'),
    object('networking.k8s.io/v1', 'NetworkPolicy', 'sotto'),
    object('example.com/v1', 'Thing', 'sotto'),
    object('apps/v1', 'Deployment', 'sotto-renderer'),
    object('v1', 'Service', 'sotto-renderer'),
    object('networking.k8s.io/v1', 'NetworkPolicy', 'sotto-renderer'),
    object('v1', 'Secret', 'sotto-renderer'),
    ...['sotto', 'sotto-requests', 'sotto-inventory', 'sotto-status', 'sotto-last-app'].map((name) =>
      object('v1', 'ConfigMap', name),
    ),
    ...['sotto-fingerprint', 'sops-age', 'git-auth', 'sealing-1'].map((name) => object('v1', 'Secret', name)),
  ])('is refused by its name: $kind $metadata.name', (tree) => {
    expect(told(tree)).toBe('020 metadata.name');
    expect(told(tree, { lifted: ['key-mount', 'agent-account', 'agent-rbac'] })).toBe('020 metadata.name');
  });

  it.each(['sotto', 'sotto-renderer'])('is refused where it would pass for %s, or decide over its size', (name) => {
    const labels = { 'app.kubernetes.io/name': name };
    const template = { metadata: { labels }, spec: { containers: [container] } };
    expect(told(object('apps/v1', 'Deployment', 'web', { spec: { template } }))).toContain('020 spec.template');
    expect(told({ ...pod({}), metadata: { name: 'web', labels } })).toContain('020 metadata.labels');
    const slice = object('discovery.k8s.io/v1', 'EndpointSlice', 'web');
    expect(told({ ...slice, metadata: { name: 'web', labels: { 'kubernetes.io/service-name': name } } })).toContain(
      '020',
    );
    const spec = { scaleTargetRef: { kind: 'Deployment', name } };
    expect(told(object('autoscaling/v2', 'HorizontalPodAutoscaler', 'web', { spec }))).toContain('020');
    expect(told(object('keda.sh/v1alpha1', 'ScaledObject', 'web', { spec }))).toContain('020');
  });

  it('is one by the names of the settings and the account, not by chance', () => {
    expect(told(object('v1', 'ServiceAccount', 'deployer'), { accounts: ['deployer', 'sotto'] })).toContain('020');
    expect(told(object('v1', 'Secret', 'db'))).toBeUndefined();
    expect(told(object('v1', 'ConfigMap', 'sotto-dashboards'))).toBeUndefined();
    expect(told(object('v1', 'ConfigMap', 'sops-age'))).toBeUndefined();
  });

  it('is refused where it would change whom the agent trusts', () => {
    for (const name of ['kube-root-ca.crt', 'openshift-service-ca.crt'])
      expect(told(object('v1', 'ConfigMap', name))).toBe('020 metadata.name');
    expect(told(object('v1', 'ConfigMap', 'kube-root-ca.crt'), SPLIT)).toBeUndefined();
  });

  it('is elsewhere in a split install, but for its rights', () => {
    expect(told(object('v1', 'ConfigMap', 'sotto'), SPLIT)).toBeUndefined();
    expect(told(object('v1', 'Secret', 'sops-age'), SPLIT)).toBeUndefined();
    expect(told(object('rbac.authorization.k8s.io/v1', 'Role', 'sotto'), SPLIT)).toContain('020');
  });

  it('is a marked Secret only until Git may bring marked ones; one that settings name stays it', () => {
    expect(told(object('v1', 'Secret', 'sealing-1'), { lifted: ['key-label'] })).toBeUndefined();
    expect(told(object('v1', 'Secret', 'git-auth'), { lifted: ['key-label'] })).toContain('020');
  });
});

/** A reference to a Secret by every field of a Pod that takes one. */
const REFERENCES: Readonly<Record<string, (name: string) => JsonObject>> = {
  'volumes.secret': (secretName) => ({ volumes: [{ name: 'v', secret: { secretName } }] }),
  'volumes.projected': (name) => ({ volumes: [{ name: 'v', projected: { sources: [{ secret: { name } }] } }] }),
  'volumes.csi': (name) => ({ volumes: [{ name: 'v', csi: { driver: 'd', nodePublishSecretRef: { name } } }] }),
  'volumes.csi attributes': (name) => ({
    volumes: [{ name: 'v', csi: { driver: 'd', volumeAttributes: { secretName: name } } }],
  }),
  'volumes.azureFile': (secretName) => ({ volumes: [{ name: 'v', azureFile: { shareName: 's', secretName } }] }),
  ...Object.fromEntries(
    ['cephfs', 'rbd', 'iscsi', 'flexVolume', 'scaleIO', 'storageos'].map((type) => [
      `volumes.${type}`,
      (name: string) => ({ volumes: [{ name: 'v', [type]: { secretRef: { name } } }] }),
    ]),
  ),
  env: (name) => ({
    containers: [{ ...container, env: [{ name: 'A', valueFrom: { secretKeyRef: { name, key: 'k' } } }] }],
  }),
  envFrom: (name) => ({ containers: [{ ...container, envFrom: [{ secretRef: { name } }] }] }),
  initContainers: (name) => ({ initContainers: [{ ...container, envFrom: [{ secretRef: { name } }] }] }),
  ephemeralContainers: (name) => ({ ephemeralContainers: [{ ...container, envFrom: [{ secretRef: { name } }] }] }),
  imagePullSecrets: (name) => ({ imagePullSecrets: [{ name }] }),
};

const volume = (driver: JsonObject): JsonObject => pod({ volumes: [{ name: 'v', ...driver }] });

/** A Pod spec as every kind that makes Pods holds it. */
const HOLDERS: Readonly<Record<string, (spec: JsonObject) => JsonObject>> = {
  Pod: pod,
  PodTemplate: (spec) => object('v1', 'PodTemplate', 'web', { template: { spec } }),
  ReplicationController: (spec) => object('v1', 'ReplicationController', 'web', { spec: { template: { spec } } }),
  ...Object.fromEntries(
    ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet'].map((kind) => [
      kind,
      (spec: JsonObject) => object('apps/v1', kind, 'web', { spec: { template: { spec } } }),
    ]),
  ),
  ControllerRevision: (spec) =>
    object('apps/v1', 'ControllerRevision', 'web', { data: { spec: { template: { spec } } } }),
  Job: (spec) => object('batch/v1', 'Job', 'web', { spec: { template: { spec } } }),
  CronJob: (spec) => object('batch/v1', 'CronJob', 'web', { spec: { jobTemplate: { spec: { template: { spec } } } } }),
  Rollout: (spec) => object('argoproj.io/v1alpha1', 'Rollout', 'web', { spec: { template: { spec } } }),
};

describe('a workload that refers to a key', () => {
  const every = Object.keys(HOLDERS).flatMap((holder) => Object.keys(REFERENCES).map((by) => ({ holder, by })));

  it.each(every)('is refused: $holder by $by', ({ holder, by }) => {
    const make = (name: string): JsonObject => HOLDERS[holder]?.(REFERENCES[by]?.(name) ?? {}) ?? {};
    for (const name of ['sotto-fingerprint', 'sops-age', 'git-auth', 'sealing-1'])
      expect(told(make(name))).toMatch(/^021 .*(?:ecret|name)/);
    expect(told(make('db'))).toBeUndefined();
    expect(told(make('sops-age'), { lifted: ['key-mount'] })).toBeUndefined();
    expect(told(make('sops-age'), SPLIT)).toBeUndefined();
  });

  it('is refused in kinds that only lead to one', () => {
    const tls = { tls: [{ hosts: ['h'], secretName: 'sealing-1' }] };
    expect(told(object('networking.k8s.io/v1', 'Ingress', 'web', { spec: tls }))).toBe('021 spec.tls.0.secretName');
    const annotations = { 'nginx.ingress.kubernetes.io/auth-secret': 'team/sops-age' };
    const ingress = object('networking.k8s.io/v1', 'Ingress', 'web');
    expect(told({ ...ingress, metadata: { name: 'web', annotations } })).toContain('021 metadata.annotations');
    expect(told(object('v1', 'ServiceAccount', 'web', { secrets: [{ name: 'sops-age' }] }))).toContain('021');
    const push = { selector: { secret: { name: 'sops-age' } }, secretStoreRefs: [{ name: 'mine' }] };
    expect(told(object('external-secrets.io/v1alpha1', 'PushSecret', 'web', { spec: push }))).toContain('021');
    const gateway = { listeners: [{ tls: { certificateRefs: [{ name: 'sealing-1' }] } }] };
    expect(told(object('gateway.networking.k8s.io/v1', 'Gateway', 'web', { spec: gateway }))).toContain('021');
  });

  it.each([
    'sops-age',
    'team/sops-age',
    'db, team/sops-age',
    '{"secretName":"sops-age"}',
    'ref+k8s://v1/Secret/team/sops-age/age.agekey',
    'kind: Job\nspec: { volumes: [ { secret: { secretName: sops-age } } ] }',
  ])('is refused where others read text: %s', (text) => {
    const annotated = { name: 'web', annotations: { 'example.com/copies': text } };
    for (const kind of ['ConfigMap', 'Secret', 'Service'])
      expect(told({ ...object('v1', kind, 'web'), metadata: annotated })).toBe(
        '021 metadata.annotations.example.com/copies',
      );
    const template = { metadata: annotated, spec: { containers: [container] } };
    expect(told(object('apps/v1', 'Deployment', 'web', { spec: { template } }))).toContain('021 spec.template');
    expect(told(object('example.com/v1', 'Thing', 'web', { spec: { from: text } }))).toBe('021 spec.from');
    expect(told(volume({ csi: { driver: 'd', volumeAttributes: { what: text } } }))).toContain('021 spec.volumes');
    expect(told(volume({ flexVolume: { driver: 'd', options: { what: text } } }))).toContain('021 spec.volumes');
    expect(told(object('resource.k8s.io/v1', 'ResourceClaim', 'web', { spec: { opaque: text } }))).toContain('021');
  });

  it('is refused in a custom resource also as a key of a map and as its own name, of which a Secret may be made', () => {
    expect(told(object('example.com/v1', 'Thing', 'web', { spec: { mounts: { 'sops-age': '/x' } } }))).toContain('021');
    expect(told(object('external-secrets.io/v1', 'ExternalSecret', 'git-auth'))).toBe('021 metadata.name');
    expect(
      told(object('example.com/v1', 'Thing', 'git-auth-2', { spec: { text: 'my-git-auth sops-age.example.com' } })),
    ).toBeUndefined();
    expect(told(object('external-secrets.io/v1', 'ExternalSecret', 'git-auth'), SPLIT)).toBeUndefined();
  });

  it('may use the name for something else where fields say what they are', () => {
    const spec = {
      containers: [{ ...container, name: 'git-auth', env: [{ name: 'A', value: 'sops-age' }] }],
      volumes: [{ name: 'sops-age', configMap: { name: 'git-auth' } }],
    };
    expect(told(pod(spec))).toBeUndefined();
    expect(told(object('v1', 'ConfigMap', 'web', { data: { secretName: 'sops-age' } }))).toBeUndefined();
  });

  it('is refused wherever in a tree the reference stands', () => {
    const key = fc.stringMatching(/^[a-z]{1,6}$/);
    const wraps = fc.array(fc.oneof(key, fc.nat({ max: 2 })), { maxLength: 8 });
    fc.assert(
      fc.property(wraps, fc.constantFrom('secretRef', 'secret', 'imagePullSecrets'), (path, field) => {
        const reference: Json = {
          [field]: field === 'imagePullSecrets' ? [{ name: 'sops-age' }] : { name: 'sops-age' },
        };
        const tree = path.reduceRight<Json>(
          (inner, step) =>
            typeof step === 'number' ? [...Array.from({ length: step }, () => null), inner] : { [step]: inner },
          reference,
        );
        expect(told(object('apps/v1', 'Deployment', 'web', { spec: { tree } }))).toContain('021 spec.tree');
      }),
      { seed: 20, numRuns: 300 },
    );
  });
});

describe('the account of the agent', () => {
  it.each(Object.keys(HOLDERS))('is not what Pods of Git run as: %s', (holder) => {
    for (const field of ['serviceAccountName', 'serviceAccount']) {
      const make = (name: string): JsonObject => HOLDERS[holder]?.({ [field]: name }) ?? {};
      expect(told(make('sotto'))).toMatch(new RegExp(`^022 .*${field}$`));
      expect(told(make('app'))).toBeUndefined();
      expect(told(make('sotto'), { lifted: ['agent-account'] })).toBeUndefined();
      expect(told(make('sotto'), SPLIT)).toBeUndefined();
    }
  });

  it('gets no token by a Secret or a store of Git', () => {
    const annotations = { 'kubernetes.io/service-account.name': 'sotto' };
    const token = object('v1', 'Secret', 'web', { type: 'kubernetes.io/service-account-token' });
    expect(told({ ...token, metadata: { name: 'web', annotations } })).toContain('022 metadata.annotations');
    const auth = { provider: { vault: { auth: { kubernetes: { serviceAccountRef: { name: 'sotto' } } } } } };
    expect(told(object('external-secrets.io/v1', 'SecretStore', 'web', { spec: auth }))).toContain('022');
    const subject = { accounts: [{ kind: 'ServiceAccount', name: 'sotto' }] };
    expect(told(object('example.com/v1', 'Thing', 'web', { spec: subject }))).toContain('022');
  });

  it.each([
    'system:serviceaccount:team:sotto',
    'kind: Job\nspec: { template: { spec: { serviceAccountName: sotto } } }',
    '{"serviceAccount":"sotto"}',
  ])('is not named in the text of a custom resource: %s', (text) => {
    expect(told(object('example.com/v1', 'Thing', 'web', { spec: { text } }))).toBe('022 spec.text');
    const other = text.replace('sotto', 'app');
    expect(told(object('example.com/v1', 'Thing', 'web', { spec: { text: other } }))).toBeUndefined();
  });

  it('is what Pods run as that name none, where the agent runs as default', () => {
    const accounts = ['default', 'sotto'];
    expect(told(pod({}), { accounts })).toBe('022 spec');
    expect(told(pod({ serviceAccountName: '' }), { accounts })).toBe('022 spec');
    expect(told(pod({ serviceAccountName: 'app' }), { accounts })).toBeUndefined();
    expect(told(pod({}))).toBeUndefined();
  });
});

describe('a Role', () => {
  it.each([
    rule('', ['secrets'], ['get'], { resourceNames: ['db'] }),
    rule('*', ['*'], ['list']),
    rule('', ['secrets'], ['*']),
    rule('', ['serviceaccounts'], ['impersonate']),
    rule('', ['serviceaccounts'], ['*']),
    rule('authentication.k8s.io', ['users'], ['impersonate:user-info']),
    rule('authentication.k8s.io', ['serviceaccounts'], ['*']),
    rule('apps', ['deployments'], ['impersonate-on:serviceaccount:patch']),
    rule('', ['serviceaccounts/token'], ['create']),
    rule('', ['*/token'], ['create']),
    rule('rbac.authorization.k8s.io', ['roles'], ['escalate']),
    rule('rbac.authorization.k8s.io', ['rolebindings'], ['create', 'bind']),
    rule('rbac.authorization.k8s.io', ['clusterroles'], ['bind'], { resourceNames: ['edit'] }),
  ])('that leads to keys or to more rights is refused everywhere (%#)', (bad) => {
    expect(told(role(bad))).toBe('023 rules.0');
    expect(told(role(bad), SPLIT)).toBe('023 rules.0');
    expect(told(role(bad), { lifted: ['agent-rbac'] })).toBeUndefined();
  });

  it.each([
    rule('', ['pods/exec'], ['create']),
    rule('', ['*/attach'], ['create']),
    rule('', ['pods/portforward'], ['get']),
    rule('', ['pods/ephemeralcontainers'], ['patch']),
    rule('', ['pods'], ['create']),
    rule('apps', ['deployments'], ['patch'], { resourceNames: ['web'] }),
    rule('batch', ['cronjobs'], ['update']),
    rule('apps.openshift.io', ['deploymentconfigs'], ['create']),
    rule('', ['podtemplates'], ['patch']),
    rule('apps', ['controllerrevisions'], ['update']),
    rule('', ['configmaps'], ['create']),
    rule('', ['configmaps'], ['patch'], { resourceNames: ['app', 'sotto'] }),
    rule('', ['configmaps'], ['update'], { resourceNames: ['sotto-requests'] }),
  ])('that starts or enters Pods, or writes to the agent, is refused where the keys are (%#)', (bad) => {
    expect(told(role(rule('', ['pods'], ['get']), bad))).toBe('023 rules.1');
    expect(told(role(bad), SPLIT)).toBeUndefined();
  });

  it('that does none of it is applied', () => {
    const harmless = [
      rule('', ['pods', 'services', 'pods/log'], ['get', 'list', 'watch']),
      rule('', ['configmaps'], ['get', 'list', 'watch']),
      rule('', ['configmaps'], ['update', 'patch'], { resourceNames: ['app-leader'] }),
      rule('coordination.k8s.io', ['leases'], ['*']),
      rule('example.com', ['secrets', 'pods'], ['*']),
    ];
    expect(told(role(...harmless))).toBeUndefined();
  });
});

describe('a RoleBinding', () => {
  it('must not name the account of the agent, nor a group that it is in', () => {
    const agent = { kind: 'ServiceAccount', name: 'sotto' };
    expect(told(binding(ROLE, ACCOUNT, agent))).toBe('023 subjects.1');
    expect(told(binding(ROLE, { ...agent, namespace: 'team' }), SPLIT)).toBe('023 subjects.0');
    expect(told(binding(ROLE, agent), SPLIT)).toBeUndefined();
    expect(told(binding(ROLE, { kind: 'User', name: 'system:serviceaccount:team:sotto' }))).toContain('023');
    for (const name of ['system:serviceaccounts:team', 'system:serviceaccounts', 'system:authenticated'])
      expect(told(binding(ROLE, { kind: 'Group', name }))).toBe('023 subjects.0');
    expect(told(binding(ROLE, ACCOUNT, { ...agent, namespace: 'other' }))).toBeUndefined();
  });

  it('must hand out a Role whose rules can be seen, and none of the agent', () => {
    expect(told(binding(ROLE, ACCOUNT))).toBeUndefined();
    expect(told(binding({ ...ROLE, name: 'sotto' }, ACCOUNT))).toBe('023 roleRef.name');
    expect(told(binding({ ...ROLE, kind: 'ClusterRole', name: 'view' }, ACCOUNT))).toBeUndefined();
    for (const name of ['edit', 'admin', 'cluster-admin', 'secret-reader'])
      expect(told(binding({ ...ROLE, kind: 'ClusterRole', name }, ACCOUNT))).toBe('023 roleRef.name');
    const other = object('authorization.openshift.io/v1', 'RoleBinding', 'web', { roleRef: { name: 'view' } });
    expect(told(other)).toContain('023');
  });
});

describe('a mark of a key', () => {
  it.each([
    { labels: { 'sotto.dev/use': 'keys' } },
    { labels: { 'sotto.dev/use': '' } },
    { labels: { 'sealedsecrets.bitnami.com/sealed-secrets-key': 'active' } },
    { annotations: { 'sotto.dev/origin': 'sotto' } },
  ])('on a Secret of Git is refused (%#)', (marks) => {
    const marked = { ...object('v1', 'Secret', 'db'), metadata: { name: 'db', ...marks } };
    expect(told(marked)).toMatch(/^024 metadata\.(?:labels|annotations)\.s/);
    expect(told(marked, SPLIT)).toContain('024');
    expect(told(marked, { lifted: ['key-label'] })).toBeUndefined();
  });

  it('is refused as well where another controller would put it on a Secret', () => {
    const template = { metadata: { labels: { 'sotto.dev/use': 'keys' } } };
    const external = object('external-secrets.io/v1', 'ExternalSecret', 'db', { spec: { target: { template } } });
    expect(told(external)).toContain('024 spec.target.template');
  });

  it('has no meaning on other objects', () => {
    const metadata = { name: 'db', labels: { 'sotto.dev/use': 'keys' } };
    expect(told({ ...object('v1', 'ConfigMap', 'db'), metadata })).toBeUndefined();
  });
});

describe('what is said of a veto', () => {
  it('names the line and what lifts it, if anything does', () => {
    const error = vetoOf(pod({ serviceAccountName: 'sotto' }));
    expect(error?.place.line).toBe(7);
    expect(error?.next).toContain('vetoes: { allow: [ agent-account ] }');
    expect(vetoOf(object('v1', 'ConfigMap', 'sotto'))?.next).not.toContain('vetoes:');
  });

  it('is nothing for the kinds that people have', () => {
    expect(KIND_CASES.map(({ manifest }) => told(manifest)).filter((each) => each !== undefined)).toEqual([]);
  });
});
