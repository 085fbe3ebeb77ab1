import { SottoError } from '../core/errors.ts';
import type { Json } from '../core/json.ts';
import { stringAt } from '../core/json.ts';
import { isDeeper } from '../core/json-depth.ts';
import { LIMITS } from '../core/limits.ts';
import { getObject } from '../kube/objects.ts';
import { CONFIG_MAPS } from '../kube/resource.ts';
import { STATUS_CONFIGMAP, STATUS_KEY, STATUS_SCHEMA } from '../report/status.ts';
import { type Cluster, refusedReading } from './cluster.ts';

/** The status document of the agent; undefined: there is none yet. Throws SottoError. */
export async function readStatus(cluster: Cluster, signal: AbortSignal): Promise<Json | undefined> {
  const { transport, namespace } = cluster;
  const target = { resource: CONFIG_MAPS, name: STATUS_CONFIGMAP };
  const found = await getObject(transport, { ...target, namespace, signal });
  if (!found.ok) throw refusedReading(cluster, found.failure, { ...target, verb: 'get' });
  return statusIn(found.value ?? null);
}

/** What ConfigMap `sotto-status` holds. Throws SOTTO-CLI-011. */
export function statusIn(configMap: Json): Json | undefined {
  const text = stringAt(configMap, 'data', STATUS_KEY);
  if (text === undefined) return undefined;
  if (isDeeper(Buffer.from(text), LIMITS.maxDepth)) throw unreadable('it is nested too deeply');
  let status: Json;
  try {
    status = JSON.parse(text) as Json;
  } catch {
    throw unreadable('it is not JSON');
  }
  if (stringAt(status, 'schema') !== STATUS_SCHEMA) throw unreadable(`its schema is not ${STATUS_SCHEMA}`);
  return status;
}

export function noStatus(namespace: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-010',
    what: `namespace ${namespace} has no status of an agent`,
    object: `ConfigMap/${STATUS_CONFIGMAP}`,
    why: 'no agent has written one there yet',
    next: `check the namespace (-n), or look at the agent: sotto logs -n ${namespace}`,
  });
}

function unreadable(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-011',
    what: 'the status document cannot be read',
    object: `ConfigMap/${STATUS_CONFIGMAP}`,
    key: STATUS_KEY,
    why,
    next: 'use the version of sotto that the agent has (sotto version)',
  });
}
