import { type ObjectKey, objectIdOf, objectKey } from '../core/ids.ts';
import type { ClosedObject } from '../core/closed.ts';
import { type Json, member, stringAt } from '../core/json.ts';
import { ownerOf } from '../apply/first-contact.ts';
import { isKept } from '../plan/keep.ts';
import { managedEntries } from '../drift/entries.ts';
import { type DeletedAction, type JudgeContext, judgeAnswer, judgeDeleted, judgeEvent } from '../drift/judge.ts';
import { claimsOf, type Yielded } from '../drift/losses.ts';
import { type DriftPolicy, exactRoots } from '../drift/policy.ts';
import type { MacKey } from '../drift/projection.ts';
import { EMPTY_SET, type PathSet, union } from '../drift/fields.ts';
import { isSameSet, packSet, type PackedSet, unpackSet } from '../drift/packed.ts';
import { type Carried, type LiveRecord, recordFromAnswer, type WatchMode, withAccepted } from '../drift/record.ts';
import { isChange, type Verdict } from '../drift/verdict.ts';
import type { Health } from '../health/result.ts';
import { apiVersionOf, objectIdIn, type Resource } from '../kube/resource.ts';
import { compareResourceVersions } from '../kube/resource-version.ts';
import type { InventoryRow } from '../plan/inventory.ts';
import type { LiveView } from '../plan/plan.ts';
import { isAppliedSince, isAsWeLeftIt, isTerminating, versionOf } from './as-left.ts';

/** What a correction has to look into. */
export type Finding =
  | { readonly kind: 'judged'; readonly verdict: Verdict; readonly object: Json }
  | { readonly kind: 'deleted'; readonly action: DeletedAction; readonly object: Json | undefined };

/** A live object that carries our label and our entry, and that no sync has: after a lost inventory, or a sync that left. */
export interface Orphan {
  readonly key: ObjectKey;
  readonly apiVersion: string;
  readonly uid: string;
}

interface LiveEntry {
  record: LiveRecord | undefined;
  /** Known of an object in doubt, before there is a record of it: what others may keep. */
  claims: PackedSet;
  health: Health | undefined;
  /** Monotonic: since when readiness is waited for. Undefined: it is there and ready. */
  waitsSinceMs: number | undefined;
  /** As last seen while no apply was in flight: tells whether an apply wrote. */
  resourceVersion: string;
  present: boolean;
  terminating: boolean;
  uid: string;
  /** Changed while nobody looked: only an apply can tell. */
  unsure: boolean;
  /** At first sight its row was older than our last apply of it. */
  outran: boolean;
  autoscaled: boolean | undefined;
  /** The newest event that came while an apply was in flight. */
  held: { readonly object: Json; readonly resource: Resource } | { readonly deletedUid: string } | undefined;
}

export interface LiveStoreOptions {
  readonly macKey: MacKey;
  readonly setId: string;
  readonly elapsedMs: () => number;
  row(key: ObjectKey): InventoryRow | undefined;
  /** Whose changes of the object are undone. */
  policyOf(key: ObjectKey): DriftPolicy;
  /** When the object counts as ready. */
  judgeHealth(key: ObjectKey, object: Json): Health;
  isInFlight(key: ObjectKey): boolean;
  /** Drift, doubt or absence of an object of ours. */
  onFinding(key: ObjectKey, finding: Finding): void;
  /** Fields of ours were left to somebody who may have them. */
  onYield(key: ObjectKey, yielded: readonly Yielded[]): void;
  /** What must outlive a restart changed: a Job has finished, a path was left to somebody else. */
  onCarried(key: ObjectKey, carried: Carried): void;
  /** Readiness or presence changed. */
  onChange(key: ObjectKey): void;
}

/**
 * What the watches say of our objects: per object a record of digests and its readiness, never the object. Events are
 * judged here without a request; what needs one is handed to `onFinding`.
 */
export class LiveStore {
  readonly #options: LiveStoreOptions;
  readonly #entries = new Map<ObjectKey, LiveEntry>();
  readonly #orphans = new Map<ObjectKey, Orphan>();

  constructor(options: LiveStoreOptions) {
    this.#options = options;
  }

  get macKey(): MacKey {
    return this.#options.macKey;
  }

