import type { SottoError } from '../../core/errors.ts';
import { displayObject, type ObjectKey, objectIdOf, objectKey, type SourceDigest } from '../../core/ids.ts';
import type { Refusal } from '../../core/refusal.ts';
import { EMPTY_INVENTORY, type Inventory, type InventoryRow } from '../../plan/inventory.ts';
import { type ApplyStep, type LiveView, type Plan, plan, pruneWaits, type PruneStep } from '../../plan/plan.ts';
import type { DesiredSet } from '../../render/desired.ts';
import type { SyncSettings } from '../../settings/settings.ts';
import type { Previewed } from './previewed.ts';

/** What one sync wants, as the checkout says. */
export interface SyncWish {
  readonly sync: SyncSettings;
  readonly desired: DesiredSet;
  /** Of the stages before. */
  readonly refusals: readonly Refusal[];
  /** Documents whose values no key at hand opens. */
  readonly unopened: ReadonlyMap<SourceDigest, SottoError>;
}

export interface SyncPlan extends SyncWish {
  readonly decided: Plan;
  readonly applies: readonly ApplyStep[];
  readonly prunes: readonly PruneStep[];
  /** As the pass would have refreshed them. */
  readonly rows: Inventory['rows'];
}

export interface PlanGiven {
  readonly rows: Inventory['rows'];
  readonly rowsLost: boolean;
  live(key: ObjectKey): LiveView;
}

/** The agent's own decision for each sync, over what it has recorded. */
export function planSyncs(wishes: readonly SyncWish[], given: PlanGiven): SyncPlan[] {
  const wanted = new Map(wishes.map((wish) => [wish.sync.name, wantedKeys(wish)]));
  const claims = claimsOf(wishes, given.rows);
  const claimedBy = (sync: string, key: ObjectKey): string | undefined => {
    const owner = claims.get(key);
    return owner === sync ? undefined : owner;
  };
  const rows = new Map(given.rows);
  for (const { sync, desired } of wishes) {
    for (const { key, file, line } of desired.objects) {
      const row = rows.get(key);
      if (row !== undefined && claims.get(key) === sync.name) rows.set(key, { ...row, sync: sync.name, file, line });
    }
  }
  return wishes.map((wish) => {
    const { sync, desired, refusals } = wish;
    const decided = plan({
      sync: sync.name,
      revision: undefined,
      approval: undefined,
      isPaused: () => false,
      desired,
      refusals,
      inventory: { ...EMPTY_INVENTORY, rows },
      inventoryLost: given.rowsLost,
      prune: { ...sync.prune, maxShare: sync.prune.maxSharePercent / 100 },
      pruneWaits: undefined,
      live: (key) => given.live(key),
      claimedBy: (key) => claimedBy(sync.name, key),
      wantedBy: (key) => [...wanted].find(([name, { all }]) => name !== sync.name && all.has(key))?.[0],
    });
    const steps = decided.held?.steps ?? decided.steps;
    return {
      ...wish,
      rows,
      decided,
      applies: steps.filter((step) => step.action === 'apply'),
      prunes: steps.filter((step) => step.action === 'prune'),
    };
  });
}

/** One object follows one sync: the one that has it, or the first that wants it. */
function claimsOf(wishes: readonly SyncWish[], rows: Inventory['rows']): ReadonlyMap<ObjectKey, string> {
  const claims = new Map<ObjectKey, string>();
  for (const { sync, desired } of wishes) {
    for (const { key } of desired.objects) {
      if (!claims.has(key) || rows.get(key)?.sync === sync.name) claims.set(key, sync.name);
    }
  }
  return claims;
}

function wantedKeys({ desired, refusals }: SyncWish) {
  const applied = new Set<ObjectKey>(desired.objects.map(({ key }) => key));
  const refused = [...refusals, ...desired.refusals].flatMap(({ id }) => (id === undefined ? [] : [objectKey(id)]));
  return { applied, all: new Set<ObjectKey>([...applied, ...refused]) };
}

/** What left Git and is still there: pruned, kept with the reason, or held with all else of its sync. */
export function goneObjects(
  planned: SyncPlan,
  /** Refused while it was tried: nothing is pruned before that is mended. */
  firstRefusal: Refusal | undefined,
  isThere: (row: InventoryRow) => boolean,
): Previewed[] {
  const { decided, prunes } = planned;
  const sync = planned.sync.name;
  const due = prunes.filter(({ row }) => isThere(row));
  const found: Previewed[] = [];
  if (decided.held !== undefined) {
    const { creates, error } = decided.held;
    found.push({ kind: 'held', sync, creates, prunes: decided.held.prunes, error });
  }
  for (const { row } of due) {
    const object = objectOf(row);
    if (firstRefusal === undefined) found.push({ kind: 'prune', object, sync });
    else found.push(keptFor(pruneWaits(row, firstRefusal), object, sync));
  }
  for (const { row, error } of decided.waiting) if (isThere(row)) found.push(keptFor(error, objectOf(row), sync));
  return [...found, ...quietlyKept(planned, isThere)];
}

function keptFor(error: SottoError, object: string, sync: string): Previewed {
  return { kind: 'kept', object, sync, why: error.why, error };
}

/** Rows that no step and no report of the plan speaks of. */
function quietlyKept(
  { decided, prunes, desired, refusals, sync, rows }: SyncPlan,
  isThere: (row: InventoryRow) => boolean,
): Previewed[] {
  const told = new Set<ObjectKey>([
    ...desired.objects.map(({ key }) => key),
    ...prunes.map(({ row }) => row.key),
    ...decided.waiting.map(({ row }) => row.key),
    ...decided.movedTo.keys(),
  ]);
  const skipped = new Map(desired.skipped.map(({ id, why }) => [objectKey(id), why]));
  const refused = [...refusals, ...desired.refusals];
  const isOwnRefusal = (key: ObjectKey): boolean => refused.some(({ id }) => id !== undefined && objectKey(id) === key);
  return [...rows.values()]
    .filter((row) => row.sync === sync.name && !told.has(row.key) && !isOwnRefusal(row.key) && isThere(row))
    .map((row) => {
      const file = refused.find((refusal) => refusal.id === undefined && refusal.file === row.file)?.file;
      const why =
        file === undefined
          ? (skipped.get(row.key) ?? (row.keep ? KEEP : PRUNE_OFF))
          : `${file} is refused, so it is not certain what it holds`;
      return { kind: 'kept', object: objectOf(row), sync: sync.name, why };
    });
}

const KEEP = 'an annotation of its manifest asks that it stays';
const PRUNE_OFF = 'prune is off for this sync';

function objectOf({ key }: InventoryRow): string {
  return displayObject(objectIdOf(key));
}
