import { createHash } from 'node:crypto';
import { SottoError } from '../core/errors.ts';
import type { ObjectKey } from '../core/ids.ts';

/** A plan that waits for a person. */
export interface Held {
  /** Digest of revision and steps: a yes never covers another plan. */
  readonly planId: string;
  readonly error: SottoError;
  readonly creates: number;
  readonly prunes: number;
  /** Keys of what it would prune: what a yes covers. */
  readonly pruned: readonly ObjectKey[];
}

/** Somebody's yes to one plan. Stored in the inventory until the plan is done, so that a restart goes on with it. */
export interface Approval {
  readonly planId: string;
  readonly revision: string;
  readonly pruned: readonly ObjectKey[];
}

/**
 * Whether a yes covers these prunes of a revision. What is left of an approved plan is covered by it: after a kill in
 * the middle the rest is fewer steps, and never others.
 */
export function covers(
  approval: Approval | undefined,
  revision: string | undefined,
  prunes: readonly ObjectKey[],
): boolean {
  if (approval === undefined || revision === undefined || approval.revision !== revision) return false;
  const yes = new Set(approval.pruned);
  return prunes.every((key) => yes.has(key));
}

/**
 * Same revision and steps, same id; the order of the steps does not matter. What is not committed yet has no id that
 * somebody could say yes to.
 */
export function planIdOf(revision: string | undefined, steps: readonly string[]): string {
  if (revision === undefined) return 'PLAN';
  const digest = createHash('sha256').update([revision, ...steps.toSorted()].join('\n'));
  return digest.digest('hex').slice(0, 16);
}

export interface HoldRule {
  /** 0 to 1. */
  readonly maxShare: number;
  readonly minimum: number;
}

export interface HoldCounts {
  readonly prunes: number;
  readonly applied: number;
  readonly desired: number;
}

/** The share rule, or undefined when the plan may run (interface page: `prune`). */
export function holdReason({ prunes, applied, desired }: HoldCounts, rule: HoldRule): string | undefined {
  if (prunes === 0) return undefined;
  if (desired === 0) return `it would remove all ${prunes} objects of this sync`;
  const share = prunes / applied;
  if (prunes < rule.minimum || share <= rule.maxShare) return undefined;
  return `it would remove ${prunes} of ${applied} objects (${percent(share)}), more than prune.maxShare (${percent(rule.maxShare)})`;
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}

/** The whole plan waits, creates included. */
export function planHeld(planId: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-PLAN-005',
    what: 'the plan is held: nothing of this commit is applied',
    why,
    next: `if that is a mistake, correct the commit; if it is meant: sotto approve ${planId}`,
  });
}