  /** An ADDED or MODIFIED event. `unordered`: part of a list, where versions have no order. */
  observe(resource: Resource, namespace: string, object: Json, unordered: boolean): void {
    const key = keyOf(resource, namespace, object);
    const row = this.#options.row(key);
    this.#orphans.delete(key);
    // Neither a label alone nor a name makes it ours, and what is ours without a row is not judged.
    if (row === undefined) return this.#unrecorded(key, resource, object);
    const entry = this.#entry(key);
    this.#see(key, entry, object, resource);
    if (this.#options.isInFlight(key)) {
      entry.held = { object, resource };
      return;
    }
    if (entry.record === undefined) this.#firstSight(key, entry, row, object, modeOf(resource));
    else this.#judge(key, entry, object, entry.record, unordered);
  }

  /** Objects that carry our label and our entry and have no row: nothing is done with them unasked. */
  orphans(): Orphan[] {
    return [...this.#orphans.values()];
  }

  #unrecorded(key: ObjectKey, resource: Resource, object: Json): void {
    const metadata = member(object, 'metadata');
    if (isTerminating(object) || isKept(object as ClosedObject)) return;
    if (ownerOf(metadata, this.#options.setId).kind !== 'ours') return;
    this.#orphans.set(key, { key, apiVersion: apiVersionOf(resource), uid: stringAt(metadata, 'uid') ?? '' });
  }

  /** A DELETED event: gone, or no longer carrying our label. `object` is undefined when a list did not have it. */
  observeDeleted(key: ObjectKey, object: Json | undefined): void {
    this.#orphans.delete(key);
    const entry = this.#entries.get(key);
    if (entry === undefined || !entry.present) return;
    if (object !== undefined && entry.uid !== '' && stringAt(object, 'metadata', 'uid') !== entry.uid) return;
    if (this.#options.isInFlight(key)) {
      entry.held = { deletedUid: stringAt(object, 'metadata', 'uid') ?? entry.uid };
      return;
    }
    this.#lost(key, entry, object);
  }

  /** After the end of a list: whatever is ours and was not in it has gone while nobody looked. */
  observeMissing(keys: Iterable<ObjectKey>, listed: ReadonlySet<ObjectKey>): void {
    for (const key of keys) if (!listed.has(key)) this.observeDeleted(key, undefined);
  }

  /** The answer to an apply of ours is the new baseline; events that were held are judged against it. */
  baseline(key: ObjectKey, answer: Json, mode: WatchMode): LiveRecord {
    this.#orphans.delete(key);
    const entry = this.#entry(key);
    const row = this.#options.row(key);
    const fresh = recordFromAnswer(answer, mode, this.#options.macKey, this.#carried(entry, row, answer));
    // An object we have just met: what others had added stays. One we knew before the restart has its own list.
    const isFirst = entry.record === undefined && (row === undefined || row.uid === '');
    const record = isFirst ? this.#accepting(key, answer, fresh) : fresh;
    // The row of an applied object is written by whoever applied it.
    entry.record = record;
    entry.unsure = false;
    entry.present = true;
    entry.uid = record.uid;
    entry.terminating = isTerminating(answer);
    // An apply that wrote begins the wait for readiness anew; one that changed nothing does not.
    if (entry.resourceVersion !== record.goodRv) entry.waitsSinceMs = undefined;
    entry.resourceVersion = record.goodRv;
    if (mode === 'full') this.#setHealth(key, entry, this.#options.judgeHealth(key, answer));
    else entry.waitsSinceMs = undefined;
    return record;
  }

  /** The lane of the object is free again. */
  settle(key: ObjectKey): void {
    const entry = this.#entries.get(key);
    const held = entry?.held;
    if (entry === undefined || held === undefined) return;
    entry.held = undefined;
    if (this.#options.row(key) === undefined) return;
    if ('deletedUid' in held) {
      // Made anew by the apply that was on its way: what went is the one before. Without a record the loss is one.
      if (entry.record === undefined || held.deletedUid === entry.uid) this.#lost(key, entry, undefined);
      return;
    }
    if (entry.record === undefined) entry.unsure = true;
    else {
      // The answer is older: what it says of readiness is over, and there may be no further event.
      const isNewer = compareResourceVersions(versionOf(held.object), entry.record.goodRv) > 0;
      if (isNewer) this.#see(key, entry, held.object, held.resource);
      this.#judge(key, entry, held.object, entry.record, false);
    }
  }

  setRecord(key: ObjectKey, record: LiveRecord): void {
    this.#keep(key, this.#entry(key), record);
  }

  #keep(key: ObjectKey, entry: LiveEntry, record: LiveRecord): void {
    entry.record = record;
    const row = this.#options.row(key);
    if (row === undefined || row.uid !== record.uid) return;
    const { yielded, accepted, done, failed } = record;
    const isSameEnd = row.done === done && row.failed === failed;
    const isSame = isSameEnd && isSameSet(row.yielded, yielded) && isSameSet(row.accepted, accepted);
    if (!isSame) this.#options.onCarried(key, { yielded, accepted, done, failed });
  }

  /** Paths that others have and may keep: not sent, because force would take them back. */
  yielded(key: ObjectKey): PathSet {
    const entry = this.#entries.get(key);
    // An object that is made anew is made whole.
    if (entry?.present !== true) return EMPTY_SET;
    return unpackSet(entry.record === undefined ? entry.claims : entry.record.yielded);
  }

  #carried(entry: LiveEntry, row: InventoryRow | undefined, answer: Json): Carried | undefined {
    const uid = stringAt(answer, 'metadata', 'uid');
    if (entry.record !== undefined) return entry.record.uid === uid ? entry.record : undefined;
    if (row === undefined || row.uid !== uid) return undefined;
    return { ...row, yielded: entry.claims ?? row.yielded };
  }

  setAutoscaled(key: ObjectKey, autoscaled: boolean): void {
    this.#entry(key).autoscaled = autoscaled;
  }

  /** The apply went wrong in a way that leaves the outcome open. */
  doubt(key: ObjectKey): void {
    this.#entry(key).unsure = true;
  }

  forget(key: ObjectKey): void {
    this.#entries.delete(key);
  }

  record(key: ObjectKey): LiveRecord | undefined {
    return this.#entries.get(key)?.record;
  }

  uid(key: ObjectKey): string | undefined {
    const entry = this.#entries.get(key);
    return entry?.present === true ? entry.uid : undefined;
  }

  isTerminating(key: ObjectKey): boolean {
    return this.#entries.get(key)?.terminating === true;
  }

  view(key: ObjectKey): LiveView {
    const entry = this.#entries.get(key);
    if (entry === undefined || !entry.present) return 'absent';
    return entry.unsure || entry.record === undefined ? 'unsure' : 'in-sync';
  }

  /** In doubt, and its row says what was applied before the last time: no word of what it should be. */
  isAppliedSince(key: ObjectKey): boolean {
    const entry = this.#entries.get(key);
    return entry?.record === undefined && entry?.outran === true;
  }

  /** What belongs to an object says something else of its readiness. */
  rejudge(key: ObjectKey, health: Health): void {
    const entry = this.#entries.get(key);
    if (entry?.present === true) this.#setHealth(key, entry, health);
  }

  /** Undefined for an object that is not there or was not seen yet. */
  health(key: ObjectKey): Health | undefined {
    const entry = this.#entries.get(key);
    return entry?.present === true ? entry.health : undefined;
  }

  /** Monotonic: when the wait for its readiness began; undefined when nothing is waited for, or it was never seen. */
  waitsSinceMs(key: ObjectKey): number | undefined {
    return this.#entries.get(key)?.waitsSinceMs;
  }

  #entry(key: ObjectKey): LiveEntry {
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const entry: LiveEntry = {
      record: undefined,
      claims: undefined,
      health: undefined,
      waitsSinceMs: undefined,
      resourceVersion: '',
      present: false,
      terminating: false,
      uid: '',
      unsure: false,
      outran: false,
      autoscaled: undefined,
      held: undefined,
    };
    this.#entries.set(key, entry);
    return entry;
  }

  #see(key: ObjectKey, entry: LiveEntry, object: Json, resource: Resource): void {
    const appeared = !entry.present;
    entry.present = true;
    entry.uid = stringAt(object, 'metadata', 'uid') ?? '';
    entry.terminating = isTerminating(object);
    if (resource.secret) entry.waitsSinceMs = undefined;
    const told = !resource.secret && this.#setHealth(key, entry, this.#options.judgeHealth(key, object));
    // What comes back as it was is news to whoever waited for it.
    if (appeared && !told) this.#options.onChange(key);
  }

