import type { PolicyRule } from '../src/demo/control-plane.ts';
import { ALL_VERBS } from './world.ts';

/** Eight kinds beside ConfigMap, Secret, Deployment and Service: one object of each. */
const OBJECTS: readonly string[] = [
  'apiVersion: v1\nkind: ServiceAccount\nmetadata: { name: more }\n',
  'apiVersion: v1\nkind: LimitRange\nmetadata: { name: more }\nspec: { limits: [ { type: Pod, max: { cpu: "64" } } ] }\n',
  'apiVersion: v1\nkind: ResourceQuota\nmetadata: { name: more }\nspec: { hard: { "count/pods": "500" } }\n',
  'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { name: more }\nspec: { podSelector: {} }\n',
  `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: more }
spec: { defaultBackend: { service: { name: more, port: { number: 80 } } } }
`,
  `apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: more }
spec: { minAvailable: 1, selector: { matchLabels: { app: more } } }
`,
  `apiVersion: batch/v1
kind: CronJob
metadata: { name: more }
spec:
  schedule: "0 3 * * *"
  jobTemplate: { spec: { template: { spec: { restartPolicy: Never, containers: [ { name: a, image: example.com/a:1 } ] } } } }
`,
  `apiVersion: apps/v1
kind: StatefulSet
metadata: { name: more }
spec:
  serviceName: more
  selector: { matchLabels: { app: more } }
  template:
    metadata: { labels: { app: more } }
    spec: { containers: [ { name: a, image: example.com/a:1 } ] }
`,
];

export const MORE_KINDS = OBJECTS.length;

export const RULES_FOR_MORE: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['serviceaccounts', 'limitranges', 'resourcequotas'], verbs: ALL_VERBS },
  { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies', 'ingresses'], verbs: ALL_VERBS },
  { apiGroups: ['policy'], resources: ['poddisruptionbudgets'], verbs: ALL_VERBS },
  { apiGroups: ['batch'], resources: ['cronjobs'], verbs: ALL_VERBS },
  { apiGroups: ['apps'], resources: ['statefulsets'], verbs: ALL_VERBS },
];

/** By path in the repository. */
export function moreKinds(): Record<string, string> {
  return Object.fromEntries(OBJECTS.map((text, index) => [`deploy/more/${index}.yaml`, text]));
}
