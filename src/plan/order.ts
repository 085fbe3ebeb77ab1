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
    'rbac.authorization.k8s.io/RoleBinding',
    'networking.k8s.io/NetworkPolicy',
    'policy/PodDisruptionBudget',
    '/Service',
  ],
  [],
  ['autoscaling/HorizontalPodAutoscaler', 'networking.k8s.io/Ingress', 'gateway.networking.k8s.io/HTTPRoute'],
];
const MIDDLE = 1;

export const LAYER_COUNT = LAYERS.length;

/** 0 for configuration, 1 for workloads and kinds we do not know, 2 for what points at workloads. */
export function layerOf(id: ObjectId): number {
  const found = LAYERS.findIndex((kinds) => kinds.includes(`${id.group}/${id.kind}`));
  return found === -1 ? MIDDLE : found;
}
