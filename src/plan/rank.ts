import { type ObjectKey, objectIdOf } from '../core/ids.ts';
import { layerOf } from './order.ts';
import { compareTurns, type Turn } from './turn.ts';

/** Where an object stands in the order of its sync. */
export interface Rank extends Turn {
  /** Of the table of kinds, or of what it needs where that is a later one. */
  readonly layer: number;
  /** Within a layer: 0, or one more than what it needs there. */
  readonly depth: number;
}

/** What is remembered of it, for the time when Git does not say it any more; undefined: as its kind stands. */
export interface Ranked {
  readonly key: ObjectKey;
  readonly rank: Rank | undefined;
}

export function rankOf({ key, rank }: Ranked): Rank {
  return rank ?? { phase: 0, wave: 0, layer: layerOf(objectIdOf(key)), depth: 0 };
}

export function compareRanks(a: Rank, b: Rank): number {
  return compareTurns(a, b) || a.layer - b.layer || a.depth - b.depth;
}

/** Undefined where the kind says the same. */
export function remembered(key: ObjectKey, rank: Rank): Rank | undefined {
  return compareRanks(rank, rankOf({ key, rank: undefined })) === 0 ? undefined : rank;
}

/** The other way round: what came last goes first, and those of one rank together. */
export function pruneStages<Step extends { readonly row: Ranked }>(steps: readonly Step[]): Step[][] {
  const stages: Step[][] = [];
  for (const step of steps.toSorted((a, b) => compareRanks(rankOf(b.row), rankOf(a.row)))) {
    const last = stages.at(-1);
    const [first] = last ?? [];
    if (last !== undefined && first !== undefined && compareRanks(rankOf(first.row), rankOf(step.row)) === 0)
      last.push(step);
    else stages.push([step]);
  }
  return stages;
}

export function rankText({ phase, wave, layer, depth }: Rank): string {
  return [phase, wave, layer, depth].join(' ');
}

/** Undefined for what is no rank. */
export function rankIn(text: string | undefined): Rank | undefined {
  const match = /^(-1|0|1) (-?\d{1,9}) (\d{1,2}) (\d{1,9})$/.exec(text ?? '');
  if (match === null) return undefined;
  const [phase = 0, wave = 0, layer = 0, depth = 0] = match.slice(1).map(Number);
  if (phase !== -1 && phase !== 0 && phase !== 1) return undefined;
  return { phase, wave, layer, depth };
}
