import { applyFirst, type ApplyOutcome, applyOwned } from '../apply/apply.ts';
import { stillForbidden } from '../apply/dry-run.ts';
import { prune } from '../apply/prune.ts';
import { asSottoError, SottoError } from '../core/errors.ts';
import { displayObject, type ObjectKey, objectKey } from '../core/ids.ts';
import type { Refusal } from '../core/refusal.ts';
import { shellWord } from '../core/shell-word.ts';
import { judgeAnswer } from '../drift/judge.ts';
import type { Resource } from '../kube/resource.ts';
import type { Opener } from '../open/opener.ts';
import { type Ordering, ranksIn } from '../plan/ordering.ts';
import { pauseOf } from '../plan/pause.ts';
import { type ApplyStep, type Plan, pruneWaits, type PruneStep } from '../plan/plan.ts';
import { pruneStages } from '../plan/rank.ts';
import type { DesiredObject } from '../render/desired.ts';
import { prunedEvent, recreatedEvent } from '../report/event-notes.ts';
import { recordApplied } from './applied.ts';
import { block, wakeSuspended } from './blocked.ts';
import { boundRoleVeto } from './bound-role.ts';
import { isConfiguration, settledPrunes } from './config-prunes.ts';
import type { AgentContext } from './context.ts';
import { judgeContext } from './correction-run.ts';
import { Line } from './line.ts';
import { announceOne, isTriedFirst, refusedKeys } from './pass-stages.ts';
import { noRightAndNoKey } from './sealed-rule.ts';
import type { StepEnd } from './step-end.ts';
import type { SyncRuntime, Waiting } from './sync-runtime.ts';
import { applyUnblocked } from './unblock.ts';
import { writerOf } from './writer.ts';
import { bodyOf, keepReplicas } from './yielding.ts';

export interface Carried {
  readonly refusals: readonly Refusal[];
  /** Prunes that were planned and wait, because something of the same plan was refused. */
  readonly waiting: Plan['waiting'];
  /** Objects that are applied once others are ready. */
  readonly waits: readonly Waiting[];
  /** Workloads whose rollout holds up prunes. */
  readonly rollouts: readonly ObjectKey[];
  readonly applied: number;
  readonly pruned: number;
  /** Something failed that trying again may mend. */
  readonly retry: boolean;
}

const DONE: StepEnd = { kind: 'done' };
const GONE: StepEnd = { kind: 'gone' };
const LEFT: StepEnd = { kind: 'left' };

/** What is to be done, in which order, and what of Git is not to be had. */
export interface Planned {
  readonly plan: Plan;
  readonly ordering: Ordering;
  /** Objects that were refused before anything was sent. */
  readonly refused: ReadonlySet<ObjectKey>;
}

