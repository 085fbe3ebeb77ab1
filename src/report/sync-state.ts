import type { Code } from '../core/codes.ts';
import { count } from '../core/count.ts';
import type { SyncCounts, SyncStateName } from './status.ts';

/** Trouble of a sync as a whole: its source, its settings, its path. What runs stays as it is meanwhile. */
export interface SyncTrouble {
  readonly code: Code;
  readonly message: string;
  /** `itself`: trying again may help (a server that is away); `person`: it will not (a credential, a refused path). */
  readonly mends: 'itself' | 'person';
}

/** What is known about a sync when its state is asked for. */
export interface SyncFacts {
  readonly suspended: boolean;
  /** Paused as a whole by somebody: what people read about it. */
  readonly paused?: string | undefined;
  readonly trouble?: SyncTrouble | undefined;
  /** Plans that are held whole until somebody says yes. */
  readonly pendingPlans: number;
  /** The commit waits for syncs that come first; `failed`: for one that somebody has to mend. */
  readonly dependency?: { readonly kind: 'waits' | 'failed'; readonly why: string } | undefined;
  /** Revision wanted and revision applied; both absent before the source was read. */
  readonly wantedRevision?: string | undefined;
  readonly appliedRevision?: string | undefined;
  /** Git was not read since the start, and what was applied last is held in its place: of which revision. */
  readonly held?: { readonly revision: string | undefined } | undefined;
  readonly counts: SyncCounts;
  /** Objects and files that could not be opened, rendered, planned or applied, and keep their last good state. */
  readonly refused: number;
  /** `wait` of the settings: readiness counts into the state. */
  readonly wait: boolean;
  /** An object is still InProgress after `timeout`. */
  readonly timedOut: boolean;
}

export interface SyncState {
  readonly state: SyncStateName;
  /** One CamelCase word for scripts. */
  readonly reason: string;
  /** One sentence for people. */
  readonly message: string;
}

interface Rule {
  readonly state: SyncStateName;
  readonly reason: string;
  readonly holds: (facts: SyncFacts) => boolean;
  readonly message: (facts: SyncFacts) => string;
}

/** The first rule that holds names the state: what needs a person comes before what needs time. */
const RULES: readonly Rule[] = [
  {
    state: 'Suspended',
    reason: 'Suspended',
    holds: (facts) => facts.suspended,
    message: () => 'suspended by the settings',
  },
  {
    state: 'Suspended',
    reason: 'Paused',
    holds: (facts) => facts.paused !== undefined,
    message: (facts) => facts.paused ?? '',
  },
  {
    state: 'Stalled',
    reason: 'NeedsPerson',
    holds: (facts) => facts.trouble?.mends === 'person',
    message: troubleText,
  },
  {
    state: 'Held',
    reason: 'PlanHeld',
    holds: (facts) => facts.pendingPlans > 0,
    message: (facts) => `${count(facts.pendingPlans, 'plan')} held whole until approved`,
  },
  {
    state: 'Degraded',
    reason: 'Retrying',
    holds: (facts) => facts.trouble !== undefined,
    message: troubleText,
  },
  {
    state: 'Degraded',
    reason: 'ObjectsRefused',
    holds: (facts) => facts.refused > 0,
    message: (facts) =>
      `${count(facts.refused, 'object or file', 'objects or files')} refused, the last good state stays`,
  },
  {
    state: 'Degraded',
    reason: 'ObjectsFailed',
    holds: (facts) => facts.wait && facts.counts.failed > 0,
    message: (facts) => `${count(facts.counts.failed, 'object')} of ${facts.counts.desired} failed`,
  },
  {
    state: 'Degraded',
    reason: 'ReadinessTimeout',
    holds: (facts) => facts.wait && facts.timedOut && facts.counts.inProgress > 0,
    message: (facts) => `${count(facts.counts.inProgress, 'object')} not ready within the timeout`,
  },
  {
    state: 'Degraded',
    reason: 'DependencyFailed',
    holds: (facts) => facts.dependency?.kind === 'failed',
    message: dependencyText,
  },
  {
    state: 'Held',
    reason: 'ObjectsHeld',
    holds: (facts) => facts.counts.held > 0,
    message: (facts) => `${count(facts.counts.held, 'object')} held`,
  },
  {
    state: 'Progressing',
    reason: 'ReadingSource',
    holds: (facts) => facts.wantedRevision === undefined,
    message: (facts) => `the source was not read yet${heldText(facts)}`,
  },
  {
    state: 'Progressing',
    reason: 'DependencyNotReady',
    holds: (facts) => facts.dependency !== undefined,
    message: dependencyText,
  },
  {
    state: 'Progressing',
    reason: 'Applying',
    holds: (facts) => facts.appliedRevision !== facts.wantedRevision,
    message: (facts) => `applying ${facts.wantedRevision ?? ''}`,
  },
  {
    state: 'Progressing',
    reason: 'InProgress',
    holds: (facts) => facts.wait && facts.counts.inProgress > 0,
    message: (facts) => `${count(facts.counts.inProgress, 'object')} of ${facts.counts.desired} not ready yet`,
  },
];

/** State, reason and message of a sync for status, metrics and exit code. */
export function syncState(facts: SyncFacts): SyncState {
  const rule = RULES.find((candidate) => candidate.holds(facts));
  if (rule !== undefined) return { state: rule.state, reason: rule.reason, message: rule.message(facts) };
  return { state: 'Ready', reason: 'Applied', message: `${count(facts.counts.desired, 'object')} as in Git` };
}

function troubleText(facts: SyncFacts): string {
  return facts.trouble === undefined ? '' : `${facts.trouble.code}: ${facts.trouble.message}${heldText(facts)}`;
}

function heldText({ held }: SyncFacts): string {
  return held === undefined ? '' : `; ${held.revision ?? 'what was applied last'} is held meanwhile`;
}

function dependencyText({ dependency }: SyncFacts): string {
  return dependency === undefined ? '' : `waits, because ${dependency.why}`;
}
