import type { Json } from '../core/json.ts';
import { memberAt, numberAt, stringAt } from '../core/json.ts';
import { MEMBER_LABEL } from '../core/labels.ts';
import { compareResourceVersions } from '../kube/resource-version.ts';
import { findAdditions, takerOf } from './additions.ts';
import type { ManagedEntry } from './entries.ts';
import { entryFields, managedEntries, ownEntry } from './entries.ts';
import type { FieldPath, PathSet } from './fields.ts';
import { difference, EMPTY_SET, intersection, isEmptySet, isMember, pathsOf, setOf, union } from './fields.ts';
import type { Losses } from './losses.ts';
import { judgeLosses } from './losses.ts';
import { setDigest, unpackSet } from './packed.ts';
import { managerName, pointer } from './pointer.ts';
import type { DriftPolicy } from './policy.ts';
import { isIgnoredPath, isInteractive } from './policy.ts';
import type { MacKey } from './projection.ts';
import { changedPaths, valueMac } from './projection.ts';
import type { LiveRecord } from './record.ts';
import { endingOf, isDone, movedBaseline, recordFromAnswer, visibleSet, withYielded } from './record.ts';
import type { Doubt, Drifted, Verdict } from './verdict.ts';

export interface JudgeContext {
  readonly macKey: MacKey;
  readonly policy: DriftPolicy;
  /** Value of the membership label on our objects. */
  readonly setId: string;
  /** An apply of this object has been sent and not answered. */
  readonly applyInFlight: boolean;
  /** The initial events of a list, or all events after resource versions went back: older ones are judged too. */
  readonly unordered: boolean;
  /** Whether an HPA or ScaledObject targets the object; undefined until `ask-autoscaler` was answered. */
  readonly autoscaled: boolean | undefined;
}

/**
 * Judges the object of an ADDED or MODIFIED event against its record, in the order of spec/drift.md 3.4. No request is
 * due unless the verdict says so. The object is full or metadata only, as the record's mode says.
 */
export function judgeEvent(object: Json, record: LiveRecord, context: JudgeContext): Verdict {
  if (isStale(object, record, context)) return { kind: 'drop' };
  if (context.applyInFlight) return { kind: 'hold' };
  const stranger = judgeIdentity(object, record, context);
  if (stranger !== undefined) return stranger;
  if ((stringAt(object, 'metadata', 'deletionTimestamp') ?? '') !== '') return { kind: 'terminating' };
  const entries = managedEntries(object);
  const own = ownEntry(entries);
  if (own === undefined && record.setDigest === undefined) return suspect('no-own-entry', []);
  if (own !== undefined && own.fields() === undefined) return suspect('unreadable-entry', []);
  return judgeOwned({ object, entries, own, fields: entryFields(own), record, context });
}

function suspect(why: Doubt, yielded: readonly FieldPath[]): Verdict {
  return { kind: 'suspect', why, yielded };
}

/** Step 1. Equal resourceVersions of one object are equal bytes, in a list too. */
function isStale(object: Json, record: LiveRecord, context: JudgeContext): boolean {
  const version = stringAt(object, 'metadata', 'resourceVersion') ?? '';
  if (stringAt(object, 'metadata', 'uid') !== record.uid) return false;
  if (version === record.goodRv) return true;
  return !context.unordered && compareResourceVersions(version, record.goodRv) < 0;
}

/** Step 3, and the label that went from an object whose stream has no selector. */
function judgeIdentity(object: Json, record: LiveRecord, context: JudgeContext): Verdict | undefined {
  const label = stringAt(object, 'metadata', 'labels', MEMBER_LABEL);
  if (label !== undefined && label !== context.setId) {
    const writer = takerOf(['f:metadata', 'f:labels', `f:${MEMBER_LABEL}`], managedEntries(object));
    if (writer !== undefined && isInteractive(writer)) return { kind: 'lost-object', why: 'label-changed' };
    return { kind: 'conflict', owner: managerName(label), manager: managerName(writer?.manager ?? '') };
  }
  if (stringAt(object, 'metadata', 'uid') !== record.uid) return { kind: 'lost-object', why: 'replaced' };
  return label === undefined ? { kind: 'lost-object', why: 'label-lost' } : undefined;
}

interface Owned {
  readonly object: Json;
  readonly entries: readonly ManagedEntry[];
  readonly own: ManagedEntry | undefined;
  readonly fields: PathSet;
  readonly record: LiveRecord;
  readonly context: JudgeContext;
}

const NO_LOSSES: Losses = { lost: [], yielded: [], filled: [], mayBeAutoscaler: false };

/** Steps 5 to 9. */
function judgeOwned(given: Owned): Verdict {
  const { object, own, fields, record, context } = given;
  const sameSet = own !== undefined && setDigest(fields) === record.setDigest;
  const baseline = sameSet ? fields : unpackSet(record.ownSet);
  const losses = sameSet ? NO_LOSSES : lossesOf(given, baseline);
  if (losses.mayBeAutoscaler) return { kind: 'ask-autoscaler' };
  const gained = sameSet ? EMPTY_SET : difference(fields, baseline);
  const changed = changedValues(given, baseline, losses, sameSet);
  const additions = findAdditions({
    entries: given.entries,
    ours: sameSet ? fields : union(fields, baseline),
    accepted: unpackSet(record.accepted),
    policy: context.policy,
  });
  const yielded = losses.yielded.map(({ path }) => path);
  const doubt = metaDoubt(given);
  const drifted =
    own === undefined || losses.lost.length + changed.length + additions.length > 0 || !isEmptySet(gained);
  if (drifted) {
    return {
      kind: 'drifted',
      lost: losses.lost,
      gained: pathsOf(gained),
      changed,
      additions,
      entryAbsent: own === undefined,
      ghost: isGhost(given, baseline, losses, changed, gained),
      valuesInDoubt: doubt !== undefined,
      yielded,
      seen: recordFromAnswer(object, record.mode, context.macKey, record),
    };
  }
  if (doubt !== undefined) return suspect(doubt, yielded);
  if (sameSet) return { kind: 'in-sync', record: movedRecord(given) };
  const moved = withYielded(movedBaseline(object, record, context.macKey), yielded);
  return { kind: 'yield', yielded: losses.yielded, filled: losses.filled, record: moved };
}

