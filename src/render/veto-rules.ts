import type { ClosedObject } from '../core/closed.ts';
import type { ObjectId } from '../core/ids.ts';
import type { LiftableVeto } from '../settings/settings.ts';

/** What the vetoes protect, as settings and live labels say it. */
export interface VetoRules {
  readonly lifted: readonly LiftableVeto[];
  readonly agentNamespace: string;
  readonly targetNamespace: string;
  /** ServiceAccounts of the agent's namespace that the agent may run as. */
  readonly accounts: readonly string[];
  /** Secrets of the agent's namespace that settings name (the fingerprint key, keys, credentials) and the renderer's token. */
  readonly namedSecrets: ReadonlySet<string>;
  /** Secrets of the agent's namespace that are marked as key or credential now. */
  readonly markedSecrets: ReadonlySet<string>;
}

/** The object as it would be applied. */
export interface Vetoed {
  readonly id: ObjectId;
  readonly tree: ClosedObject;
}

/** Why an object is refused, and where it says so. */
export interface Finding {
  readonly what: string;
  readonly path: readonly string[];
}

/** In a split install the keys are elsewhere: nothing that is applied can reach them by name. */
export function isBesideKeys(rules: Pick<VetoRules, 'agentNamespace' | 'targetNamespace'>): boolean {
  return rules.agentNamespace === rules.targetNamespace;
}
