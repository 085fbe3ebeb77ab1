import { type Json, type JsonObject, memberAt, stringAt } from '../../src/core/json.ts';
import { canary } from './canary-values.ts';
import { configMap, secret, type World } from './world.ts';

/** One kind that an agent applies: what stands in Git, and an edit by hand that must be undone. */
export interface KindCase {
  readonly kind: string;
  readonly plural: string;
  /** API group and version as in a URL: `api/v1`, `apis/apps/v1`. */
  readonly api: string;
  readonly manifest: JsonObject;
  /** Merge patch of a person. */
  readonly edit: JsonObject;
  /** A place that the edit changes, and what stands there in Git. */
  readonly place: readonly (string | number)[];
  readonly wanted: Json;
}

const labels = { app: 'web' };
const container = { name: 'c', image: 'example.com/c:1', env: [{ name: 'A', value: '1' }] };
const template = { metadata: { labels }, spec: { containers: [container] } };
const jobTemplate = { spec: { restartPolicy: 'Never', containers: [container] } };
const editedContainers = [{ ...container, image: 'example.com/c:2' }];

/** Every kind of the Role, but PersistentVolumeClaim (most of it cannot be edited) and Pod. */
export const KIND_CASES: readonly KindCase[] = [
  {
    kind: 'ConfigMap',
    plural: 'configmaps',
    api: 'api/v1',
    manifest: configMap('web', { color: 'blue' }),
    edit: { data: { color: 'red' } },
    place: ['data', 'color'],
    wanted: 'blue',
  },
  {
    kind: 'Secret',
    plural: 'secrets',
    api: 'api/v1',
    manifest: secret('web', { password: canary(0) }),
    edit: { stringData: { password: canary(1) } },
    place: ['data', 'password'],
    wanted: Buffer.from(canary(0)).toString('base64'),
  },
  {
    kind: 'ServiceAccount',
    plural: 'serviceaccounts',
    api: 'api/v1',
    manifest: {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'web' },
      automountServiceAccountToken: false,
    },
    edit: { automountServiceAccountToken: true },
    place: ['automountServiceAccountToken'],
    wanted: false,
  },
  {
    kind: 'Service',
    plural: 'services',
    api: 'api/v1',
    manifest: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: { selector: labels, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
    },
    edit: { spec: { ports: [{ name: 'http', port: 81, targetPort: 8080 }] } },
    place: ['spec', 'ports'],
    wanted: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 8080 }],
  },
  {
    kind: 'PersistentVolumeClaim',
    plural: 'persistentvolumeclaims',
    api: 'api/v1',
    manifest: {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'web', annotations: { 'example.com/tier': 'gold' } },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    },
    edit: { metadata: { annotations: { 'example.com/tier': 'tin' } } },
    place: ['metadata', 'annotations', 'example.com/tier'],
    wanted: 'gold',
  },
  {
    kind: 'Deployment',
    plural: 'deployments',
    api: 'apis/apps/v1',
    manifest: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: { replicas: 2, selector: { matchLabels: labels }, template },
    },
    edit: { spec: { replicas: 5, template: { spec: { containers: editedContainers } } } },
    place: ['spec', 'template', 'spec', 'containers', 0, 'image'],
    wanted: 'example.com/c:1',
  },
  {
    kind: 'StatefulSet',
    plural: 'statefulsets',
    api: 'apis/apps/v1',
    manifest: {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'web' },
      spec: { replicas: 1, serviceName: 'web', selector: { matchLabels: labels }, template },
    },
    edit: { spec: { template: { spec: { containers: editedContainers } } } },
    place: ['spec', 'template', 'spec', 'containers', 0, 'image'],
    wanted: 'example.com/c:1',
  },
  {
    kind: 'DaemonSet',
    plural: 'daemonsets',
    api: 'apis/apps/v1',
    manifest: {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'web' },
      spec: { selector: { matchLabels: labels }, template },
    },
    edit: { spec: { template: { spec: { containers: editedContainers } } } },
    place: ['spec', 'template', 'spec', 'containers', 0, 'image'],
    wanted: 'example.com/c:1',
  },
  {
    kind: 'Job',
    plural: 'jobs',
    api: 'apis/batch/v1',
    manifest: {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'web' },
      spec: { parallelism: 1, template: jobTemplate },
    },
    edit: { spec: { parallelism: 3 } },
    place: ['spec', 'parallelism'],
    wanted: 1,
  },
  {
    kind: 'CronJob',
    plural: 'cronjobs',
    api: 'apis/batch/v1',
    manifest: {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'web' },
      spec: { schedule: '0 3 * * *', jobTemplate: { spec: { template: jobTemplate } } },
    },
    edit: { spec: { schedule: '* * * * *' } },
    place: ['spec', 'schedule'],
    wanted: '0 3 * * *',
  },
  {
    kind: 'NetworkPolicy',
    plural: 'networkpolicies',
    api: 'apis/networking.k8s.io/v1',
    manifest: {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'web' },
      spec: { podSelector: { matchLabels: labels }, policyTypes: ['Ingress'] },
    },
    edit: { spec: { podSelector: { matchLabels: { app: 'other' } } } },
    place: ['spec', 'podSelector', 'matchLabels', 'app'],
    wanted: 'web',
  },
  {
    kind: 'Ingress',
    plural: 'ingresses',
    api: 'apis/networking.k8s.io/v1',
    manifest: {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: 'web' },
      spec: {
        rules: [
          {
            host: 'web.example.com',
            http: {
              paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }],
            },
          },
        ],
      },
    },
    edit: { spec: { rules: [{ host: 'other.example.com' }] } },
    place: ['spec', 'rules', 0, 'host'],
    wanted: 'web.example.com',
  },
  {
    kind: 'HorizontalPodAutoscaler',
    plural: 'horizontalpodautoscalers',
    api: 'apis/autoscaling/v2',
    manifest: {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'web' },
      spec: {
        minReplicas: 1,
        maxReplicas: 3,
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'other' },
      },
    },
    edit: { spec: { maxReplicas: 9 } },
    place: ['spec', 'maxReplicas'],
    wanted: 3,
  },
];