/** Does what was planned: stage by stage, objects of a stage in parallel, pruning last. One failure is one failure. */
export async function carryOut(
  agent: AgentContext,
  sync: SyncRuntime,
  { plan: decided, ordering, refused: before }: Planned,
  opener: Opener,
): Promise<Carried> {
  const applies = new Map(decided.steps.flatMap((step) => (step.action === 'apply' ? [[step.object.key, step]] : [])));
  const prunes = decided.steps.filter((step) => step.action === 'prune');
  const revision = sync.snapshot?.revision ?? '';
  const ends: StepEnd[] = [];
  const server: Server = { away: undefined };
  const work: Work = { opener, server, ranks: ranksIn(ordering) };
  const line = new Line(agent, ordering, [...before, ...refusedKeys(decided.refusals)]);
  for (const { turn, keys } of ordering.stages) {
    line.enter(turn);
    const stage = keys.flatMap((key) => applies.get(key) ?? []);
    const endsOf = await Promise.all(
      stage.map(async (step) => line.obstacle(step.object) ?? (await applyOne(agent, sync, step, work))),
    );
    stage.forEach(({ object }, index) => line.ended(object.key, endsOf[index] ?? LEFT));
    line.passed(keys);
    ends.push(...endsOf);
  }
  const [firstRefusal] = [
    ...decided.refusals.filter((refusal) => !isBlockedPrune(sync, refusal)),
    ...ends.flatMap((end) => (end.kind === 'refused' ? [end.refusal] : [])),
  ];
  const isAllDone = ends.every((end) => end.kind === 'done') && firstRefusal === undefined;
  // A rename is a create and a prune: the old object goes only when the new one is there.
  const [others, configuration] = [prunes.filter((step) => !isConfiguration(step)), prunes.filter(isConfiguration)];
  const pruned = isAllDone ? await pruneAll(agent, sync, others, revision) : [];
  const settled = isAllDone ? await settledPrunes(agent, sync.settings.name, configuration) : undefined;
  pruned.push(...(await pruneAll(agent, sync, settled?.now ?? [], revision)));
  const waiting =
    firstRefusal === undefined
      ? (settled?.later ?? [])
      : prunes.map(({ row }) => ({ row, error: pruneWaits(row, firstRefusal) }));
  const refused = [...ends, ...pruned].filter((end) => end.kind === 'refused');
  return {
    refusals: refused.map((end) => end.refusal),
    waiting,
    waits: ends.flatMap((end) => (end.kind === 'waits' ? [end.waiting] : [])),
    rollouts: settled?.rollouts ?? [],
    applied: ends.filter((end) => end.kind === 'done').length,
    pruned: pruned.filter((end) => end.kind === 'done').length,
    retry:
      refused.some((end) => end.again) ||
      [...ends, ...pruned].some((end) => end.kind === 'left') ||
      decided.postponed > 0,
  };
}

/** The other way round: hooks and waves, then what depends on others and what they needed, then the table of kinds. */
async function pruneAll(
  agent: AgentContext,
  sync: SyncRuntime,
  prunes: readonly PruneStep[],
  revision: string,
): Promise<StepEnd[]> {
  const ends: StepEnd[] = [];
  for (const stage of pruneStages(prunes)) {
    ends.push(...(await Promise.all(stage.map((step) => pruneOne(agent, sync, step, revision)))));
  }
  return ends;
}

/** Once the API server is away, the rest of the plan is not tried one by one. */
interface Server {
  away: SottoError | undefined;
}

interface Work {
  readonly opener: Opener;
  readonly server: Server;
  readonly ranks: ReturnType<typeof ranksIn>;
}

async function applyOne(agent: AgentContext, sync: SyncRuntime, step: ApplyStep, work: Work): Promise<StepEnd> {
  const { object, contact } = step;
  const resource = agent.catalog().find(object.apiVersion, object.id.kind);
  if (resource === undefined) return LEFT;
  try {
    return await agent.lanes.run(object.key, 'commit', async (body) => {
      const { opener, server } = work;
      if (agent.signal.aborted || isPaused(agent, object.key, sync.settings.name)) return LEFT;
      if (server.away !== undefined) return refusedBy(object, server.away, true);
      const refusal = agent.ending.refusal(agent.clock.elapsedMs());
      if (refusal !== undefined) return suspended(agent, sync, object, refusal);
      const bound = await boundRoleVeto(agent, object);
      if (bound !== undefined) return settle(agent, sync, step, resource, bound);
      const { transport, place, random, signal } = agent;
      const adopt = sync.adopting.has(object.key) ? 'always' : sync.settings.adopt;
      const adoptFrom = sync.adopting.get(object.key);
      const asUser = writerOf(place, sync.settings);
      const isKnown = contact === 'owned';
      const setId = place.setId;
      const context = { transport, random, signal, opener, body, setId, adopt, adoptFrom, isKnown, asUser };
      const send = isKnown ? applyOwned : applyFirst;
      const wanted = await bodyOf(agent, sync, object);
      if (isTriedFirst(agent, sync, step)) {
        const refused = await stillForbidden(wanted, resource, context);
        if (refused !== undefined) return settle(agent, sync, step, resource, refused);
        announceOne(agent, sync, object, work.ranks.get(object.key));
        await agent.inventory.store();
      }
      if (step.reason === 'changed') await keepReplicas(agent, sync, object, resource);
      const outcome = await applyUnblocked(object, resource, context, () => send(wanted, resource, context));
      if (outcome.kind === 'failed' && agent.ending.take(outcome.error, agent.clock.elapsedMs()))
        return suspended(agent, sync, object, outcome.error);
      if (outcome.kind === 'applied' && outcome.created) wakeSuspended(agent);
      if (outcome.kind === 'failed' && outcome.error.code === 'SOTTO-KUBE-001') server.away = outcome.error;
      return settle(agent, sync, step, resource, outcome);
    });
  } catch (thrown) {
    // Opening or filling refused: a value that is not what it should be. The object keeps its last good state.
    const error = asSottoError(thrown).at({ file: object.file, line: object.line, object: displayObject(object.id) });
    block(sync, object.key, { action: 'apply', digest: object.digest, error }, agent.clock.elapsedMs());
    return refusedBy(object, error, false);
  }
}

