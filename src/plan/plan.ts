import { createHash } from 'node:crypto';
import { SottoError } from '../core/errors.ts';
import { displayObject, type ObjectId, type ObjectKey, objectIdOf, objectKey } from '../core/ids.ts';
import type { Refusal } from '../core/refusal.ts';
import type { DesiredObject, DesiredSet } from '../render/desired.ts';
import type { Inventory, InventoryRow } from './inventory.ts';
import { layerOf } from './order.ts';

/** What the watches say of an object of ours. `unsure`: it changed while nobody looked and must be applied to know. */
export type LiveView = 'absent' | 'in-sync' | 'unsure';

export interface PruneRule {
  readonly enabled: boolean;
  /** 0 to 1. */
  readonly maxShare: number;
  readonly minimum: number;
  /** Kinds that are pruned only when somebody asks, besides PersistentVolumeClaim. */
  readonly ask: readonly { readonly group: string | undefined; readonly kind: string }[];
}

export interface PlanInput {
  readonly sync: string;
  readonly revision: string;
  readonly desired: DesiredSet;
  /** Refusals of the stages before: they protect what they name. */
  readonly refusals: readonly Refusal[];
  readonly inventory: Inventory;
  /** The record of what we applied cannot be trusted: nothing is pruned. */
  readonly inventoryLost: boolean;
  readonly prune: PruneRule;
  /** Why pruning has to wait for somebody else first; the pass is repeated then. */
  readonly pruneWaits: string | undefined;
  live(key: ObjectKey): LiveView;
  /** Another sync that wants the object now; one object belongs to one sync. */
  claimedBy(key: ObjectKey): string | undefined;
  /** Another sync in whose path the object was seen last, applied or refused there: it is handed over, not pruned. */
  wantedBy(key: ObjectKey): string | undefined;
}

export type ApplyReason = 'new' | 'changed' | 'missing' | 'unsure';

export interface ApplyStep {
  readonly action: 'apply';
  readonly object: DesiredObject;
  readonly reason: ApplyReason;
  /** `first`: not in the inventory, so what exists is not touched unasked. */
  readonly contact: 'first' | 'owned';
}

export interface PruneStep {
  readonly action: 'prune';
  readonly id: ObjectId;
  readonly row: InventoryRow;
}

export type Step = ApplyStep | PruneStep;

/** A plan that waits for a person: nothing of it is done. */
export interface Held {
  /** Digest of revision and steps: a yes never covers another plan. */
  readonly planId: string;
  readonly error: SottoError;
  readonly creates: number;
  readonly prunes: number;
  /** What would be done. */
  readonly steps: readonly Step[];
}

export interface Plan {
  readonly steps: readonly Step[];
  readonly refusals: readonly Refusal[];
  readonly held?: Held | undefined;
  /** Rows that left Git and stay for now, each with the reason. */
  readonly waiting: readonly { readonly row: InventoryRow; readonly error: SottoError }[];
  /** Rows that are no longer ours to keep: the object stays, the row goes. */
  readonly released: readonly ObjectKey[];
  /** Rows that go over to another sync, which applies them with its next pass. */
  readonly movedTo: ReadonlyMap<ObjectKey, string>;
  /** What left Git for certain, pruned or not: people may delete it, and it does not come back. */
  readonly left: readonly ObjectKey[];
  readonly unchanged: number;
  /** Prunes that wait for another sync: the pass is to be repeated. */
  readonly postponed: number;
}

/** Decides; does nothing. Same input, same plan. */
export function plan(input: PlanInput): Plan {
  const refusals: Refusal[] = [];
  const applies: ApplyStep[] = [];
  let unchanged = 0;
  for (const object of input.desired.objects) {
    const other = input.claimedBy(object.key);
    if (other !== undefined) {
      refusals.push(claimed(object, other));
      continue;
    }
    const step = applyStep(object, input);
    if (step === undefined) unchanged += 1;
    else applies.push(step);
  }
  const { prunes: due, waiting, released, movedTo, left } = planPrune(input);
  const prunes = input.pruneWaits === undefined ? due : [];
  const common = { refusals, waiting, unchanged, postponed: due.length - prunes.length };
  // Prunes that wait for a sibling count too: creates of a plan that must be held whole are not done meanwhile.
  const why = holdReason(due.length, input);
  if (why === undefined) return { ...common, steps: inOrder(applies, prunes), released, movedTo, left };
  const held = heldPlan(inOrder(applies, due), why, input);
  return { ...common, steps: [], released: [], movedTo: new Map(), left: [], held };
}

