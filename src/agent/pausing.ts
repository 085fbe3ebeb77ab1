import { rfc3339 } from '../core/clock.ts';
import { SottoError } from '../core/errors.ts';
import { type ObjectKey, objectIdOf } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import {
  endedPauses,
  isSameTarget,
  type Pause,
  type PauseTarget,
  pauseOf,
  targetText,
  withoutPause,
  withPause,
} from '../plan/pause.ts';
import type { Request } from '../plan/request.ts';
import type { DesiredObject } from '../render/desired.ts';
import type { Answer } from '../report/status.ts';
import { pausedEvent, resumedEvent } from '../report/event-notes.ts';
import type { AgentContext } from './context.ts';
import { look } from './look.ts';
import type { SyncRuntime } from './sync-runtime.ts';

/** In force at once, and stored before anybody is told so. */
export async function pause(
  agent: AgentContext,
  target: PauseTarget,
  { until, by, reason }: Extract<Request, { kind: 'pause' }>,
): Promise<Answer> {
  const before = agent.inventory.inventory.pauses;
  const pauses = withPause(before, { target, until, by, reason });
  if (pauses.length > LIMITS.maxPauses) throw tooMany();
  await store(agent, target, pauses);
  const text = targetText(target);
  agent.log.info('paused', { target: text, until: rfc3339(until), by, reason });
  tellObject(agent, target, (regarding) => pausedEvent(regarding, { until: rfc3339(until), by, reason }));
  agent.changed();
  return { outcome: 'done', message: `${text} is left alone until ${rfc3339(until)}` };
}

/** What Git changed meanwhile is applied by the pass that this asks for, and what people changed is undone by it. */
export async function resume(agent: AgentContext, target: PauseTarget): Promise<Answer> {
  const { pauses } = agent.inventory.inventory;
  if (!pauses.some((each) => isSameTarget(each.target, target))) throw notPaused(target);
  await store(agent, target, withoutPause(pauses, target));
  goOn(agent, target, 'resumed');
  return { outcome: 'done', message: `${targetText(target)} is kept as in Git again` };
}

/** Pauses end by themselves. */
export async function endPauses(agent: AgentContext): Promise<void> {
  const { pauses } = agent.inventory.inventory;
  const ended = endedPauses(pauses, agent.clock.now());
  if (ended.length === 0) return;
  // In memory at once; the next tick stores it. A restart before that ends them again.
  agent.inventory.setPauses(pauses.filter((each) => !ended.includes(each)));
  for (const { target } of ended) goOn(agent, target, 'the pause has ended');
}

async function store(agent: AgentContext, target: PauseTarget, pauses: readonly Pause[]): Promise<void> {
  const former = agent.inventory.inventory.pauses.find((each) => isSameTarget(each.target, target));
  agent.inventory.setPauses(pauses);
  try {
    await agent.inventory.store();
  } catch (thrown) {
    // Nobody is told that it holds, so it must not; those of other targets may have come or gone meanwhile.
    const now = agent.inventory.inventory.pauses;
    agent.inventory.setPauses(former === undefined ? withoutPause(now, target) : withPause(now, former));
    throw thrown;
  }
}

function goOn(agent: AgentContext, target: PauseTarget, what: string): void {
  agent.log.info(what, { target: targetText(target) });
  tellObject(agent, target, (regarding) => resumedEvent(regarding));
  agent.changed();
  for (const { key, sync } of agent.inventory.inventory.rows.values()) {
    if (target.kind === 'sync' ? sync === target.name : key === target.key) agent.syncs.get(sync)?.resumed.add(key);
  }
  const syncs = target.kind === 'sync' ? [target.name] : syncsOf(agent, target.key);
  for (const sync of syncs) agent.wake(sync);
}

function syncsOf(agent: AgentContext, key: ObjectKey): string[] {
  return [...agent.syncs.values()].filter((sync) => sync.wanted.has(key)).map(({ settings }) => settings.name);
}

/**
 * Objects that changed during a pause are read once, so that the report of what was undone names fields and writer.
 * Where Git wants something newer than was applied last, that is applied instead: what people made of the object may
 * be what was merged (`sotto keep`), and must not be undone in between.
 */
export async function judgeResumed(
  agent: AgentContext,
  sync: SyncRuntime,
  desired: readonly Pick<DesiredObject, 'key' | 'digest'>[],
): Promise<void> {
  if (sync.resumed.size === 0) return;
  const resumed = desired.filter(({ key }) => sync.resumed.has(key));
  sync.resumed.clear();
  for (const { key, digest } of resumed) {
    const row = agent.inventory.row(key);
    if (row === undefined || row.digest !== digest || agent.live.view(key) !== 'unsure') continue;
    if (pauseOf(agent.inventory.inventory.pauses, key, sync.settings.name) === undefined)
      await look(agent, row.key, row.apiVersion);
  }
  await agent.lanes.idle();
}

type Tell = (regarding: Parameters<typeof resumedEvent>[0]) => ReturnType<typeof resumedEvent>;

function tellObject(agent: AgentContext, target: PauseTarget, event: Tell): void {
  if (target.kind === 'sync') return;
  const [row, uid] = [agent.inventory.row(target.key), agent.live.uid(target.key)];
  if (row === undefined || uid === undefined) return;
  agent.tell(event({ ...objectIdOf(target.key), apiVersion: row.apiVersion, uid }));
}

function notPaused(target: PauseTarget): SottoError {
  return new SottoError({
    code: 'SOTTO-PLAN-041',
    what: `${targetText(target)} is not paused`,
    why: 'no pause of it is in force',
    next: 'sotto status   (lists the pauses)',
  });
}

function tooMany(): SottoError {
  return new SottoError({
    code: 'SOTTO-PLAN-040',
    what: 'there are too many pauses',
    why: `at most ${LIMITS.maxPauses} are kept at a time`,
    next: 'pause the sync as a whole: sotto pause --sync NAME --for 1h --reason TEXT',
  });
}