/** The namespace is being deleted: asked about for all of its objects at once, and not with every pass. */
function suspended(agent: AgentContext, sync: SyncRuntime, object: DesiredObject, refusal: SottoError): StepEnd {
  const error = refusal.at({ file: object.file, line: object.line, object: displayObject(object.id) });
  agent.live.doubt(object.key);
  block(sync, object.key, { action: 'apply', digest: object.digest, error }, agent.clock.elapsedMs());
  return refusedBy(object, error, false);
}

function refusedBy(object: DesiredObject, error: SottoError, again: boolean): StepEnd {
  return { kind: 'refused', refusal: { error, file: object.file, id: object.id }, again };
}

/** That one object may not be deleted says nothing about what Git holds: the others need not wait for it. */
function isBlockedPrune(sync: SyncRuntime, { id }: Refusal): boolean {
  return id !== undefined && sync.blocked.get(objectKey(id))?.action === 'prune';
}

function settle(
  agent: AgentContext,
  sync: SyncRuntime,
  { object, contact }: ApplyStep,
  resource: Resource,
  outcome: ApplyOutcome,
): StepEnd {
  if (outcome.kind === 'applied') {
    const record = recordApplied(agent, sync.settings.name, object, resource, outcome.answer);
    sync.desired.set(object.key, object);
    sync.blocked.delete(object.key);
    sync.announced.delete(object.key);
    sync.adopting.delete(object.key);
    sync.fights.delete(object.key);
    agent.fresh(object.key);
    if (outcome.recreated === true) tellRecreated(agent, sync, object, record.uid);
    // What people added while nobody looked shows in the answer only; at first contact it stays.
    const extra =
      contact === 'owned' ? judgeAnswer(outcome.answer, record, judgeContext(agent, object.key)) : undefined;
    if (extra !== undefined) agent.found(object.key, { kind: 'judged', verdict: extra, object: outcome.answer });
    return DONE;
  }
  const { again } = outcome;
  const error = noRightAndNoKey(outcome.error, object.id, sync.settings.sealedSecrets);
  // The object is somebody else's, or there is none: a row would make it ours to prune once it leaves Git, and of a kind
  // without rights it could never be told that there is nothing to prune.
  const isNone = error.code === 'SOTTO-KUBE-003' && sync.announced.has(object.key);
  if (contact === 'first' && (NOT_OURS.has(error.code) || isNone) && agent.inventory.row(object.key)?.uid === '') {
    agent.inventory.delete(object.key);
    agent.live.forget(object.key);
  }
  sync.announced.delete(object.key);
  if (again) {
    sync.blocked.delete(object.key);
    agent.live.doubt(object.key);
  } else block(sync, object.key, { action: 'apply', digest: object.digest, error }, agent.clock.elapsedMs());
  return refusedBy(object, error, again);
}

function tellRecreated(agent: AgentContext, sync: SyncRuntime, { id, apiVersion }: DesiredObject, uid: string): void {
  agent.log.info('recreated', { object: displayObject(id) });
  agent.tell(recreatedEvent({ ...id, apiVersion, uid }, sync.snapshot?.revision ?? ''));
}

