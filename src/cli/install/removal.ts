import { setTimeout as sleep } from 'node:timers/promises';
import { type JsonObject, stringAt } from '../../core/json.ts';
import { SETTINGS_KEY, SETTINGS_NAME } from '../../core/labels.ts';
import { kubeError } from '../../kube/errors.ts';
import { listMetadata } from '../../kube/lists.ts';
import { deleteObject, getMetadata, getObject } from '../../kube/objects.ts';
import { CONFIG_MAPS, type Resource, SECRETS } from '../../kube/resource.ts';
import { parseSettings } from '../../settings/parse.ts';
import type { Settings } from '../../settings/settings.ts';
import { isInstalledByUs } from './difference.ts';
import { appliedElsewhere, type Seen } from './remains.ts';
import { type Cluster, targetOf } from './steps.ts';

/** An object of deploy/ that is live, and whether an install of ours made or changed it. */
export interface Installed {
  readonly object: JsonObject;
  readonly uid: string;
  readonly isOurs: boolean;
}

/** Settings as they are in the cluster: they say where objects are applied. What cannot be read is left out. */
export async function liveSettings({ transport, signal }: Cluster, namespace: string): Promise<Settings | undefined> {
  const target = { resource: CONFIG_MAPS, namespace, name: SETTINGS_NAME };
  const found = await getObject(transport, { ...target, signal });
  if (!found.ok) {
    if (found.failure.kind === 'forbidden') return undefined;
    throw kubeError(found.failure, { verb: 'get', ...target, user: transport.connection.user });
  }
  const text = stringAt(found.value, 'data', SETTINGS_KEY);
  const parsed = text === undefined ? undefined : parseSettings(text, `ConfigMap/${SETTINGS_NAME}`);
  return parsed?.ok === true ? parsed.settings : undefined;
}

/** In the reverse order of an install: the Deployment first, its rights after it has ended. */
export async function findInstalled(cluster: Cluster, manifests: readonly JsonObject[]): Promise<readonly Installed[]> {
  const { transport, signal } = cluster;
  const found: Installed[] = [];
  for (const object of manifests.toReversed()) {
    const target = targetOf(object);
    const live = await getMetadata(transport, { ...target, signal });
    if (!live.ok) throw kubeError(live.failure, { verb: 'get', ...target, user: transport.connection.user });
    if (live.value === undefined) continue;
    found.push({ object, uid: stringAt(live.value, 'metadata', 'uid') ?? '', isOurs: isInstalledByUs(live.value) });
  }
  return found;
}

export async function lookAround(cluster: Cluster, namespace: string, settings: Settings | undefined): Promise<Seen> {
  const configMaps = (await listed(cluster, CONFIG_MAPS, namespace)) ?? [];
  const secrets = await listed(cluster, SECRETS, namespace);
  // Settings that cannot be read say nothing; the inventory does.
  const targetNamespace = settings?.targetNamespace ?? appliedElsewhere(configMaps) ?? namespace;
  return { namespace, targetNamespace, settings, configMaps, secrets };
}

async function listed(
  { transport, signal }: Cluster,
  resource: Resource,
  namespace: string,
): Promise<readonly JsonObject[] | undefined> {
  const found = await listMetadata(transport, resource, { namespace, signal });
  if (found.ok) return found.value.items;
  if (found.failure.kind === 'forbidden') return undefined;
  throw kubeError(found.failure, { verb: 'list', resource, namespace, user: transport.connection.user });
}

/** The grace period of the Pod and something for the controllers. */
const END_MS = 45_000;
const LOOK_MS = 250;

/** Whether it is gone; a Deployment goes when its Pod has ended, so that the agent can store what it has to. */
export async function remove(cluster: Cluster, { object, uid }: Installed): Promise<boolean> {
  const { transport, signal } = cluster;
  const target = targetOf(object);
  const propagation = object['kind'] === 'Deployment' ? 'Foreground' : 'Background';
  const answer = await deleteObject(transport, { ...target, uid, propagation, signal });
  if (!answer.ok) throw kubeError(answer.failure, { verb: 'delete', ...target, user: transport.connection.user });
  if (propagation === 'Background') return true;
  const deadlineMs = performance.now() + END_MS;
  while (performance.now() < deadlineMs) {
    const live = await getMetadata(transport, { ...target, signal });
    if (live.ok && stringAt(live.value, 'metadata', 'uid') !== uid) return true;
    await sleep(LOOK_MS, undefined, { signal });
  }
  return false;
}

/** What the agent wrote for itself. */
export async function removeState(
  { transport, signal }: Cluster,
  namespace: string,
  { kind, name }: { readonly kind: 'ConfigMap' | 'Secret'; readonly name: string },
): Promise<void> {
  const target = { resource: kind === 'Secret' ? SECRETS : CONFIG_MAPS, namespace, name };
  const live = await getMetadata(transport, { ...target, signal });
  if (!live.ok) throw kubeError(live.failure, { verb: 'get', ...target, user: transport.connection.user });
  const uid = stringAt(live.value, 'metadata', 'uid');
  if (uid === undefined) return;
  const answer = await deleteObject(transport, { ...target, uid, signal });
  if (!answer.ok) throw kubeError(answer.failure, { verb: 'delete', ...target, user: transport.connection.user });
}
