import type { Json } from '../core/json.ts';
import { memberAt } from '../core/json.ts';
import { takerOf } from './additions.ts';
import type { ManagedEntry } from './entries.ts';
import { entryFields, isOwnEntry, ownEntry } from './entries.ts';
import type { FieldPath, PathSet } from './fields.ts';
import { difference, EMPTY_SET, isMember, nodeAt, pathsOf, setOf, union } from './fields.ts';
import type { DriftPolicy } from './policy.ts';
import { isAutoscaler, isIgnoredPath, isInjected } from './policy.ts';

/** A path of ours that somebody else has now. */
export interface Loss {
  readonly path: FieldPath;
  /** Undefined when nobody owns it: removed, or scaled to zero (spec/drift.md 1.8). */
  readonly taker: ManagedEntry | undefined;
}

export type YieldReason = 'autoscaler' | 'injector' | 'yielded-before' | 'ignored-path' | 'ignored-manager';

export interface Yielded extends Loss {
  readonly reason: YieldReason;
}

export interface Losses {
  /** Drift. */
  readonly lost: readonly Loss[];
  /** Left to the taker, and out of later apply bodies. */
  readonly yielded: readonly Yielded[];
  /** Empty leaves of ours that somebody filled: nothing to do, and nothing to leave out. */
  readonly filled: readonly FieldPath[];
  /** `spec.replicas` went to nobody and is 0: drift, unless an autoscaler targets the object. Not known yet. */
  readonly mayBeAutoscaler: boolean;
}

export interface LossCase {
  readonly live: Json;
  readonly entries: readonly ManagedEntry[];
  readonly yieldedBefore: PathSet;
  readonly ownershipOnly: PathSet;
  readonly mode: 'full' | 'meta';
  readonly policy: DriftPolicy;
  /** Whether an HPA or ScaledObject targets the object; undefined when nobody has asked yet. */
  readonly autoscaled: boolean | undefined;
}

export const REPLICAS: FieldPath = ['f:spec', 'f:replicas'];

/** Sorts lost paths into drift, yields and filled empties (spec/drift.md 3.4, step 6). */
export function judgeLosses(paths: readonly FieldPath[], given: LossCase): Losses {
  const lost: Loss[] = [];
  const yielded: Yielded[] = [];
  const filled: FieldPath[] = [];
  let mayBeAutoscaler = false;
  for (const path of paths) {
    const loss = { path, taker: takerOf(path, given.entries) };
    const reason = yieldReason(loss, given);
    if (reason === 'ask') mayBeAutoscaler = true;
    else if (reason !== undefined) yielded.push({ ...loss, reason });
    else if (isFilled(path, given)) filled.push(path);
    else lost.push(loss);
  }
  return { lost, yielded, filled, mayBeAutoscaler };
}

function yieldReason({ path, taker }: Loss, given: LossCase): YieldReason | 'ask' | undefined {
  if (isMember(given.yieldedBefore, path)) return 'yielded-before';
  if (isIgnoredPath(path, given.policy)) return 'ignored-path';
  if (taker !== undefined && given.policy.ignoreManagers.includes(taker.manager)) return 'ignored-manager';
  if (taker !== undefined && isInjected(path, taker)) return 'injector';
  if (path.join() !== REPLICAS.join()) return undefined;
  if (taker !== undefined) return isAutoscaler(taker) ? 'autoscaler' : undefined;
  const zero = given.mode === 'meta' || memberAt(given.live, 'spec', 'replicas') === 0;
  if (!zero || given.autoscaled === false) return undefined;
  return given.autoscaled === true ? 'autoscaler' : 'ask';
}

/**
 * An empty leaf of ours whose taker has fields below it was filled, not changed (P1); taken as a leaf it was changed.
 * Metadata does not show whether data was empty; a taker with fields below says the same.
 */
function isFilled(path: FieldPath, given: LossCase): boolean {
  const wasEmpty = isMember(given.ownershipOnly, path) || (given.mode === 'meta' && path[0] !== 'f:metadata');
  if (!wasEmpty) return false;
  const takers = given.entries.map((entry) => nodeAt(entryFields(entry), path)).filter((node) => node !== undefined);
  return takers.length > 0 && takers.every((node) => node.children.size > 0);
}

/**
 * What others own of an object that we meet without a baseline (a restart) and may keep: a forced apply of everything
 * would take it from them. Paths that Git does not declare do no harm here: they are in no body.
 */
export function claimsOf(entries: readonly ManagedEntry[], policy: DriftPolicy): PathSet {
  const own = entryFields(ownEntry(entries));
  let claims = EMPTY_SET;
  for (const entry of entries) {
    if (isOwnEntry(entry)) continue;
    const paths = pathsOf(difference(entryFields(entry), own)).filter((path) => isClaim(path, entry, policy));
    if (paths.length > 0) claims = union(claims, setOf(paths));
  }
  return claims;
}

function isClaim(path: FieldPath, entry: ManagedEntry, policy: DriftPolicy): boolean {
  if (policy.ignoreManagers.includes(entry.manager) || isIgnoredPath(path, policy)) return true;
  return isInjected(path, entry) || (path.join() === REPLICAS.join() && isAutoscaler(entry));
}
