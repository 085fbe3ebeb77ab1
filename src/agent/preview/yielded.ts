import { withoutFields } from '../../apply/without-fields.ts';
import type { ObjectId } from '../../core/ids.ts';
import type { Json } from '../../core/json.ts';
import { entryFields, managedEntries, ownEntry } from '../../drift/entries.ts';
import { difference, EMPTY_SET, type FieldPath, type PathSet, pathsOf } from '../../drift/fields.ts';
import { judgeLosses } from '../../drift/losses.ts';
import { unpackSet } from '../../drift/packed.ts';
import type { DriftPolicy } from '../../drift/policy.ts';
import type { InventoryRow } from '../../plan/inventory.ts';
import type { DesiredObject } from '../../render/desired.ts';

/** Paths that the agent has left to others, as its inventory says; nobody vouches for what is there. */
export function yieldedBefore(row: InventoryRow | undefined): PathSet {
  try {
    return unpackSet(row?.yielded);
  } catch {
    return EMPTY_SET;
  }
}

export function withoutPaths(object: DesiredObject, paths: readonly FieldPath[]): DesiredObject {
  return paths.length === 0 ? object : { ...object, tree: withoutFields(object.tree, paths) };
}

interface Taken {
  readonly live: Json;
  /** The answer to the trial apply: what it would own that it does not own now was taken by somebody. */
  readonly tried: Json;
  readonly before: PathSet;
  readonly id: ObjectId;
  readonly policy: DriftPolicy;
  readonly isAutoscaled: (id: ObjectId) => Promise<boolean>;
}

/** Paths of an object, unchanged in Git, that were taken and that a correction would leave to their takers. */
export async function yieldedNow({
  live,
  tried,
  before,
  id,
  policy,
  isAutoscaled,
}: Taken): Promise<readonly FieldPath[]> {
  const entries = managedEntries(live);
  const taken = pathsOf(difference(ownFields(tried), ownFields(live)));
  const judge = (autoscaled: boolean | undefined) =>
    judgeLosses(taken, {
      live,
      entries,
      yieldedBefore: before,
      ownershipOnly: EMPTY_SET,
      mode: 'full',
      policy,
      autoscaled,
    });
  const first = judge(undefined);
  const losses = first.mayBeAutoscaler ? judge(await isAutoscaled(id)) : first;
  return losses.yielded.map(({ path }) => path);
}

function ownFields(object: Json): PathSet {
  return entryFields(ownEntry(managedEntries(object)));
}
