import { prune } from '../apply/prune.ts';
import { SottoError } from '../core/errors.ts';
import { displayObject, type ObjectKey, objectIdOf, type SourceDigest } from '../core/ids.ts';
import { planIdOf } from '../plan/hold.ts';
import { type InventoryRow, UNSEEN } from '../plan/inventory.ts';
import type { PruneStep } from '../plan/plan.ts';
import { agentObject } from '../render/veto-agent-object.ts';
import type { Answer, OrphanStatus } from '../report/status.ts';
import { isConfiguration, settledPrunes } from './config-prunes.ts';
import type { AgentContext } from './context.ts';
import type { Orphan } from './live.ts';
import { look } from './look.ts';

type Seen = Pick<AgentContext, 'syncs' | 'inventory' | 'live' | 'vetoes'>;

/** Nothing before every sync has said what it wants; nothing that asks to be kept, nothing of the agent itself. */
export function orphansOf({ syncs, inventory, live, vetoes }: Seen): Orphan[] {
  if ([...syncs.values()].some(({ report, stale }) => report === undefined || stale)) return [];
  const wanted = (key: ObjectKey): boolean => [...syncs.values()].some((sync) => sync.wanted.has(key));
  const unrecorded = live.orphans().filter(({ key }) => inventory.row(key) === undefined && !wanted(key));
  const { rows, leaving } = inventory.inventory;
  const left = [...rows.values()].filter(
    ({ key, sync, uid, keep }) =>
      !syncs.has(sync) && leaving[sync] === undefined && !keep && uid !== '' && live.uid(key) === uid && !wanted(key),
  );
  const found = [...unrecorded, ...left.map(({ key, apiVersion, uid }) => ({ key, apiVersion, uid }))];
  if (found.length === 0) return [];
  const rules = vetoes();
  const others = found.filter(({ key }) => agentObject({ id: objectIdOf(key), tree: {} }, rules) === undefined);
  return others.toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

/** A yes to these objects is none to others. */
function orphanPlanId(orphans: readonly Orphan[]): string {
  return planIdOf(
    'orphans',
    orphans.map(({ key, uid }) => `${key} ${uid}`),
  );
}

const MAX_NAMED = 50;

export function orphanStatus(agent: Seen): OrphanStatus | undefined {
  const orphans = orphansOf(agent);
  if (orphans.length === 0) return undefined;
  const objects = orphans.slice(0, MAX_NAMED).map(({ key }) => displayObject(objectIdOf(key)));
  return { planId: orphanPlanId(orphans), total: orphans.length, objects };
}

export function orphanNote({ total, objects }: OrphanStatus): SottoError {
  const named = objects.slice(0, 5).join(', ');
  const more = total > 5 ? ` and ${total - 5} more` : '';
  return new SottoError({
    code: 'SOTTO-PLAN-082',
    what: `${total} labelled ${total === 1 ? 'object is' : 'objects are'} not in Git`,
    why: `${named}${more}: applied by this agent once, and in no sync now`,
    next: 'sotto prune --orphans   (deletes them), or sotto adopt --orphans   (into the inventory again)',
  });
}

/** Deletes them: workloads first, no volume, nothing that something of ours still uses. */
export async function pruneOrphans(agent: AgentContext, planId: string): Promise<Answer> {
  const orphans = orphansWith(agent, planId);
  const steps = orphans.map(stepOf).filter(({ id }) => id.kind !== 'PersistentVolumeClaim');
  const deleted = await deleteAll(
    agent,
    steps.filter((step) => !isConfiguration(step)),
  );
  const settled = await settledPrunes(agent, '', steps.filter(isConfiguration));
  deleted.push(...(await deleteAll(agent, settled.now)));
  await agent.inventory.store();
  agent.changed();
  const left = orphans.filter(({ key }) => !deleted.includes(key)).map(({ key }) => displayObject(objectIdOf(key)));
  if (left.length === 0) return { outcome: 'done', message: `${deleted.length} deleted` };
  const named = left.slice(0, 5).join(', ');
  return {
    outcome: 'failed',
    message: `${deleted.length} deleted; left: ${named} (volumes, what is in use, or refused)`,
  };
}

async function deleteAll(agent: AgentContext, steps: readonly PruneStep[]): Promise<ObjectKey[]> {
  const { transport, place } = agent;
  const ends = steps.map(async (step): Promise<ObjectKey[]> => {
    const { key, apiVersion, uid } = step.row;
    const resource = agent.catalog().find(apiVersion, step.id.kind);
    if (resource === undefined) return [];
    // Whose it is, is looked at again: a row without uid.
    const unsure = { ...step, row: { ...step.row, uid: '' } };
    const end = await agent.lanes.run(key, 'commit', () =>
      prune(unsure, uid, resource, { transport, setId: place.setId }),
    );
    if (end.kind === 'failed') {
      agent.log.warn('an orphan cannot be deleted', { code: end.error.code, error: end.error });
      return [];
    }
    agent.inventory.delete(key);
    agent.live.forget(key);
    if (end.kind === 'pruned') agent.log.info('pruned', { object: displayObject(step.id) });
    return [key];
  });
  return (await Promise.all(ends)).flat();
}

/** Puts them under a sync: from then on Git decides, by the rules of `prune`, so that many of them are a plan that is held. */
export async function adoptOrphans(agent: AgentContext, planId: string, sync: string): Promise<Answer> {
  const orphans = orphansWith(agent, planId);
  for (const orphan of orphans) agent.inventory.set(rowOf(orphan, sync));
  await agent.inventory.store();
  // So that the pass knows that they are there.
  for (const { key, apiVersion } of orphans) await look(agent, key, apiVersion);
  await agent.ask(sync);
  return { outcome: 'done', message: `${orphans.length} in the inventory again, of sync ${sync}: sotto status` };
}

function orphansWith(agent: AgentContext, planId: string): Orphan[] {
  const orphans = orphansOf(agent);
  if (orphans.length > 0 && orphanPlanId(orphans) === planId) return orphans;
  throw new SottoError({
    code: 'SOTTO-PLAN-042',
    what: 'these are not the objects that no sync has',
    why: orphans.length === 0 ? 'there is none now' : `there are ${orphans.length} now, other ones than were shown`,
    next: 'sotto status   (names them)',
  });
}

function stepOf(orphan: Orphan): PruneStep {
  return { action: 'prune', id: objectIdOf(orphan.key), row: rowOf(orphan, '') };
}

/** Nothing says yet where in Git it stands, or what it held. */
function rowOf({ key, apiVersion, uid }: Orphan, sync: string): InventoryRow {
  const digest = '' as SourceDigest;
  return {
    ...UNSEEN,
    rank: undefined,
    key,
    apiVersion,
    sync,
    file: '',
    line: 0,
    digest,
    uid,
    keep: false,
    encrypted: false,
  };
}
