/**
 * Heat of the fight over one object (spec/drift.md 3.7). Undefined is the state of an object that nobody fights over,
 * and what a commit resets it to. Times are monotonic milliseconds.
 */
export interface Fight {
  /** Corrections, fading by e per minute, as of `lastMs`. */
  readonly heat: number;
  readonly lastMs: number;
  /** Corrections that had to wait, since the last reset. */
  readonly holds: number;
}

export type FightAnswer =
  | { readonly kind: 'act' }
  /** Wait, then judge the newest state only. */
  | { readonly kind: 'hold'; readonly delayMs: number };

const HEAT_LIMIT = 5;
const FIRST_HOLD_MS = 2_000;
const HOLD_FACTOR = 3;
const MAX_HOLD_MS = 300_000;
const JITTER = 0.2;
const QUIET_MS = 10 * 60_000;
const MINUTE_MS = 60_000;

/** From then on nobody fights, if nobody has to be corrected before. */
export function peaceAtMs(fight: Fight | undefined): number {
  return fight === undefined ? Number.NEGATIVE_INFINITY : fight.lastMs + QUIET_MS;
}

function isOver(fight: Fight | undefined, nowMs: number): fight is undefined {
  return nowMs >= peaceAtMs(fight);
}

function heatAt(fight: Fight, nowMs: number): number {
  return fight.heat * Math.exp(-Math.max(0, nowMs - fight.lastMs) / MINUTE_MS);
}

/**
 * Asked before each correction. The first ones go out at once; from the limit on each waits three times as long as the
 * one before, until ten quiet minutes. Waiting cools, so having had to wait keeps one waiting, not the heat.
 * `random` is in [0, 1).
 */
export function askFight(fight: Fight | undefined, nowMs: number, random: number): FightAnswer {
  if (isOver(fight, nowMs)) return { kind: 'act' };
  if (fight.holds === 0 && heatAt(fight, nowMs) + 1 <= HEAT_LIMIT) return { kind: 'act' };
  const delayMs = Math.min(FIRST_HOLD_MS * HOLD_FACTOR ** fight.holds, MAX_HOLD_MS);
  return { kind: 'hold', delayMs: Math.round(delayMs * (1 - JITTER + 2 * JITTER * random)) };
}

/** Told after each correction that wrote; `held` says that it had been made to wait. */
export function afterCorrection(fight: Fight | undefined, nowMs: number, held: boolean): Fight {
  if (isOver(fight, nowMs)) return { heat: 1, lastMs: nowMs, holds: held ? 1 : 0 };
  return { heat: heatAt(fight, nowMs) + 1, lastMs: nowMs, holds: held ? fight.holds + 1 : fight.holds };
}
