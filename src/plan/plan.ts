import { SottoError } from '../core/errors.ts';
import { displayObject, type ObjectId, type ObjectKey, objectIdOf, objectKey } from '../core/ids.ts';
import type { Refusal } from '../core/refusal.ts';
import { shellWord } from '../core/shell-word.ts';
import type { DesiredObject, DesiredSet } from '../render/desired.ts';
import { type Approval, covers, type Held, holdReason, planHeld, planIdOf } from './hold.ts';
import type { Inventory, InventoryRow } from './inventory.ts';
import { layerOf } from './order.ts';
import { pruneStages } from './rank.ts';

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
  /** Undefined for what is not committed yet. */
  readonly revision: string | undefined;
  readonly desired: DesiredSet;
  /** Refusals of the stages before: they protect what they name. */
  readonly refusals: readonly Refusal[];
  readonly inventory: Inventory;
  /** The record of what we applied cannot be trusted: nothing is pruned. */
  readonly inventoryLost: boolean;
  readonly prune: PruneRule;
  /** The sync that pruning has to wait for; the pass is repeated then. */
  readonly pruneWaits: string | undefined;
  /** The sync has left the settings, which say that its objects go then: that it wants nothing is no slip. */
  readonly isLeaving?: true;
  /** Somebody's yes to a plan of this sync. */
  readonly approval: Approval | undefined;
  live(key: ObjectKey): LiveView;
  /** Left alone, because people asked for it. */
  isPaused(key: ObjectKey): boolean;
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
  /** A SealedSecret whose Secret sotto applies now: what depends on it stays. */
  readonly orphan?: true;
}

export type Step = ApplyStep | PruneStep;

/** A plan that is held whole, with what it would do. */
export interface HeldPlan extends Held {
  readonly steps: readonly Step[];
}

export interface Plan {
  readonly steps: readonly Step[];
  readonly refusals: readonly Refusal[];
  /** The whole plan waits: nothing of it is done. */
  readonly held?: HeldPlan | undefined;
  /** Prunes that always need a yes (volumes, kinds in `prune.ask`); the rest of the plan is done without them. */
  readonly asked?: Held | undefined;
  /** Rows that left Git and stay for now, each with the reason. */
  readonly waiting: readonly { readonly row: InventoryRow; readonly error: SottoError }[];
  /** Rows that are no longer ours to keep: the object stays, the row goes. */
  readonly released: readonly ObjectKey[];
  /** Rows that go over to another sync, which applies them with its next pass. */
  readonly movedTo: ReadonlyMap<ObjectKey, string>;
  /** What left Git for certain, pruned or not: people may delete it, and it does not come back. */
  readonly left: readonly ObjectKey[];
  readonly unchanged: number;
  /** Objects that would be looked at and are left alone. */
  readonly paused: number;
  /** Prunes that wait for another sync: the pass is to be repeated. */
  readonly postponed: number;
  /** The sync that postponed prunes wait for. */
  readonly waitsFor: string | undefined;
}

/** Decides; does nothing. Same input, same plan. */
export function plan(input: PlanInput): Plan {
  const refusals: Refusal[] = [];
  const applies: ApplyStep[] = [];
  let unchanged = 0;
  let paused = 0;
  for (const object of input.desired.objects) {
    const other = input.claimedBy(object.key);
    if (other !== undefined) {
      refusals.push(claimed(object, other));
      continue;
    }
    if (input.isPaused(object.key)) {
      paused += 1;
      continue;
    }
    const step = applyStep(object, input);
    if (step === undefined) unchanged += 1;
    else applies.push(step);
  }
  const { prunes: due, approved, waiting, released, movedTo, left, asked } = planPrune(input);
  const prunes = input.pruneWaits === undefined ? [...due, ...approved] : [];
  const postponed = due.length + approved.length - prunes.length;
  const waitsFor = postponed > 0 ? input.pruneWaits : undefined;
  const common = { refusals, waiting, unchanged, paused, postponed, waitsFor, asked };
  // Prunes that wait for a sibling count too: creates of a plan that must be held whole are not done meanwhile.
  const overLimit = holdReason(countsOf(due.filter(({ orphan }) => orphan !== true).length, input), input.prune);
  const why = input.isLeaving === true ? undefined : overLimit;
  const isCovered = covers(input.approval, input.revision, keysOf(due));
  if (why === undefined || isCovered) return { ...common, steps: inOrder(applies, prunes), released, movedTo, left };
  const held = heldPlan(inOrder(applies, due), why, input);
  return { ...common, steps: [], released: [], movedTo: new Map(), left: [], held };
}

function countsOf(prunes: number, { inventory, sync, desired }: PlanInput) {
  const applied = [...inventory.rows.values()].filter((row) => row.sync === sync).length;
  return { prunes, applied, desired: desired.objects.length };
}

function keysOf(prunes: readonly PruneStep[]): ObjectKey[] {
  return prunes.map(({ row }) => row.key);
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
  return [...applies.toSorted(byLayer), ...pruneStages(prunes).flat()];
}