function applyStep(object: DesiredObject, input: PlanInput): ApplyStep | undefined {
  const row = input.inventory.rows.get(object.key);
  if (row === undefined || row.uid === '') return { action: 'apply', object, reason: 'new', contact: 'first' };
  if (row.digest !== object.digest) return { action: 'apply', object, reason: 'changed', contact: 'owned' };
  const live = input.live(object.key);
  if (live === 'in-sync' || (live === 'absent' && row.done)) return undefined;
  return { action: 'apply', object, reason: live === 'absent' ? 'missing' : 'unsure', contact: 'owned' };
}

function inOrder(applies: readonly ApplyStep[], prunes: readonly PruneStep[]): Step[] {
  return [...applies.toSorted(byLayer), ...prunes.toSorted((a, b) => layerOf(b.id) - layerOf(a.id))];
}

function byLayer(a: ApplyStep, b: ApplyStep): number {
  return layerOf(a.object.id) - layerOf(b.object.id);
}

type Gone = Pick<Plan, 'waiting' | 'released' | 'movedTo' | 'left'> & { prunes: PruneStep[] };

function planPrune(input: PlanInput): Gone {
  const wanted = new Set<ObjectKey>(input.desired.objects.map((object) => object.key));
  const skipped = new Set(input.desired.skipped.map(({ id }) => objectKey(id)));
  const gone = [...input.inventory.rows.values()].filter((row) => row.sync === input.sync && !wanted.has(row.key));
  const prunes: PruneStep[] = [];
  const waiting: { row: InventoryRow; error: SottoError }[] = [];
  const released: ObjectKey[] = [];
  const movedTo = new Map<ObjectKey, string>();
  const left: ObjectKey[] = [];
  for (const row of gone) {
    const id = objectIdOf(row.key);
    const sibling = input.wantedBy(row.key);
    if (sibling !== undefined) {
      movedTo.set(row.key, sibling);
      continue;
    }
    const error = whyNotPruned(row, id, input);
    // Its refusal is the report, and it stays ours: drift of it is corrected as before.
    if (error === 'refused') continue;
    if (error === undefined || error === 'kept' || error.code === 'SOTTO-PLAN-008') left.push(row.key);
    if (skipped.has(row.key) || row.keep) released.push(row.key);
    else if (error === undefined) prunes.push({ action: 'prune', id, row });
    else if (error !== 'kept') waiting.push({ row, error });
  }
  return { prunes, waiting, released, movedTo, left };
}

/** `refused`: no report, because its own refusal is one already. `kept`: nothing of this sync is ever pruned. */
function whyNotPruned(row: InventoryRow, id: ObjectId, input: PlanInput): SottoError | 'refused' | 'kept' | undefined {
  const object = displayObject(id);
  const refused = [...input.refusals, ...input.desired.refusals];
  if (refused.some((refusal) => refusal.id !== undefined && sameObject(refusal.id, id))) return 'refused';
  if (refused.some((refusal) => refusal.id === undefined && refusal.file === row.file)) return 'refused';
  if (!input.prune.enabled) return 'kept';
  if (input.inventoryLost) return inventoryLost(object);
  // A slip in apiVersion, kind or namespace gives another id: what is refused under the same name may be this object.
  const namesake = refused.find((refusal) => refusal.id?.name === id.name);
  const first = namesake ?? refused.find(leavesDoubt);
  if (first !== undefined) return pruneWaits(row, first);
  if (id.kind === 'PersistentVolumeClaim' || asksFirst(id, input.prune)) return holdsData(object, id);
  return undefined;
}

