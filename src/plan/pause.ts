import { displayObject, type ObjectKey, objectIdOf } from '../core/ids.ts';

/** What a pause or a resume is about: one object, or everything of a sync. */
export type PauseTarget =
  | { readonly kind: 'object'; readonly key: ObjectKey }
  | { readonly kind: 'sync'; readonly name: string };

/** Left alone by passes and corrections until a time. Stored in the inventory, so that no restart ends it. */
export interface Pause {
  readonly target: PauseTarget;
  readonly until: Date;
  /** As the request says it: a claim, not a proof. */
  readonly by: string;
  readonly reason: string;
}

/** The pause of the object itself. */
export function objectPause(pauses: readonly Pause[], key: ObjectKey): Pause | undefined {
  return pauses.find(({ target }) => target.kind === 'object' && target.key === key);
}

export function syncPause(pauses: readonly Pause[], sync: string): Pause | undefined {
  return pauses.find(({ target }) => target.kind === 'sync' && target.name === sync);
}

/** The pause by which an object of a sync is left alone now: its own, or that of its sync. */
export function pauseOf(pauses: readonly Pause[], key: ObjectKey, sync: string): Pause | undefined {
  return objectPause(pauses, key) ?? syncPause(pauses, sync);
}

/** A second pause of the same target replaces the first. */
export function withPause(pauses: readonly Pause[], pause: Pause): Pause[] {
  return [...withoutPause(pauses, pause.target), pause];
}

export function withoutPause(pauses: readonly Pause[], target: PauseTarget): Pause[] {
  return pauses.filter((each) => !isSameTarget(each.target, target));
}

export function endedPauses(pauses: readonly Pause[], now: Date): Pause[] {
  return pauses.filter(({ until }) => until <= now);
}

export function isSameTarget(a: PauseTarget, b: PauseTarget): boolean {
  if (a.kind === 'object') return b.kind === 'object' && a.key === b.key;
  return b.kind === 'sync' && a.name === b.name;
}

/** As a person reads and types it: `apps/Deployment/web`, `sync app`. */
export function targetText(target: PauseTarget): string {
  return target.kind === 'object' ? displayObject(objectIdOf(target.key)) : `sync ${target.name}`;
}
