import { SottoError } from '../core/errors.ts';
import { displayObject, type ObjectKey, objectIdOf } from '../core/ids.ts';
import { shellWord } from '../core/shell-word.ts';
import { type Readiness, readinessFor } from '../health/dependency.ts';
import type { InventoryRow } from '../plan/inventory.ts';
import type { Awaits, Until } from './awaited.ts';
import type { AgentContext } from './context.ts';
import type { PassReport, Waiting } from './sync-runtime.ts';

type Seen = Pick<AgentContext, 'inventory' | 'live'>;

/** Whether what depends on an object may be applied now, as the watches say. */
export function readinessOf({ inventory, live }: Seen, key: ObjectKey): Readiness {
  const row = inventory.row(key);
  if (row === undefined || row.uid === '') return 'waits';
  const health = live.health(key);
  if (live.uid(key) === undefined) return readinessOfGone(row);
  if (live.isTerminating(key)) return 'waits';
  // Seen as metadata only: there is nothing to become ready.
  return health === undefined ? 'ready' : readinessFor(health);
}

/** A Job that has ended may be gone since, and what it ended as still holds. */
function readinessOfGone({ done, failed }: InventoryRow): Readiness {
  if (failed) return 'failed';
  return done ? 'ready' : 'waits';
}

/** What of a pass goes on by itself once objects are so far. Many wait for the same: they are one wait. */
export function awaitsOf({ waits, rollouts }: Pick<PassReport, 'waits' | 'rollouts'>): Awaits[] {
  const due = waits.filter(({ behind }) => behind.length === 0);
  const turns = new Map(due.map(({ on }) => [on.join('\n'), on]));
  const ready = [...turns.values()].map((on) => ({ until: 'ready', on }) as const);
  return rollouts.length === 0 ? ready : [...ready, { until: 'settled', on: rollouts }];
}

/** Whether an object is as far as something waits for. */
export function isSoFar(agent: Seen, until: Until, key: ObjectKey): boolean {
  if (until === 'ready') return readinessOf(agent, key) === 'ready';
  const health = agent.live.health(key)?.status;
  return health === undefined || health === 'Current';
}

/** What to tell of an object that waits, as of now. */
export function waitError(
  agent: Seen,
  { object, on, behind }: Waiting,
  isLate: (key: ObjectKey) => boolean,
): SottoError {
  const failed = on.find((key) => readinessOf(agent, key) === 'failed');
  const late = failed ?? on.find((key) => isLate(key) && readinessOf(agent, key) !== 'ready');
  const first = late ?? on.find((key) => readinessOf(agent, key) !== 'ready') ?? behind[0] ?? on[0] ?? object.key;
  if (late !== undefined) {
    const why = failed === undefined ? 'has not become ready in time' : 'has failed';
    return needsOther(late, `${displayObject(objectIdOf(late))} ${why}${detail(agent, late)}`).at(placeOf(object));
  }
  const others = new Set([...on, ...behind]).size - 1;
  const more = others > 0 ? ` and ${others} more` : '';
  return new SottoError({
    code: 'SOTTO-PLAN-060',
    what: 'the object waits for its turn',
    why: `${displayObject(objectIdOf(first))}${more} has to be ready before${detail(agent, first)}`,
    next: 'nothing to do: it is applied as soon as that is ready',
  }).at(placeOf(object));
}

function detail({ live }: Seen, key: ObjectKey): string {
  const health = live.health(key);
  return health === undefined || health.status === 'Current' ? '' : ` (${health.reason}: ${health.message})`;
}

/** An object is not applied because of another one. */
export function needsOther(key: ObjectKey, why: string): SottoError {
  const id = objectIdOf(key);
  return new SottoError({
    code: 'SOTTO-PLAN-061',
    what: 'the object is not applied, because of what it depends on',
    why,
    next: `sotto why ${shellWord(displayObject(id))}   (this object follows by itself)`,
  });
}

function placeOf({ id, file, line }: Waiting['object']) {
  return { file, line, object: displayObject(id) };
}
