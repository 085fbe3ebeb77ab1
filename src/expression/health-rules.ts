import type { Expression } from './tree.ts';

/** What the settings of a sync add to the rules of kstatus. */
export interface HealthRules {
  /** Also what kstatus lets pass: balancers without an address, images that cannot be had, lost claims. */
  readonly strict: boolean;
  readonly expressions: readonly KindExpressions[];
}

/** When an object of a kind is what; the kind's own rule does not count then. */
export interface KindExpressions {
  /** The core group is the empty string. */
  readonly group: string;
  readonly kind: string;
  readonly inProgress: Expression | undefined;
  readonly failed: Expression | undefined;
  readonly current: Expression;
}

export const KSTATUS_RULES: HealthRules = { strict: false, expressions: [] };