  /** Whether that was a change, and was told. */
  #setHealth(key: ObjectKey, entry: LiveEntry, health: Health): boolean {
    const before = entry.health;
    entry.health = health;
    if (health.status === 'Current') entry.waitsSinceMs = undefined;
    else entry.waitsSinceMs ??= this.#options.elapsedMs();
    if (before?.status === health.status && before.reason === health.reason) return false;
    this.#options.onChange(key);
    return true;
  }

  /** The first event of an object since the start, judged against its inventory row (spec/drift.md 3.8 C). */
  #firstSight(key: ObjectKey, entry: LiveEntry, row: InventoryRow, object: Json, mode: WatchMode): void {
    entry.resourceVersion = versionOf(object);
    const record = recordFromAnswer(object, mode, this.#options.macKey, row);
    const isLeftAlone = this.#options.policyOf(key).ownership.kind === 'ignore' && record.uid === row.uid;
    if (isLeftAlone || isAsWeLeftIt(record, row, object, this.#options.setId)) {
      this.#keep(key, entry, record);
      return;
    }
    entry.unsure = true;
    entry.outran = isAppliedSince(record, row);
    const claims = claimsOf(managedEntries(object), this.#options.policyOf(key));
    if (record.uid === row.uid) entry.claims = packSet(union(unpackSet(row.yielded), claims));
    this.#options.onFinding(key, {
      kind: 'judged',
      verdict: { kind: 'suspect', why: 'own-time-moved', yielded: [] },
      object,
    });
  }

  /** What others had added before our first look stays: drift is judged from the baseline on (product page, adoption). */
  #accepting(key: ObjectKey, object: Json, record: LiveRecord): LiveRecord {
    const context = this.#context(key, false, undefined);
    // Also what the policy suffers now: a stricter one later is no reason to remove it.
    const roots = exactRoots(objectIdOf(key));
    const policy: DriftPolicy = { ...context.policy, ownership: { kind: 'exact', roots } };
    const present = judgeAnswer(object, record, { ...context, policy });
    return present === undefined
      ? record
      : withAccepted(
          record,
          present.additions.map(({ path }) => path),
        );
  }

  #context(key: ObjectKey, unordered: boolean, autoscaled: boolean | undefined): JudgeContext {
    const { macKey, setId } = this.#options;
    return { macKey, policy: this.#options.policyOf(key), setId, applyInFlight: false, unordered, autoscaled };
  }

  #judge(key: ObjectKey, entry: LiveEntry, object: Json, record: LiveRecord, unordered: boolean): void {
    entry.resourceVersion = versionOf(object);
    const context = this.#context(key, unordered, entry.autoscaled);
    const verdict = judgeEvent(object, record, context);
    if (context.policy.ownership.kind === 'ignore' && isChange(verdict)) {
      this.#keep(key, entry, recordFromAnswer(object, record.mode, context.macKey, record));
      return;
    }
    switch (verdict.kind) {
      case 'drop':
      case 'hold':
      case 'terminating':
        return;
      case 'yield':
        this.#keep(key, entry, verdict.record);
        this.#options.onYield(key, verdict.yielded);
        return;
      case 'in-sync':
        this.#keep(key, entry, verdict.record);
        return;
      case 'ask-autoscaler':
      case 'conflict':
      case 'drifted':
      case 'lost-object':
      case 'suspect':
        this.#options.onFinding(key, { kind: 'judged', verdict, object });
    }
  }

  #lost(key: ObjectKey, entry: LiveEntry, object: Json | undefined): void {
    entry.present = false;
    entry.waitsSinceMs ??= this.#options.elapsedMs();
    const { terminating, record } = entry;
    entry.terminating = false;
    this.#options.onChange(key);
    const action = record === undefined ? 'probe' : judgeDeleted(record, object ?? null, terminating);
    if (action === 'none') return;
    this.#options.onFinding(key, { kind: 'deleted', action, object });
  }
}

export function modeOf(resource: Resource): WatchMode {
  return resource.secret ? 'meta' : 'full';
}

export function keyOf(resource: Resource, namespace: string, object: Json): ObjectKey {
  return objectKey(objectIdIn(resource, namespace, stringAt(object, 'metadata', 'name') ?? ''));
}