function byLayer(a: ApplyStep, b: ApplyStep): number {
  return layerOf(a.object.id) - layerOf(b.object.id);
}

type Gone = Pick<Plan, 'waiting' | 'released' | 'movedTo' | 'left' | 'asked'> & {
  readonly prunes: readonly PruneStep[];
  /** Prunes that always need a yes and have it. */
  readonly approved: readonly PruneStep[];
};

function planPrune(input: PlanInput): Gone {
  const wanted = new Set<ObjectKey>(input.desired.objects.map((object) => object.key));
  const skipped = new Set(input.desired.skipped.map(({ id }) => objectKey(id)));
  const gone = [...input.inventory.rows.values()].filter((row) => row.sync === input.sync && !wanted.has(row.key));
  const prunes: PruneStep[] = [];
  const asks: PruneStep[] = [];
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
    const why = whyNotPruned(row, id, input);
    // Its refusal is the report, and it stays ours: drift of it is corrected as before.
    if (why === 'refused') continue;
    if (why === undefined || why === 'kept' || why === 'asks') left.push(row.key);
    if (skipped.has(row.key) || row.keep) released.push(row.key);
    else if (why === undefined)
      prunes.push({ action: 'prune', id, row, ...(isSuperseded(id, wanted) ? { orphan: true } : {}) });
    else if (why === 'asks') asks.push({ action: 'prune', id, row });
    else if (why !== 'kept') waiting.push({ row, error: why });
  }
  const isYes = ({ row }: PruneStep): boolean => covers(input.approval, input.revision, [row.key]);
  const asked = askedPlan(
    asks.filter((step) => !isYes(step)),
    input,
  );
  waiting.push(...(asked?.waiting ?? []));
  return { prunes, approved: asks.filter(isYes), waiting, released, movedTo, left, asked: asked?.plan };
}

/** The same thing in its other form: the resource goes, the Secret stays. */
function isSuperseded({ group, kind, namespace, name }: ObjectId, wanted: ReadonlySet<ObjectKey>): boolean {
  if (group !== 'bitnami.com' || kind !== 'SealedSecret') return false;
  return wanted.has(objectKey({ group: '', kind: 'Secret', namespace, name }));
}

/** Kinds that hold data: one plan of their own, which is done when somebody says yes to it. */
function askedPlan(
  steps: readonly PruneStep[],
  { revision }: PlanInput,
): { readonly plan: Held; readonly waiting: Plan['waiting'] } | undefined {
  const [first] = steps;
  if (first === undefined) return undefined;
  const pruned = keysOf(steps);
  const planId = planIdOf(revision, pruned.map(pruneLine));
  const waiting = steps.map(({ row, id }) => ({ row, error: holdsData(id, planId) }));
  const error = holdsData(first.id, planId);
  return { plan: { planId, error, creates: 0, prunes: steps.length, pruned }, waiting };
}

function pruneLine(key: ObjectKey): string {
  return `prune ${key}`;
}

/**
 * `refused`: no report, because its own refusal is one already. `kept`: nothing of this sync is ever pruned.
 * `asks`: only when somebody says yes.
 */
function whyNotPruned(
  row: InventoryRow,
  id: ObjectId,
  input: PlanInput,
): SottoError | 'refused' | 'kept' | 'asks' | undefined {
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
  if (input.isPaused(row.key)) return pausedPrune(object);
  if (id.kind === 'PersistentVolumeClaim' || asksFirst(id, input.prune)) return 'asks';
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

function heldPlan(steps: readonly Step[], why: string, { revision }: PlanInput): HeldPlan {
  const lines = steps.map((step) => (step.action === 'prune' ? pruneLine(step.row.key) : `apply ${step.object.key}`));
  const planId = planIdOf(revision, lines);
  const prunes = steps.filter((step) => step.action === 'prune');
  const creates = steps.filter((step) => step.action === 'apply' && step.reason === 'new').length;
  return { planId, creates, prunes: prunes.length, pruned: keysOf(prunes), steps, error: planHeld(planId, why) };
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
    next: `kubectl delete ${shellWord(object.replace(/^[^/]*\/(?=[^/]*\/)/, ''))}   (if it is to go)`,
    object,
  });
}

function pausedPrune(object: string): SottoError {
  return new SottoError({
    code: 'SOTTO-PLAN-043',
    what: 'the object left Git and is not pruned yet',
    why: 'it is paused',
    next: `sotto resume ${shellWord(object)}   (it is pruned then, or when the pause ends)`,
    object,
  });
}

function holdsData(id: ObjectId, planId: string): SottoError {
  return new SottoError({
    code: 'SOTTO-PLAN-008',
    what: 'the object left Git and is kept',
    why: `a ${id.kind} is removed only when somebody asks`,
    next: `sotto approve ${planId}   (deletes it, with what it holds)`,
    object: displayObject(id),
  });
}
