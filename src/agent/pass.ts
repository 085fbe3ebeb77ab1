import type { SottoError } from '../core/errors.ts';
import { isAutoscaler } from './autoscaled.ts';
import { ordered } from '../plan/ordering.ts';
import { readSnapshot } from './build-stage.ts';
import { type Carried, carryOut } from './carry-out.ts';
import { noteCarried } from './fingerprint-carried.ts';
import type { AgentContext } from './context.ts';
import { announce, decide, handOver, refreshRows, refusedKeys, release, renderSet, rowKinds } from './pass-stages.ts';
import { lookAtExposed } from './exposure/expose.ts';
import { keepLast } from './last-applied.ts';
import { judgeResumed } from './pausing.ts';
import type { Wanted } from './reach.ts';
import { type PassEnd, reportPass } from './report-pass.ts';
import { syncWaitOf } from './dependents.ts';
import { takeRenamed } from './renamed.ts';
import { restartPods } from './restarting.ts';
import type { SyncRuntime } from './sync-runtime.ts';
import { freeReplicas } from './yielding.ts';

const NOTHING: Carried = { refusals: [], waiting: [], waits: [], rollouts: [], applied: 0, pruned: 0, retry: false };

/**
 * One pass of one sync over a snapshot, stages in order. Readiness follows from the watches afterwards; corrections go
 * on meanwhile. Answers with what keeps the path from being told at all; throws only when the API server cannot be used at all: then nothing was decided and nothing is pruned.
 */
export async function runPass(
  agent: AgentContext,
  sync: SyncRuntime,
  snapshot: Wanted,
): Promise<readonly SottoError[]> {
  const startedMs = agent.clock.elapsedMs();
  using opener = agent.opener(sync);

  const said = await readSnapshot(agent, sync, snapshot, opener);
  if (!said.ok) return said.errors;
  const inOrder = ordered(await renderSet(agent, sync, said), said.refusals);
  const { desired, ordering } = inOrder;
  // Nothing is decided before the live state of every kind in question is known (spec/drift.md 3.8 B).
  await agent.cover([
    ...desired.objects.map(({ apiVersion, id }) => ({ apiVersion, kind: id.kind })),
    ...rowKinds(agent),
  ]);
  takeRenamed(agent, sync);
  refreshRows(agent, sync, inOrder);
  await judgeResumed(agent, sync, desired.objects);
  const decided = decide(agent, sync, snapshot, desired, said.refusals);
  const syncWait = syncWaitOf(agent, sync, snapshot, decided);
  if (syncWait !== undefined) {
    const refusals = [...said.refusals, ...desired.refusals, ...decided.refusals];
    handOver(agent, sync, decided);
    reportPass(agent, sync, { snapshot, desired, decided, outcome: NOTHING, refusals, startedMs, syncWait });
    await agent.inventory.store();
    return [];
  }
  await announce(agent, sync, decided, ordering);
  const refused = refusedKeys([...said.refusals, ...desired.refusals]);
  const carried = await carryOut(agent, sync, { plan: decided, ordering, refused }, opener);
  const restarts = await restartPods(agent, sync, { desired, decided }, opener);
  const outcome = {
    ...carried,
    refusals: [...carried.refusals, ...restarts.refusals],
    retry: carried.retry || restarts.retry,
  };
  release(agent, sync, decided);

  const refusals = [...said.refusals, ...desired.refusals, ...decided.refusals, ...outcome.refusals];
  const end: PassEnd = { snapshot, desired, decided, outcome, refusals, startedMs };
  reportPass(agent, sync, end);
  if (decided.steps.some((step) => step.action === 'prune' && isAutoscaler(step.id))) freeReplicas(agent);
  await keepLast(agent, sync, end);
  await lookAtExposed(agent);
  noteCarried(agent, sync, end, restarts.left);
  await agent.inventory.store();
  return [];
}
