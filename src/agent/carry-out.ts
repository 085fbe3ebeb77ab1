import { applyFirst, type ApplyOutcome, applyOwned } from '../apply/apply.ts';
import { prune } from '../apply/prune.ts';
import { withoutFields } from '../apply/without-fields.ts';
import { asSottoError } from '../core/errors.ts';
import { displayObject } from '../core/ids.ts';
import type { Refusal } from '../core/refusal.ts';
import { pathsOf } from '../drift/fields.ts';
import { yieldedSet } from '../drift/record.ts';
import type { Resource } from '../kube/resource.ts';
import type { Opener } from '../open/opener.ts';
import { LAYER_COUNT, layerOf } from '../plan/order.ts';
import type { ApplyStep, Plan, PruneStep } from '../plan/plan.ts';
import type { DesiredObject } from '../render/desired.ts';
import { recordApplied } from './applied.ts';
import type { AgentContext } from './context.ts';
import type { SyncRuntime } from './sync-runtime.ts';

export interface Carried {
  readonly refusals: readonly Refusal[];
  readonly applied: number;
  readonly pruned: number;
  /** Something failed that trying again may mend. */
  readonly retry: boolean;
}

type StepEnd =
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly again: boolean };

const DONE: StepEnd = { kind: 'done' };

/** Does what was planned: layer by layer, objects of a layer in parallel, pruning last. One failure is one failure. */
export async function carryOut(
  agent: AgentContext,
  sync: SyncRuntime,
  decided: Plan,
  opener: Opener,
): Promise<Carried> {
  const applies = decided.steps.filter((step) => step.action === 'apply');
  const prunes = decided.steps.filter((step) => step.action === 'prune');
  const ends: StepEnd[] = [];
  for (let layer = 0; layer < LAYER_COUNT; layer += 1) {
    const steps = applies.filter((step) => layerOf(step.object.id) === layer);
    ends.push(...(await Promise.all(steps.map((step) => applyOne(agent, sync, step, opener)))));
  }
  const isWhole = ends.every((end) => end.kind === 'done');
  // A rename is a create and a prune: the old object goes only when the new one is there.
  const pruned = isWhole ? await pruneAll(agent, prunes) : prunes.map(() => ({ kind: 'waits' }) as const);
  const refused = [...ends, ...pruned].filter((end) => end.kind === 'refused');
  return {
    refusals: refused.map((end) => end.refusal),
    applied: ends.filter((end) => end.kind === 'done').length,
    pruned: pruned.filter((end) => end.kind === 'done').length,
    retry: refused.some((end) => end.again) || pruned.some((end) => end.kind === 'waits'),
  };
}

async function applyOne(agent: AgentContext, sync: SyncRuntime, step: ApplyStep, opener: Opener): Promise<StepEnd> {
  const { object, contact } = step;
  const resource = agent.catalog().find(object.apiVersion, object.id.kind);
  if (resource === undefined || agent.signal.aborted) return DONE;
  try {
    return await agent.lanes.run(object.key, 'commit', async (body) => {
      const { transport, place } = agent;
      const context = { transport, opener, body, setId: place.setId, adopt: sync.settings.adopt };
      const send = contact === 'first' ? applyFirst : applyOwned;
      const outcome = await send(withoutYielded(agent, object), resource, context);
      return settle(agent, sync, object, resource, outcome);
    });
  } catch (thrown) {
    // Opening or filling refused: a value that is not what it should be. The object keeps its last good state.
    const error = asSottoError(thrown).at({ file: object.file, line: object.line, object: displayObject(object.id) });
    sync.blocked.set(object.key, { digest: object.digest, error, sinceMs: agent.clock.elapsedMs() });
    return { kind: 'refused', refusal: { error, file: object.file, id: object.id }, again: false };
  }
}

function settle(
  agent: AgentContext,
  sync: SyncRuntime,
  object: DesiredObject,
  resource: Resource,
  outcome: ApplyOutcome,
): StepEnd {
  if (outcome.kind === 'applied') {
    recordApplied(agent, sync.settings.name, object, resource, outcome.answer);
    sync.desired.set(object.key, object);
    sync.blocked.delete(object.key);
    agent.fresh(object.key);
    return DONE;
  }
  const { error, again } = outcome;
  if (again) agent.live.doubt(object.key);
  else sync.blocked.set(object.key, { digest: object.digest, error, sinceMs: agent.clock.elapsedMs() });
  return { kind: 'refused', refusal: { error, file: object.file, id: object.id }, again };
}

/** A path that was left to an autoscaler is not sent as long as Git says the same about it (spec/drift.md 3.4). */
function withoutYielded(agent: AgentContext, object: DesiredObject): DesiredObject {
  const record = agent.live.record(object.key);
  const paths = record === undefined ? [] : pathsOf(yieldedSet(record));
  return paths.length === 0 ? object : { ...object, tree: withoutFields(object.tree, paths) };
}

async function pruneAll(agent: AgentContext, steps: readonly PruneStep[]): Promise<StepEnd[]> {
  return Promise.all(steps.map((step) => pruneOne(agent, step)));
}

async function pruneOne(agent: AgentContext, step: PruneStep): Promise<StepEnd> {
  const { row, id } = step;
  const resource = agent.catalog().find(row.apiVersion, id.kind);
  const uid = agent.live.uid(row.key);
  // Gone already, or an object that is not the one we applied: the row goes, nothing else does.
  if (resource === undefined || uid === undefined || (row.uid !== '' && uid !== row.uid)) {
    forget(agent, step);
    return DONE;
  }
  const outcome = await agent.lanes.run(row.key, 'commit', () => prune(step, uid, resource, agent.transport));
  if (outcome.kind !== 'failed') {
    forget(agent, step);
    agent.log.info('pruned', { object: displayObject(id) });
    return DONE;
  }
  const error = outcome.error.at({ file: row.file, line: row.line, object: displayObject(id) });
  return { kind: 'refused', refusal: { error, file: row.file, id }, again: outcome.again };
}

function forget(agent: AgentContext, { row }: PruneStep): void {
  agent.inventory.delete(row.key);
  agent.live.forget(row.key);
  for (const sync of agent.syncs.values()) sync.desired.delete(row.key);
}
