import type { Json } from '../core/json.ts';
import { stringAt } from '../core/json.ts';
import type { LiveRecord } from '../drift/record.ts';
import type { Resource } from '../kube/resource.ts';
import { type InventoryRow, UNSEEN } from '../plan/inventory.ts';
import { isKept } from '../plan/keep.ts';
import type { DesiredObject } from '../render/desired.ts';
import type { AgentContext } from './context.ts';
import { modeOf } from './live.ts';

/** After every answer to an apply of ours: the new baseline in memory, and the row that a restart starts from. */
export function recordApplied(
  agent: AgentContext,
  sync: string,
  object: DesiredObject,
  resource: Resource,
  answer: Json,
): LiveRecord {
  const record = agent.live.baseline(object.key, answer, modeOf(resource));
  agent.inventory.set(rowOf(sync, object, record, agent.inventory.row(object.key)));
  return record;
}

function rowOf(sync: string, object: DesiredObject, record: LiveRecord, before: InventoryRow | undefined) {
  return {
    ...announcedRow(sync, object),
    rank: before?.rank,
    uid: record.uid,
    resourceVersion: record.goodRv,
    generation: record.generation ?? 0,
    setDigest: record.setDigest ?? '',
    ownTime: record.ownTime ?? '',
    done: record.done,
    failed: record.failed,
    yielded: record.yielded,
    accepted: record.accepted,
    // An object that was made anew has Pods of its own.
    restart: before?.uid === record.uid ? before.restart : undefined,
  };
}

/** The row of an object that is about to be applied for the first time: written before, so that no kill orphans it. */
export function announcedRow(sync: string, object: DesiredObject): InventoryRow {
  const { key, apiVersion, file, line, digest, encrypted } = object;
  return {
    ...UNSEEN,
    rank: undefined,
    key,
    apiVersion,
    sync,
    file,
    line,
    digest,
    keep: isKept(object.tree),
    encrypted,
  };
}

export function versionIn(answer: Json): string {
  return stringAt(answer, 'metadata', 'resourceVersion') ?? '';
}
