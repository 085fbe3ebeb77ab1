import { rfc3339 } from '../core/clock.ts';
import { displayObject, type ObjectKey, objectIdOf } from '../core/ids.ts';
import { managerRefs } from '../drift/entries.ts';
import type { Yielded } from '../drift/losses.ts';
import { pointer } from '../drift/pointer.ts';
import type { HandField } from '../drift/undone-fields.ts';
import type { DesiredObject } from '../render/desired.ts';
import { correctedEvent, foughtEvent, uncorrectableEvent, yieldedEvent } from '../report/event-notes.ts';
import type { AgentContext } from './context.ts';

/** A change made outside Git that was undone. */
export interface Undone {
  readonly object: DesiredObject;
  readonly revision: string;
  /** JSON pointers, never values. */
  readonly paths: readonly string[];
  /** As managedFields says; undefined where ownership does not tell. */
  readonly manager: string | undefined;
  readonly operation: string;
  readonly sync: string;
  readonly exactRevision: string | undefined;
  /** What was there instead; nothing of Secrets. */
  readonly fields: readonly HandField[];
}

/** Log, metrics, status, and an Event on the object itself: whoever made the change must find out why it is gone. */
export function reportCorrection(agent: AgentContext, undone: Undone, exactMs: number): void {
  const tookMs = Math.round(exactMs * 10) / 10;
  const { object, revision, paths, manager, operation, sync, fields } = undone;
  const name = displayObject(object.id);
  const outcome = operation === 'delete' ? 'recreated' : 'restored';
  agent.log.info('a change made outside Git was undone', { object: name, paths, manager, operation, tookMs });
  agent.metrics.corrected({ kind: object.id.kind, tookMs });
  const at = rfc3339(agent.clock.now());
  const canKeep = agent.undone({ at, object, sync, revision: undone.exactRevision, manager, fields });
  agent.corrected({
    at,
    object: name,
    paths,
    manager: manager ?? 'unknown',
    operation,
    tookMs,
    outcome,
  });
  const regarding = { ...object.id, apiVersion: object.apiVersion, uid: agent.live.uid(object.key) };
  const change = operation === 'delete' ? 'deleted' : 'edited';
  agent.tell(correctedEvent(regarding, { paths, manager, change, revision, canKeep }));
}

/** A change that an apply does not undo stays; whoever relies on Git must find out. */
export function reportUncorrectable(
  agent: AgentContext,
  { object, revision, paths, manager }: Pick<Undone, 'object' | 'revision' | 'paths' | 'manager'>,
): void {
  agent.log.warn('a change made outside Git cannot be undone', { object: displayObject(object.id), paths, manager });
  const regarding = { ...object.id, apiVersion: object.apiVersion, uid: agent.live.uid(object.key) };
  agent.tell(uncorrectableEvent(regarding, { paths, manager, change: 'edited', revision }));
}

/** Told on the object when a fight begins, not with each turn of it. */
export function reportFight(
  agent: AgentContext,
  { object, paths, manager }: Pick<Undone, 'object' | 'paths' | 'manager'>,
): void {
  const regarding = { ...object.id, apiVersion: object.apiVersion, uid: agent.live.uid(object.key) };
  agent.tell(foughtEvent(regarding, { paths, manager }));
}

/** Fields were left to an autoscaler or to whom settings name: said once, because from then on Git does not decide. */
export function reportYield(agent: AgentContext, key: ObjectKey, yielded: readonly Yielded[]): void {
  const fresh = yielded.filter(({ reason }) => reason !== 'yielded-before');
  const row = agent.inventory.row(key);
  if (fresh.length === 0 || row === undefined) return;
  const id = objectIdOf(key);
  const paths = fresh.map(({ path }) => pointer(path));
  const [taker] = managerRefs(fresh.flatMap((each) => each.taker ?? []));
  agent.log.info('fields are left to another writer', { object: displayObject(id), paths, manager: taker?.manager });
  const regarding = { ...id, apiVersion: row.apiVersion, uid: agent.live.uid(key) };
  agent.tell(yieldedEvent(regarding, { paths, manager: taker?.manager }));
}
