import type { PolicyRule } from './control-plane-client.ts';

const APPLY = ['get', 'list', 'watch', 'create', 'patch', 'delete'];

/** The rules of `deploy/rights/role.yaml`, which the bundle does not carry; a test holds the two together. */
export const AGENT_RULES: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['secrets'], verbs: APPLY },
  {
    apiGroups: [''],
    resources: ['configmaps'],
    verbs: ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'],
  },
  { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] },
  { apiGroups: ['apps'], resources: ['replicasets'], verbs: ['list', 'watch'] },
  { apiGroups: [''], resources: ['services', 'serviceaccounts', 'persistentvolumeclaims'], verbs: APPLY },
  { apiGroups: ['apps'], resources: ['deployments', 'statefulsets', 'daemonsets'], verbs: APPLY },
  { apiGroups: ['batch'], resources: ['jobs', 'cronjobs'], verbs: APPLY },
  { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies', 'ingresses'], verbs: APPLY },
  { apiGroups: ['autoscaling'], resources: ['horizontalpodautoscalers'], verbs: APPLY },
  { apiGroups: ['policy'], resources: ['poddisruptionbudgets'], verbs: APPLY },
  { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
];
