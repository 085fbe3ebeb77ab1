import { arrayAt, type Json, type JsonObject, stringAt } from '../../src/core/json.ts';
import { requestsSince, shown } from './requests.ts';
import { IMAGES } from './rolling-cluster.ts';
import type { World } from './world.ts';

function podTemplate(name: string, image: string, pod: JsonObject = {}): JsonObject {
  return { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image, ...pod }] } };
}

export function workload(
  kind: string,
  name: string,
  image: string,
  pod: JsonObject = {},
  spec: JsonObject = {},
): string {
  return JSON.stringify({
    apiVersion: 'apps/v1',
    kind,
    metadata: { name },
    spec: { selector: { matchLabels: { app: name } }, template: podTemplate(name, image, pod), ...spec },
  });
}

export function jobSpec(name: string, image: string = IMAGES.ready): JsonObject {
  const { metadata, spec } = podTemplate(name, image) as { metadata: JsonObject; spec: JsonObject };
  return { backoffLimit: 0, template: { metadata, spec: { ...spec, restartPolicy: 'Never' } } };
}

export function object(apiVersion: string, kind: string, name: string, spec: JsonObject): string {
  return JSON.stringify({ apiVersion, kind, metadata: { name }, spec });
}

/** Bound to the volume of `createVolume`. */
export function claim(world: World): string {
  return object('v1', 'PersistentVolumeClaim', 'data', {
    accessModes: ['ReadWriteOnce'],
    storageClassName: '',
    volumeName: `data-${world.namespace}`,
    resources: { requests: { storage: '1Gi' } },
  });
}

/** What `claim` is bound to. */
export async function createVolume(world: World): Promise<void> {
  await world.create('/api/v1/persistentvolumes', {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `data-${world.namespace}` },
    spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/nowhere' } },
  });
}

export function imageOf(pod: Json): string | undefined {
  return stringAt(arrayAt(pod, 'spec', 'containers')[0], 'image');
}

/** Streams of what workloads make. */
export async function podWatches(world: World, mark: number) {
  const entries = await requestsSince(world, mark).entries();
  return entries.filter(({ verb, resource }) => verb === 'watch' && ['pods', 'replicasets'].includes(resource));
}

export async function podCalls(world: World, mark: number): Promise<readonly string[]> {
  const calls = await requestsSince(world, mark).calls();
  return shown(calls.filter(({ resource }) => ['pods', 'replicasets'].includes(resource)));
}
