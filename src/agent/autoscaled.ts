import type { ObjectId } from '../core/ids.ts';
import { stringAt } from '../core/json.ts';
import type { ResourceCatalog } from '../kube/discovery.ts';
import { listObjects } from '../kube/lists.ts';
import type { Transport } from '../kube/transport.ts';

const AUTOSCALERS = [
  ['autoscaling/v2', 'HorizontalPodAutoscaler'],
  ['keda.sh/v1alpha1', 'ScaledObject'],
] as const;

/** `unknown`: nobody is known to target it, and not everything may be looked at. */
export type Autoscaled = 'yes' | 'no' | 'unknown';

/** Whether an autoscaler of the namespace targets the object. One list per kind, asked only when it matters. */
export async function isAutoscaled(transport: Transport, catalog: ResourceCatalog, id: ObjectId): Promise<Autoscaled> {
  let found: Autoscaled = 'no';
  for (const [apiVersion, kind] of AUTOSCALERS) {
    const resource = catalog.find(apiVersion, kind);
    if (resource === undefined || resource.secret) continue;
    const answer = await listObjects(transport, resource, { namespace: id.namespace });
    if (!answer.ok) {
      found = 'unknown';
      continue;
    }
    const targets = answer.value.items.some(
      (item) =>
        stringAt(item, 'spec', 'scaleTargetRef', 'name') === id.name &&
        (stringAt(item, 'spec', 'scaleTargetRef', 'kind') ?? 'Deployment') === id.kind,
    );
    if (targets) return 'yes';
  }
  return found;
}

export function isAutoscaler(id: ObjectId): boolean {
  return AUTOSCALERS.some(([apiVersion, kind]) => kind === id.kind && apiVersion.startsWith(`${id.group}/`));
}
