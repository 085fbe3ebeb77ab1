import { SottoError } from '../core/errors.ts';
import { arrayAt, isJsonObject, type Json, member, memberAt, stringAt } from '../core/json.ts';
import { listObjects } from '../kube/lists.ts';
import { getObject } from '../kube/objects.ts';
import type { OpenResource } from '../kube/resource.ts';
import { type Cluster, refusedReading } from './cluster.ts';
import { readInventory } from './inventory-rows.ts';

export const PODS: OpenResource = {
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  namespaced: true,
  verbs: ['get', 'list'],
  secret: false,
};

const DEPLOYMENTS: OpenResource = {
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  namespaced: true,
  verbs: ['get'],
  secret: false,
};

export interface AgentPod {
  readonly name: string;
  /** Undefined: it has only one. */
  readonly container: string | undefined;
}

const SELECTOR = 'app.kubernetes.io/name=sotto';

/** Where the agent runs: by its label, by its Deployment, or as the inventory says (beside an app). Throws SottoError. */
export async function findAgentPod(cluster: Cluster, signal: AbortSignal): Promise<AgentPod> {
  const labelled = await podsWith(cluster, SELECTOR, signal);
  const deployed = labelled.length > 0 ? labelled : await podsOfDeployment(cluster, signal);
  const pods = deployed.length > 0 ? deployed : await podOfInventory(cluster, signal);
  const [newest] = pods.toSorted(byUse);
  if (newest === undefined) throw noPod(cluster.namespace);
  return { name: stringAt(newest, 'metadata', 'name') ?? '', container: containerOf(newest) };
}

async function podsWith(cluster: Cluster, labelSelector: string, signal: AbortSignal): Promise<readonly Json[]> {
  const { transport, namespace } = cluster;
  const found = await listObjects(transport, PODS, { namespace, labelSelector, signal });
  if (!found.ok) throw refusedReading(cluster, found.failure, { resource: PODS, verb: 'list' });
  return found.value.items;
}

async function podsOfDeployment(cluster: Cluster, signal: AbortSignal): Promise<readonly Json[]> {
  const { transport, namespace } = cluster;
  const found = await getObject(transport, { resource: DEPLOYMENTS, namespace, name: 'sotto', signal });
  // Whoever may not read Deployments is helped by the places that are left.
  const labels = found.ok ? memberAt(found.value, 'spec', 'selector', 'matchLabels') : undefined;
  if (!isJsonObject(labels)) return [];
  const selector = Object.entries(labels).map(([key, value]) => (typeof value === 'string' ? `${key}=${value}` : key));
  return selector.length === 0 ? [] : podsWith(cluster, selector.join(','), signal);
}

async function podOfInventory(cluster: Cluster, signal: AbortSignal): Promise<readonly Json[]> {
  const name = (await readInventory(cluster, signal))?.pod;
  if (name === undefined) return [];
  const { transport, namespace } = cluster;
  const found = await getObject(transport, { resource: PODS, namespace, name, signal });
  if (!found.ok) throw refusedReading(cluster, found.failure, { resource: PODS, verb: 'get', name });
  return found.value === undefined ? [] : [found.value];
}

/** Running ones first, then the newest. */
function byUse(a: Json, b: Json): number {
  const [left, right] = [a, b].map((pod) => (stringAt(pod, 'status', 'phase') === 'Running' ? 0 : 1));
  if (left !== right) return (left ?? 0) - (right ?? 0);
  const [first = '', second = ''] = [a, b].map((pod) => stringAt(pod, 'metadata', 'creationTimestamp'));
  return first > second ? -1 : 1;
}

/** Beside an app the agent is a sidecar, an init container that goes on. */
function containerOf(pod: Json): string | undefined {
  const containers = arrayAt(pod, 'spec', 'containers');
  const all = [...containers, ...arrayAt(pod, 'spec', 'initContainers')].map((each) => member(each, 'name'));
  if (all.includes('sotto')) return 'sotto';
  return containers.length > 1 ? stringAt(containers[0], 'name') : undefined;
}

function noPod(namespace: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-082',
    what: `no Pod of an agent is in namespace ${namespace}`,
    why: `none has label ${SELECTOR}, Deployment sotto has none, and the inventory names none`,
    next: `kubectl get pods -n ${namespace}   (an agent outside of the cluster writes its log to its own standard output)`,
  });
}
