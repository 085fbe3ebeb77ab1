import { numberAt } from '../../src/core/json.ts';
import type { World } from './world.ts';

/** Deployment `web`, whose Pods are replaced when a value of Secret `db` is another one. */
export const WEB = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {sotto.dev/restart-on-change: "true"}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: app, image: "example.com/app:1", envFrom: [{secretRef: {name: db}}]}
`;

export function webPath({ namespace }: World): string {
  return `/apis/apps/v1/namespaces/${namespace}/deployments/web`;
}

/** One more with every change of it: a restart is one. */
export async function webGeneration(world: World): Promise<number | undefined> {
  return numberAt(await world.get(webPath(world)), 'metadata', 'generation');
}