function lossesOf(given: Owned, baseline: PathSet): Losses {
  const { object, entries, record, context } = given;
  return judgeLosses(pathsOf(difference(baseline, given.fields)), {
    live: object,
    entries,
    yieldedBefore: unpackSet(record.yielded),
    ownershipOnly: unpackSet(record.ownershipOnly),
    mode: record.mode,
    policy: context.policy,
    autoscaled: context.autoscaled,
  });
}

/** Step 7: values of ours that differ although ownership does not say so (N2, N4). */
function changedValues(given: Owned, baseline: PathSet, losses: Losses, sameSet: boolean): FieldPath[] {
  const { object, fields, record, context } = given;
  if (losses.lost.length > 0) return [];
  const ownershipOnly = unpackSet(record.ownershipOnly);
  const visible = visibleSet(baseline, record.mode);
  if (valueMac(visible, object, ownershipOnly, context.macKey) === record.valueMac) return [];
  const changed = changedPaths(visible, object, ownershipOnly, context.macKey, record.tags);
  // A path that was taken is told as a loss or yield, whatever its value is now.
  const taken = sameSet ? EMPTY_SET : difference(baseline, fields);
  return changed.filter((path) => !isMember(taken, path) && !isIgnoredPath(path, context.policy));
}

function isBelowMember(set: PathSet, path: FieldPath): boolean {
  return path.some((_token, at) => isMember(set, path.slice(0, at)));
}

/** Step 7 for metadata: what the event does not show may have changed. */
function metaDoubt({ object, own, record }: Owned): Doubt | undefined {
  if (record.mode === 'full') return undefined;
  if (own?.time !== record.ownTime) return 'own-time-moved';
  const generation = numberAt(object, 'metadata', 'generation');
  if (generation === undefined) return 'no-generation';
  return generation === record.generation ? undefined : 'generation-moved';
}

/**
 * Only ownership is shared: every value is what we left (change and restore, N1). Metadata cannot tell. An empty leaf
 * of ours is outside the digest, so losing one proves nothing.
 */
function isGhost(
  given: Owned,
  baseline: PathSet,
  losses: Losses,
  changed: readonly FieldPath[],
  gained: PathSet,
): boolean {
  const { object, record, context } = given;
  if (record.mode === 'meta' || losses.lost.length === 0 || changed.length > 0 || !isEmptySet(gained)) return false;
  const ownershipOnly = unpackSet(record.ownershipOnly);
  if (!isEmptySet(intersection(setOf(losses.lost.map(({ path }) => path)), ownershipOnly))) return false;
  return valueMac(baseline, object, ownershipOnly, context.macKey) === record.valueMac;
}

function movedRecord({ object, own, record }: Owned): LiveRecord {
  return {
    ...record,
    goodRv: stringAt(object, 'metadata', 'resourceVersion') ?? record.goodRv,
    generation: numberAt(object, 'metadata', 'generation'),
    ownTime: own?.time,
    ...endingOf(object, record),
  };
}

/**
 * Scans the answer to a forced apply of ours, whose record is given: additions that were there before it, and fields
 * that left Git but stay because a person owns them too (N10). Same verdicts as an event.
 */
export function judgeAnswer(object: Json, record: LiveRecord, context: JudgeContext): Drifted | undefined {
  const entries = managedEntries(object);
  const additions = findAdditions({
    entries,
    ours: entryFields(ownEntry(entries)),
    accepted: unpackSet(record.accepted),
    policy: context.policy,
  });
  if (additions.length === 0) return undefined;
  return {
    kind: 'drifted',
    lost: [],
    gained: [],
    changed: [],
    additions,
    entryAbsent: false,
    ghost: false,
    valuesInDoubt: false,
    yielded: [],
    seen: record,
  };
}

export type DeletedAction =
  /** A finished Job or Pod went: no drift. */
  | 'none'
  /** Really gone: apply with force. */
  | 'force'
  /** Deletion, lost label or hand-over look alike: apply without force and read the answer (spec/drift.md 3.5). */
  | 'probe';

/** `last` is the object of the DELETED event; `terminating` says that its end had been seen coming. */
export function judgeDeleted(record: LiveRecord, last: Json, terminating: boolean): DeletedAction {
  if (record.done || isDone(last)) return 'none';
  const deletion = memberAt(last, 'metadata', 'deletionTimestamp');
  return terminating || (deletion !== undefined && deletion !== null) ? 'force' : 'probe';
}

/** Paths for a report: lost, added, changed and gained, each once, and none below another one. */
export function driftedPointers(drift: Drifted): string[] {
  const owned = [...drift.lost, ...drift.additions].map(({ path }) => path);
  const paths = [...owned, ...drift.changed, ...drift.gained];
  const set = setOf(paths);
  return [...new Set(paths.filter((path) => !isBelowMember(set, path)).map(pointer))];
}
