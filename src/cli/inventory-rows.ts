import { gunzipSync } from 'node:zlib';
import { type ObjectKey, objectIdOf, type ObjectId } from '../core/ids.ts';
import { arrayAt, type Json, parseJson, stringAt } from '../core/json.ts';
import { INVENTORY_NAME } from '../core/labels.ts';
import { getObject } from '../kube/objects.ts';
import { CONFIG_MAPS } from '../kube/resource.ts';
import { APPLYSET_NAMESPACES } from '../plan/applyset.ts';
import { type Cluster, refusedReading } from './cluster.ts';

/**
 * What the inventory tells people: where an object comes from. Its MAC is made with a key that only the agent has, so
 * this is read unverified and only shown, never acted on; whoever may write ConfigMaps could have written it.
 */
export interface InventoryPlace {
  readonly id: ObjectId;
  readonly sync: string;
  readonly file: string;
  readonly line: number | undefined;
  /** Empty: about to be applied for the first time. */
  readonly uid: string;
}

export interface InventoryPlaces {
  readonly places: readonly InventoryPlace[];
  /** The Pod of the agent that holds the namespace. */
  readonly pod: string | undefined;
  readonly targetNamespace: string;
}

/** Undefined: there is none, or it cannot be read as one. Throws SottoError when the cluster refuses. */
export async function readInventory(cluster: Cluster, signal: AbortSignal): Promise<InventoryPlaces | undefined> {
  const { transport, namespace } = cluster;
  const target = { resource: CONFIG_MAPS, name: INVENTORY_NAME };
  const found = await getObject(transport, { ...target, namespace, signal });
  if (!found.ok) throw refusedReading(cluster, found.failure, { ...target, verb: 'get' });
  const entry = stringAt(found.value, 'binaryData', 'inventory');
  const read = entry === undefined ? undefined : placesIn(Buffer.from(entry, 'base64'));
  if (read === undefined) return undefined;
  const other = stringAt(found.value, 'metadata', 'annotations', APPLYSET_NAMESPACES);
  return { ...read, targetNamespace: other ?? namespace };
}

const MAC_BYTES = 32;
/** A thousandfold of nothing is a few bytes of gzip: what somebody else wrote is not unpacked without end. */
const MAX_UNPACKED_BYTES = 32 * 1024 * 1024;

/** The rows of the entry, field by field and not trusted. */
export function placesIn(entry: Uint8Array): Omit<InventoryPlaces, 'targetNamespace'> | undefined {
  let stored: Json;
  try {
    const text = gunzipSync(entry.subarray(MAC_BYTES), { maxOutputLength: MAX_UNPACKED_BYTES }).toString('utf8');
    stored = parseJson(text);
  } catch {
    return undefined;
  }
  const places = arrayAt(stored, 'rows').flatMap((row) => placeIn(row) ?? []);
  return { places, pod: stringAt(stored, 'holder', 'pod') };
}

function placeIn(row: Json): InventoryPlace | undefined {
  if (!Array.isArray(row)) return undefined;
  const [key, , sync, file, line, , uid]: readonly Json[] = row;
  if (typeof key !== 'string' || typeof sync !== 'string' || typeof file !== 'string') return undefined;
  return {
    id: objectIdOf(key as ObjectKey),
    sync,
    file,
    line: typeof line === 'number' ? line : undefined,
    uid: typeof uid === 'string' ? uid : '',
  };
}
