import type { ObjectId } from '../core/ids.ts';

/**
 * Layers in which objects are applied: each is finished before the next begins; pruning goes the other way round.
 * Whatever a Pod needs when it starts comes before whatever starts Pods.
 */
const LAYERS: readonly (readonly string[])[] = [
  [
    '/ServiceAccount',
    '/Secret',
    '/ConfigMap',
    '/PersistentVolumeClaim',
    '/ResourceQuota',
    '/LimitRange',
    'rbac.authorization.k8s.io/Role',
    'networking.k8s.io/NetworkPolicy',
    'policy/PodDisruptionBudget',
    '/Service',
  ],
  // What a binding hands out is looked at when it is applied.
  ['rbac.authorization.k8s.io/RoleBinding'],
  [],
  ['autoscaling/HorizontalPodAutoscaler', 'networking.k8s.io/Ingress', 'gateway.networking.k8s.io/HTTPRoute'],
];
const MIDDLE = 2;

export const LAYER_COUNT = LAYERS.length;

/** 0 for configuration, then bindings, then workloads and kinds we do not know, then what points at workloads. */
export function layerOf(id: ObjectId): number {
  const found = LAYERS.findIndex((kinds) => kinds.includes(`${id.group}/${id.kind}`));
  return found === -1 ? MIDDLE : found;
}
