import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import { MEMBER_LABEL } from '../../core/labels.ts';

const BOOKKEEPING = ['managedFields', 'resourceVersion', 'generation', 'creationTimestamp', 'uid', 'selfLink'];

/** These repeat the whole object, of a Secret with its values. */
const LAST_APPLIED = [
  'kubectl.kubernetes.io/last-applied-configuration',
  'kubecfg.ksonnet.io/last-applied-configuration',
];

/** What of a live object can differ from Git: no status, no bookkeeping of the server, no label of ours. */
export function comparable(object: Json): JsonObject {
  if (!isJsonObject(object)) return {};
  const metadata = mapAt(object, 'metadata');
  return {
    ...without(object, ['metadata', 'status']),
    metadata: {
      ...without(metadata, [...BOOKKEEPING, 'labels', 'annotations']),
      labels: without(mapAt(metadata, 'labels'), [MEMBER_LABEL]),
      annotations: without(mapAt(metadata, 'annotations'), LAST_APPLIED),
    },
  };
}

export function mapAt(object: JsonObject, key: string): JsonObject {
  const value = Object.hasOwn(object, key) ? object[key] : undefined;
  return isJsonObject(value) ? value : {};
}

export function without(object: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)));
}
