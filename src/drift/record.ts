import type { Json } from '../core/json.ts';
import { arrayAt, memberAt, numberAt, stringAt } from '../core/json.ts';
import { entryFields, managedEntries, ownEntry } from './entries.ts';
import type { FieldPath, PathSet } from './fields.ts';
import { difference, intersection, setOf, subsetAt, union } from './fields.ts';
import type { PackedSet, SetDigest } from './packed.ts';
import { packSet, setDigest, unpackSet } from './packed.ts';
import type { MacKey } from './projection.ts';
import { leafTags, ownershipOnlyLeaves, valueMac } from './projection.ts';

/**
 * `full`: events carry the object. `meta`: metadata only (Secrets always): values never enter the process, and the
 * digest covers what metadata shows, our labels and annotations.
 */
export type WatchMode = 'full' | 'meta';

/**
 * What is kept of one live object: no value and no manifest. Measured: 2 kB for a Deployment with 20 env variables
 * (1 kB of strings and fields, 0.3 packed set, 0.6 tags), 1 kB for a small object.
 */
export interface LiveRecord {
  readonly mode: WatchMode;
  readonly uid: string;
  /** The last resourceVersion judged in sync, own write or foreign. */
  readonly goodRv: string;
  /** Undefined for kinds that have none. */
  readonly generation: number | undefined;
  /** Time of our entry: opaque, compared for equality only. */
  readonly ownTime: string | undefined;
  /** Undefined when the server's answer did not list us among its managers. */
  readonly setDigest: SetDigest | undefined;
  /** What we owned at the baseline. */
  readonly ownSet: PackedSet;
  readonly valueMac: string;
  readonly tags: Uint8Array;
  /** Leaves of ours that others may fill (P1). */
  readonly ownershipOnly: PackedSet;
  /** Paths left to somebody else: the next apply body is sent without them. */
  readonly yielded: PackedSet;
  /** Foreign additions that stay: found at adoption, or defaults that the server puts back (P11). */
  readonly accepted: PackedSet;
  /** A finished Job or Pod: its absence is no drift. */
  readonly done: boolean;
  /** It is done and has failed: once it is gone nothing else tells. */
  readonly failed: boolean;
}

export interface Carried {
  readonly yielded: PackedSet;
  readonly accepted: PackedSet;
  readonly done: boolean;
  readonly failed: boolean;
}

/**
 * The baseline: from the answer to an apply of ours (metadata only for Secrets), or at start from an object whose
 * inventory row has the same uid and resourceVersion. `carried` is what outlives a baseline: the record before, or the
 * inventory row.
 */
export function recordFromAnswer(object: Json, mode: WatchMode, key: MacKey, carried?: Carried): LiveRecord {
  const visible = visibleSet(entryFields(ownEntry(managedEntries(object))), mode);
  return baseline(object, mode, key, carried, ownershipOnlyLeaves(visible, object));
}

/** The record of an event that left some paths to others. What may be filled was settled by our last apply. */
export function movedBaseline(object: Json, before: LiveRecord, key: MacKey): LiveRecord {
  const own = entryFields(ownEntry(managedEntries(object)));
  return baseline(object, before.mode, key, before, intersection(unpackSet(before.ownershipOnly), own));
}

function baseline(
  object: Json,
  mode: WatchMode,
  key: MacKey,
  carried: Carried | undefined,
  ownershipOnly: PathSet,
): LiveRecord {
  const entry = ownEntry(managedEntries(object));
  const own = entryFields(entry);
  const visible = visibleSet(own, mode);
  return {
    mode,
    uid: stringAt(object, 'metadata', 'uid') ?? '',
    goodRv: stringAt(object, 'metadata', 'resourceVersion') ?? '',
    generation: numberAt(object, 'metadata', 'generation'),
    ownTime: entry?.time,
    setDigest: entry === undefined ? undefined : setDigest(own),
    ownSet: packSet(own),
    valueMac: valueMac(visible, object, ownershipOnly, key),
    tags: leafTags(visible, object, ownershipOnly, key),
    ownershipOnly: packSet(ownershipOnly),
    // What is ours again is left to nobody.
    yielded: carried?.yielded === undefined ? undefined : packSet(difference(unpackSet(carried.yielded), own)),
    accepted: carried?.accepted,
    ...endingOf(object, carried),
  };
}

/** The part of our set whose values an event of this mode shows. */
export function visibleSet(own: PathSet, mode: WatchMode): PathSet {
  return mode === 'full' ? own : subsetAt(own, ['f:metadata']);
}

/** Yielded paths as a set: what `apply` leaves out of the body. */
export function yieldedSet(record: LiveRecord): PathSet {
  return unpackSet(record.yielded);
}

export function withYielded(record: LiveRecord, paths: Iterable<FieldPath>): LiveRecord {
  return { ...record, yielded: packSet(union(unpackSet(record.yielded), setOf(paths))) };
}

/** These foreign additions stay and are never asked about again. */
export function withAccepted(record: LiveRecord, paths: Iterable<FieldPath>): LiveRecord {
  return { ...record, accepted: packSet(union(unpackSet(record.accepted), setOf(paths))) };
}

/** What an object ended as stays true of it: nothing takes it back but another object in its place. */
export function endingOf(object: Json, before: Ending | undefined): Ending {
  return {
    done: before?.done === true || isDone(object),
    failed: before?.failed === true || endOf(object) === 'failed',
  };
}

type Ending = Pick<LiveRecord, 'done' | 'failed'>;

/** A Job that ended, or a Pod that ran to its end and is not to run again (spec/drift.md 3.5). */
export function isDone(object: Json): boolean {
  return endOf(object) !== undefined;
}

function endOf(object: Json): 'complete' | 'failed' | undefined {
  const kind = stringAt(object, 'kind');
  const apiVersion = stringAt(object, 'apiVersion');
  if (kind === 'Job' && apiVersion === 'batch/v1') {
    if (hasCondition(object, 'Failed')) return 'failed';
    return hasCondition(object, 'Complete') ? 'complete' : undefined;
  }
  if (kind !== 'Pod' || apiVersion !== 'v1' || memberAt(object, 'spec', 'restartPolicy') !== 'Never') return undefined;
  const phase = memberAt(object, 'status', 'phase');
  if (phase === 'Failed') return 'failed';
  return phase === 'Succeeded' ? 'complete' : undefined;
}

function hasCondition(object: Json, type: string): boolean {
  return arrayAt(object, 'status', 'conditions').some(
    (condition) => stringAt(condition, 'type') === type && stringAt(condition, 'status') === 'True',
  );
}
