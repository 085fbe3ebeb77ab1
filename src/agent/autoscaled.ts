import type { ObjectId } from '../core/ids.ts';
import { stringAt } from '../core/json.ts';
import type { ResourceCatalog } from '../kube/discovery.ts';
import { listObjects } from '../kube/lists.ts';
import type { Transport } from '../kube/transport.ts';

const AUTOSCALERS = [
  ['autoscaling/v2', 'HorizontalPodAutoscaler'],
  ['keda.sh/v1alpha1', 'ScaledObject'],
] as const;

/**
 * Whether an autoscaler of the namespace targets the object. One list per kind, asked only when replicas went to
 * nobody. Not allowed to look counts as no: then a person scaled, as far as anybody can tell.
 */
export async function isAutoscaled(transport: Transport, catalog: ResourceCatalog, id: ObjectId): Promise<boolean> {
  for (const [apiVersion, kind] of AUTOSCALERS) {
    const resource = catalog.find(apiVersion, kind);
    if (resource === undefined || resource.secret) continue;
    const answer = await listObjects(transport, resource, { namespace: id.namespace });
    if (!answer.ok) continue;
    const targets = answer.value.items.some(
      (item) =>
        stringAt(item, 'spec', 'scaleTargetRef', 'name') === id.name &&
        (stringAt(item, 'spec', 'scaleTargetRef', 'kind') ?? 'Deployment') === id.kind,
    );
    if (targets) return true;
  }
  return false;
}