export function collectionOf({ api, plural }: Pick<KindCase, 'api' | 'plural'>, namespace: string): string {
  return `/${api}/namespaces/${namespace}/${plural}`;
}

export function configMapPath(namespace: string, name: string): string {
  return `/api/v1/namespaces/${namespace}/configmaps/${name}`;
}

export function secretPath(namespace: string, name: string): string {
  return `/api/v1/namespaces/${namespace}/secrets/${name}`;
}

/** What a place of an object holds; numbers are positions in lists. */
export function valueAt(object: Json | undefined, place: readonly (string | number)[]): Json | undefined {
  let value = object;
  for (const step of place) {
    if (typeof step === 'number') value = Array.isArray(value) ? value[step] : undefined;
    else value = memberAt(value, step);
  }
  return value;
}

/** A change by a person: kubectl's way and name. */
export async function editByHand(
  world: World,
  path: string,
  patch: JsonObject,
  manager = 'kubectl-edit',
): Promise<Json> {
  const url = `${path}?fieldManager=${manager}`;
  const answer = await world.own.plane.admin('PATCH', url, patch, 'application/merge-patch+json');
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

export async function remove(world: World, path: string): Promise<void> {
  const answer = await world.own.plane.admin('DELETE', path);
  if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
}

/** The notes of the Events about an object. */
export async function eventNotes(world: World, kind: string, name: string): Promise<readonly string[]> {
  const answer = await world.own.plane.admin('GET', `/apis/events.k8s.io/v1/namespaces/${world.namespace}/events`);
  const items = memberAt(answer.body, 'items');
  if (!Array.isArray(items)) return [];
  return items
    .filter((item) => stringAt(item, 'regarding', 'kind') === kind && stringAt(item, 'regarding', 'name') === name)
    .map((item) => stringAt(item, 'note') ?? '');
}
