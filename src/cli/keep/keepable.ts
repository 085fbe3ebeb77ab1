import { displayObject, groupOf, type ObjectId, objectIdOf } from '../../core/ids.ts';
import { arrayAt, type Json, stringAt } from '../../core/json.ts';
import { INVENTORY_NAME } from '../../core/labels.ts';
import { EMPTY_SET, type PathSet, union } from '../../drift/fields.ts';
import { unpackSet } from '../../drift/packed.ts';
import { getObject } from '../../kube/objects.ts';
import { CONFIG_MAPS } from '../../kube/resource.ts';
import { type InventoryRow, unverified } from '../../plan/inventory.ts';
import { type Cluster, refusedReading } from '../cluster.ts';
import { table } from '../output.ts';
import type { UndoneByAgent } from './agent-page.ts';

/** An object that is left alone now, with where it comes from. */
export interface PausedObject {
  readonly id: ObjectId;
  readonly apiVersion: string;
  readonly sync: string;
  readonly file: string;
  readonly until: string;
  /** What the sync has applied. */
  readonly revision: string;
  /** Fields that others may have. */
  readonly tolerated: PathSet;
}

/** Paused objects, and those of paused syncs, as status and inventory tell them. Throws SottoError. */
export async function readPaused(cluster: Cluster, status: Json, signal: AbortSignal): Promise<PausedObject[]> {
  const pauses = arrayAt(status, 'pauses');
  if (pauses.length === 0) return [];
  const target = { resource: CONFIG_MAPS, name: INVENTORY_NAME };
  const found = await getObject(cluster.transport, { ...target, namespace: cluster.namespace, signal });
  if (!found.ok) throw refusedReading(cluster, found.failure, { ...target, verb: 'get' });
  const entry = stringAt(found.value, 'binaryData', 'inventory');
  const rows = entry === undefined ? undefined : unverified(Buffer.from(entry, 'base64'))?.rows;
  return [...(rows?.values() ?? [])].flatMap((row) => {
    const id = objectIdOf(row.key);
    const pause = pauses.find(
      (each) => stringAt(each, 'object') === displayObject(id) || stringAt(each, 'sync') === row.sync,
    );
    return pause === undefined ? [] : [pausedObject(row, id, stringAt(pause, 'until') ?? '', status)];
  });
}

function pausedObject(
  { apiVersion, sync, file, accepted, yielded }: InventoryRow,
  id: ObjectId,
  until: string,
  status: Json,
): PausedObject {
  const own = arrayAt(status, 'syncs').find((each) => stringAt(each, 'name') === sync);
  const revision = stringAt(own, 'appliedRevision') ?? '';
  const tolerated = [accepted, yielded].reduce<PathSet>((set, packed) => union(set, setIn(packed)), EMPTY_SET);
  return { id, apiVersion, sync, file, until, revision, tolerated };
}

/** Nothing vouches for it here: what cannot be read tolerates nothing. */
function setIn(packed: Uint8Array | undefined): PathSet {
  try {
    return unpackSet(packed);
  } catch {
    return EMPTY_SET;
  }
}

export function idOfUndone({ object, apiVersion, namespace }: UndoneByAgent): ObjectId {
  const [name = '', kind = ''] = object.split('/').toReversed();
  return { group: groupOf(apiVersion), kind, namespace, name };
}

/** What can be kept, the newest first, then what is paused. */
export function keepTable(undone: readonly UndoneByAgent[], paused: readonly PausedObject[]): string {
  const rows = [
    ...undone.map(({ n, at, object, manager, paths }) => [
      `sotto keep ${n}`,
      object,
      'undone',
      at,
      manager,
      shown(paths),
    ]),
    ...paused.map(({ id, until }) => [
      `sotto keep ${displayObject(id)}`,
      displayObject(id),
      'paused',
      until,
      '',
      'as it is now',
    ]),
  ];
  return table(['COMMAND', 'OBJECT', 'STATE', 'AT, UNTIL', 'BY', 'FIELDS'], rows);
}

function shown(paths: readonly string[]): string {
  const more = paths.length > 3 ? ` and ${paths.length - 3} more` : '';
  return `${paths.slice(0, 3).join(', ')}${more}`;
}