const NOT_OURS: ReadonlySet<string> = new Set(['SOTTO-PLAN-001', 'SOTTO-PLAN-006']);

/** Somebody may have paused it while the pass ran; the answer to that must be true from the moment it is given. */
function isPaused({ inventory }: AgentContext, key: ObjectKey, sync: string): boolean {
  return pauseOf(inventory.inventory.pauses, key, sync) !== undefined;
}

async function pruneOne(agent: AgentContext, sync: SyncRuntime, step: PruneStep, revision: string): Promise<StepEnd> {
  const { row } = step;
  const end = await pruneObject(agent, step, {
    name: sync.settings.name,
    asUser: writerOf(agent.place, sync.settings),
    note: (regarding) => prunedEvent(regarding, revision),
  });
  // What cannot be seen is not blocked: the pass is repeated when the kind can be watched.
  if (end.kind === 'refused' && !end.again && end.refusal.error.code !== 'SOTTO-KUBE-007') {
    const { error } = end.refusal;
    block(sync, row.key, { action: 'prune', digest: row.digest, error }, agent.clock.elapsedMs());
  }
  return end;
}

/** Whose object is deleted, as whom, and what is said of it. */
export interface Pruning {
  readonly name: string;
  readonly asUser: string | undefined;
  readonly note: (regarding: Parameters<typeof prunedEvent>[0]) => ReturnType<typeof prunedEvent>;
}

export function pruneObject(agent: AgentContext, step: PruneStep, of: Pruning): Promise<StepEnd> {
  return agent.lanes.run(step.row.key, 'commit', () => pruneInLane(agent, step, of));
}

/** What is so now counts, not when it was planned: a pause, the end of the agent, what a correction has just made anew. */
async function pruneInLane(agent: AgentContext, step: PruneStep, of: Pruning): Promise<StepEnd> {
  const { row, id } = step;
  if (agent.signal.aborted || isPaused(agent, row.key, of.name)) return LEFT;
  const resource = agent.catalog().find(row.apiVersion, id.kind);
  const isUnseen = resource === undefined ? agent.catalog().unknownGroups.includes(id.group) : !agent.isSeen(resource);
  // The pass is repeated when the kind can be watched: until then asking again would not tell more.
  if (isUnseen) return { kind: 'refused', refusal: { error: notSeen(row, id), file: row.file, id }, again: false };
  const uid = agent.live.uid(row.key);
  // Gone already: the row goes, nothing else does.
  if (resource === undefined || uid === undefined) {
    forget(agent, step);
    return GONE;
  }
  const { transport, place } = agent;
  const outcome = await prune(step, uid, resource, { transport, setId: place.setId, asUser: of.asUser });
  if (outcome.kind !== 'failed') {
    forget(agent, step);
    if (outcome.kind === 'not-ours') {
      agent.log.info('not pruned: somebody else made it anew', { object: displayObject(id) });
      return GONE;
    }
    agent.log.info('pruned', { object: displayObject(id) });
    agent.tell(of.note({ ...id, apiVersion: row.apiVersion, uid }));
    return DONE;
  }
  const error = outcome.error.at({ file: row.file, line: row.line, object: displayObject(id) });
  return { kind: 'refused', refusal: { error, file: row.file, id }, again: outcome.again };
}

/** Neither listed nor watched (its API group is away, the right is missing): whether the object is there is not known. */
function notSeen(row: PruneStep['row'], id: PruneStep['id']): SottoError {
  return new SottoError({
    code: 'SOTTO-KUBE-007',
    what: 'the object left Git and cannot be pruned now',
    why: 'objects of this kind cannot be watched at the moment',
    next: `kubectl get ${id.kind.toLowerCase()} ${shellWord(id.name)} -n ${id.namespace}   (and see /readyz of the agent)`,
    file: row.file,
    line: row.line,
    object: displayObject(id),
  });
}

function forget(agent: AgentContext, { row }: PruneStep): void {
  agent.inventory.delete(row.key);
  agent.live.forget(row.key);
  for (const sync of agent.syncs.values()) {
    sync.desired.delete(row.key);
    sync.blocked.delete(row.key);
  }
}
