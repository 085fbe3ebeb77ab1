import { type Json, stringAt } from '../core/json.ts';
import { MEMBER_LABEL } from '../core/labels.ts';
import type { LiveRecord } from '../drift/record.ts';
import type { InventoryRow } from '../plan/inventory.ts';

/** Whether an object that is seen for the first time since the start is as its row says (spec/drift.md 3.8 C). */
export function isAsWeLeftIt(record: LiveRecord, row: InventoryRow, object: Json, setId: string): boolean {
  if (record.uid !== row.uid || row.uid === '') return false;
  if (stringAt(object, 'metadata', 'labels', MEMBER_LABEL) !== setId) return false;
  if (record.goodRv === row.resourceVersion) return true;
  // Kinds with a generation count changes of their spec; the others could hide one.
  if (record.generation === undefined || record.generation !== row.generation) return false;
  return record.setDigest === row.setDigest && record.ownTime === row.ownTime;
}

/**
 * Whether an apply under our name came after what the row tells of: the agent ended before it was stored. Whoever takes
 * a field from us leaves the time of our entry as it is; only an apply of ours that changes something moves it.
 */
export function isAppliedSince({ setDigest, ownTime }: LiveRecord, row: InventoryRow): boolean {
  return setDigest !== undefined && (ownTime ?? '') !== row.ownTime;
}

export function versionOf(object: Json): string {
  return stringAt(object, 'metadata', 'resourceVersion') ?? '';
}

export function isTerminating(object: Json): boolean {
  return (stringAt(object, 'metadata', 'deletionTimestamp') ?? '') !== '';
}
