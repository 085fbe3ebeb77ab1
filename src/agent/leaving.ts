import { displayObject, type ObjectKey, objectIdOf } from '../core/ids.ts';
import type { LeavingRule } from '../plan/inventory.ts';
import { pauseOf } from '../plan/pause.ts';
import { plan, type PruneStep } from '../plan/plan.ts';
import { pruneStages } from '../plan/rank.ts';
import { prunedWithSyncEvent } from '../report/event-notes.ts';
import type { SyncSettings } from '../settings/settings.ts';
import { pruneObject } from './carry-out.ts';
import { isConfiguration, settledPrunes } from './config-prunes.ts';
import type { AgentContext } from './context.ts';
import { rowKinds } from './pass-stages.ts';
import type { StepEnd } from './step-end.ts';
import { writerOf } from './writer.ts';

/** What is remembered of a sync for the time when the settings do not have it; undefined: its objects stay then. */
export function leavingRuleOf(settings: SyncSettings): LeavingRule | undefined {
  const { deletionPolicy, prune, serviceAccountName, dependsOn } = settings;
  if (deletionPolicy !== 'delete' || !prune.enabled) return undefined;
  const rule = { ...(serviceAccountName === undefined ? {} : { serviceAccountName }), ask: prune.ask };
  return dependsOn.length === 0 ? rule : { ...rule, dependsOn };
}

/** What failed, or waits for a file that is refused, is looked at again this often. */
const AGAIN_MS = 30_000;

/**
 * Whether there is something to do for syncs that have left the settings. Only when each sync of the settings in force
 * has passed with them: what was renamed, or moved from one sync to another, has been taken over by then.
 */
export function isDue(agent: AgentContext, lastMs: number | undefined): boolean {
  if (leftSyncs(agent).length === 0) return false;
  const { syncs } = agent.settings();
  const isSettled = syncs.every((settings) => {
    const sync = agent.syncs.get(settings.name);
    const isPassed = sync?.settings === settings && sync.report !== undefined && !sync.stale;
    return isPassed && sync.report?.syncWait === undefined && sync.trouble === undefined;
  });
  return isSettled && (lastMs === undefined || agent.clock.elapsedMs() - lastMs >= AGAIN_MS);
}

function leftSyncs(agent: AgentContext): string[] {
  const names = new Set(agent.settings().syncs.map(({ name }) => name));
  // While the last pass of one is ending, its objects still look as if somebody wanted them.
  return Object.keys(agent.inventory.inventory.leaving).filter((name) => !names.has(name) && !agent.syncs.has(name));
}

/** Prunes what such syncs have applied. What holds data, asks to be kept, or may be in a refused file stays. */
export async function clearLeft(agent: AgentContext): Promise<void> {
  // The settings may have changed while this waited for its turn.
  if (!isDue(agent, undefined)) return;
  await agent.cover(rowKinds(agent));
  const tried = new Set<string>();
  for (let name = nextToGo(agent, tried); name !== undefined; name = nextToGo(agent, tried)) {
    tried.add(name);
    await clearOne(agent, name);
  }
  await agent.inventory.store();
}

function nextToGo(agent: AgentContext, tried: ReadonlySet<string>): string | undefined {
  return nextLeaving(leftSyncs(agent), agent.inventory.inventory.leaving, tried);
}

/** Those that depend on others go before these, which stay while one of them is still there. */
export function nextLeaving(
  left: readonly string[],
  rules: Readonly<Record<string, LeavingRule>>,
  tried: ReadonlySet<string>,
): string | undefined {
  const isNeeded = (name: string): boolean =>
    left.some((other) => other !== name && rules[other]?.dependsOn?.includes(name) === true);
  const free = left.filter((name) => !isNeeded(name));
  // What is remembered of each is as old as its last pass, so it may be a circle: then somebody begins.
  return (free.length === 0 ? left.slice(0, 1) : free).find((name) => !tried.has(name));
}

async function clearOne(agent: AgentContext, name: string): Promise<void> {
  const rule = agent.inventory.inventory.leaving[name];
  if (rule === undefined) return;
  const { inventory, lost } = agent.inventory;
  const decided = plan({
    sync: name,
    revision: undefined,
    isLeaving: true,
    approval: undefined,
    desired: { objects: [], refusals: [], skipped: [], warnings: [] },
    refusals: [...agent.syncs.values()].flatMap(({ report }) => report?.refusals ?? []),
    inventory,
    inventoryLost: lost,
    prune: { enabled: true, maxShare: 1, minimum: 1, ask: rule.ask.map(({ group, kind }) => ({ group, kind })) },
    pruneWaits: undefined,
    live: (key) => agent.live.view(key),
    isPaused: (key) => pauseOf(inventory.pauses, key, name) !== undefined,
    claimedBy: () => undefined,
    wantedBy: (key) => [...agent.syncs.values()].find(({ wanted }) => wanted.has(key))?.settings.name,
  });
  const prunes = decided.steps.filter((step) => step.action === 'prune');
  const asUser = writerOf(agent.place, { serviceAccountName: rule.serviceAccountName });
  const pruneAll = async (steps: readonly PruneStep[]): Promise<StepEnd[]> => {
    const ends: StepEnd[] = [];
    for (const stage of pruneStages(steps))
      ends.push(...(await Promise.all(stage.map((step) => pruneOf(agent, step, name, asUser)))));
    return ends;
  };
  const ends = await pruneAll(prunes.filter((step) => !isConfiguration(step)));
  const settled = await settledPrunes(agent, name, prunes.filter(isConfiguration));
  ends.push(...(await pruneAll(settled.now)));
  const kept = new Set<ObjectKey>(decided.asked?.pruned);
  const waiting = [...decided.waiting.filter(({ row }) => !kept.has(row.key)), ...settled.later];
  const undone = ends.filter(({ kind }) => kind !== 'done' && kind !== 'gone').length;
  const isDone = waiting.length === 0 && undone === 0;
  agent.log.info('a sync has left the settings', {
    sync: name,
    pruned: ends.filter(({ kind }) => kind === 'done').length,
    waiting: waiting.length + undone,
    kept: [...kept].map((key) => displayObject(objectIdOf(key))),
  });
  for (const { error } of waiting) agent.log.warn('an object of it waits', { sync: name, code: error.code, error });
  if (isDone) agent.inventory.setLeaving(name, undefined);
}

async function pruneOf(
  agent: AgentContext,
  step: PruneStep,
  name: string,
  asUser: string | undefined,
): Promise<StepEnd> {
  const note = (regarding: Parameters<typeof prunedWithSyncEvent>[0]) => prunedWithSyncEvent(regarding, name);
  const end = await pruneObject(agent, step, { name, asUser, note });
  if (end.kind !== 'refused') return end;
  const { error } = end.refusal;
  agent.log.warn('an object of it cannot be deleted', { sync: name, code: error.code, error });
  return end;
}
