import type { Snapshot } from '../source/snapshot.ts';
import { carryOut } from './carry-out.ts';
import type { AgentContext } from './context.ts';
import { announce, decide, openSnapshot, refreshRows, release, renderSet, rowKinds } from './pass-stages.ts';
import { type PassEnd, reportPass } from './report-pass.ts';
import type { SyncRuntime } from './sync-runtime.ts';

/**
 * One pass of one sync over a snapshot, stages in order. Readiness follows from the watches afterwards; corrections go
 * on meanwhile. Throws only when the API server cannot be used at all: then nothing was decided and nothing is pruned.
 */
export async function runPass(agent: AgentContext, sync: SyncRuntime, snapshot: Snapshot): Promise<void> {
  const startedMs = agent.clock.elapsedMs();
  using opener = agent.opener(sync);

  const opened = await openSnapshot(agent, sync, snapshot, opener);
  const desired = await renderSet(agent, sync, opened.documents);
  // Nothing is decided before the live state of every kind in question is known (spec/drift.md 3.8 B).
  await agent.cover([
    ...desired.objects.map(({ apiVersion, id }) => ({ apiVersion, kind: id.kind })),
    ...rowKinds(agent),
  ]);
  refreshRows(agent, sync, desired);
  const decided = decide(agent, sync, snapshot, desired, opened.refusals);
  await announce(agent, sync, decided);
  const outcome = await carryOut(agent, sync, decided, opener);
  release(agent, sync, decided);

  const refusals = [...opened.refusals, ...desired.refusals, ...decided.refusals, ...outcome.refusals];
  const end: PassEnd = { snapshot, desired, decided, outcome, refusals, startedMs };
  reportPass(agent, sync, end);
  await agent.inventory.store();
}