/**
 * What could not be read or opened may have held the object under another name or file. An object that was read and is
 * refused by rule (cluster-scoped, another namespace) says nothing about the others.
 */
function leavesDoubt({ id, error }: Refusal): boolean {
  return id === undefined || !/^SOTTO-(?:PLAN|RENDER)-/.test(error.code);
}

function asksFirst(id: ObjectId, rule: PruneRule): boolean {
  return rule.ask.some(({ group, kind }) => kind === id.kind && (group === undefined || group === id.group));
}

function sameObject(a: ObjectId, b: ObjectId): boolean {
  return a.kind === b.kind && a.group === b.group && a.name === b.name && a.namespace === b.namespace;
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}

/** The share rule, or undefined when the plan may run (interface page: `prune`). */
function holdReason(prunes: number, input: PlanInput): string | undefined {
  if (prunes === 0) return undefined;
  const applied = [...input.inventory.rows.values()].filter((row) => row.sync === input.sync).length;
  if (input.desired.objects.length === 0) return `it would remove all ${prunes} objects of this sync`;
  const share = prunes / applied;
  if (prunes < input.prune.minimum || share <= input.prune.maxShare) return undefined;
  return `it would remove ${prunes} of ${applied} objects (${percent(share)}), more than prune.maxShare (${percent(input.prune.maxShare)})`;
}

function heldPlan(steps: readonly Step[], why: string, input: PlanInput): Held {
  const lines = steps.map((step) => (step.action === 'prune' ? `prune ${step.row.key}` : `apply ${step.object.key}`));
  const digest = createHash('sha256')
    .update([input.revision, ...lines.toSorted()].join('\n'))
    .digest('hex');
  const prunes = steps.filter((step) => step.action === 'prune').length;
  return {
    planId: digest.slice(0, 16),
    creates: steps.filter((step) => step.action === 'apply' && step.reason === 'new').length,
    prunes,
    steps,
    error: new SottoError({
      code: 'SOTTO-PLAN-005',
      what: 'the plan is held: nothing of this commit is applied',
      why,
      next: 'if that is a mistake, correct the commit; if it is meant, raise prune.maxShare and prune.minimum of this sync for this commit',
    }),
  };
}

function claimed(object: DesiredObject, other: string): Refusal {
  const error = new SottoError({
    code: 'SOTTO-RENDER-007',
    what: 'the object is in two syncs',
    why: `sync ${other} applies it already, and one object can follow one place in Git only`,
    next: 'remove it from one of the two paths',
    file: object.file,
    line: object.line,
    object: displayObject(object.id),
  });
  return { error, file: object.file, id: object.id };
}

/** Pruning waits while anything of the same commit is refused: it is not certain what Git holds. */
export function pruneWaits(row: InventoryRow, first: Refusal): SottoError {
  return new SottoError({
    code: 'SOTTO-PLAN-007',
    what: 'the object left Git and is not pruned yet',
    why: `${first.error.place.file ?? first.file} is refused, so it is not certain what Git holds`,
    next: `mend ${first.error.place.file ?? first.file} first; the object is pruned after that`,
    object: displayObject(objectIdOf(row.key)),
  });
}

function inventoryLost(object: string): SottoError {
  return new SottoError({
    code: 'SOTTO-PLAN-009',
    what: 'the object left Git and is not pruned',
    why: 'the inventory was lost or changed, so it is not certain that sotto applied the object',
    next: `kubectl delete ${object.replace(/^[^/]*\/(?=[^/]*\/)/, '')}   (if it is to go)`,
    object,
  });
}

function holdsData(object: string, id: ObjectId): SottoError {
  return new SottoError({
    code: 'SOTTO-PLAN-008',
    what: 'the object left Git and is kept',
    why: `a ${id.kind} is removed only when somebody asks`,
    next: `kubectl delete ${id.kind.toLowerCase()} ${id.name} -n ${id.namespace}`,
    object,
  });
}
