import type { Tool } from '../apply/former-owner.ts';
import type { SottoError } from '../core/errors.ts';
import type { ObjectKey, Revision } from '../core/ids.ts';
import type { Refusal } from '../core/refusal.ts';
import type { ClosedDocument } from '../open/document.ts';
import type { InventoryRow } from '../plan/inventory.ts';
import type { Held } from '../plan/hold.ts';
import type { DesiredObject } from '../render/desired.ts';
import type { SyncSettings } from '../settings/settings.ts';

import type { Wanted } from './reach.ts';
import type { LastBuild } from './said.ts';
import type { SyncWait } from './sync-turn.ts';

/** Why a sync as a whole does not get on: its source, mostly. */
export interface Trouble {
  readonly error: SottoError;
  /** Everything that is wrong, where it is more than one thing. */
  readonly all?: readonly SottoError[] | undefined;
  /** A person has to do something; otherwise trying again may help. */
  readonly needsPerson: boolean;
}

/** What the last pass left behind, for the report. */
export interface PassReport {
  readonly attemptedRevision?: Revision | undefined;
  /** The newest revision of which everything that could be applied was applied. */
  readonly appliedRevision?: Revision | undefined;
  readonly refusals: readonly Refusal[];
  readonly waiting: readonly { readonly row: InventoryRow; readonly error: SottoError }[];
  /** Objects whose turn has not come. */
  readonly waits: readonly Waiting[];
  /** Workloads whose rollout holds up the pruning of configuration. */
  readonly rollouts: readonly ObjectKey[];
  readonly warnings: readonly SottoError[];
  readonly held?: Held | undefined;
  readonly asked?: Held | undefined;
  readonly desired: number;
  readonly pruned: number;
  readonly paused: number;
  /** A step failed in a way that trying again may mend. */
  readonly retry: boolean;
  /** Prunes wait until this sync of the same repository has seen the commit too. */
  readonly waitsFor?: string | undefined;
  /** The commit is read and nothing of it done, because of the syncs that come first. */
  readonly syncWait?: SyncWait | undefined;
}

/** An object of Git that is not applied before others are ready; the watches say when. */
export interface Waiting {
  readonly object: Pick<DesiredObject, 'id' | 'key' | 'file' | 'line'>;
  /** What has to become ready; the first of them where it is everything of an earlier turn. */
  readonly on: readonly ObjectKey[];
  /** What has to be applied first and waits itself. */
  readonly behind: readonly ObjectKey[];
}

/**
 * A failure of one object that the same request will meet again: tried again with a new commit, when settings, keys or
 * kinds change, and by itself less and less often (`blocked.ts`).
 */
export interface Blocked {
  readonly action: 'apply' | 'prune';
  readonly digest: string;
  readonly error: SottoError;
  readonly sinceMs: number;
  /** How often the same was tried again. */
  readonly tries: number;
}

/** What takes the place of Git while it did not answer since the start: what the sync applied last, or why that cannot be. */
export type StandIn =
  | {
      readonly kind: 'holds';
      readonly shape: string;
      /** The last one of which everything was applied. */
      readonly revision: Revision | undefined;
      readonly objects: number;
      /** Objects of the sync whose changes stay, because what was kept is not what was applied last. */
      readonly missing: number;
    }
  | { readonly kind: 'unusable'; readonly error: SottoError };

/** One sync while the agent runs. Fields change in `pass.ts` only. */
export interface SyncRuntime {
  settings: SyncSettings;
  snapshot: Wanted | undefined;
  /** Closed documents by file and blob id: an unchanged file is not read twice. */
  opened: Map<string, readonly ClosedDocument[]>;
  /** What the kustomization of the path made, while nothing changes that it was made from. */
  built: LastBuild | undefined;
  /** The last good desired state of each object: what a correction applies. */
  readonly desired: Map<ObjectKey, DesiredObject>;
  /** What the path held at the last pass, refused objects included. */
  wanted: ReadonlySet<ObjectKey>;
  readonly blocked: Map<ObjectKey, Blocked>;
  /** Objects whose rows this agent has made for a first apply, and to which nothing was sent whose end it does not know. */
  readonly announced: Set<ObjectKey>;
  /** Objects that exist and that somebody said to take over with the next pass, from the tool named. */
  readonly adopting: Map<ObjectKey, Tool | undefined>;
  /** Objects whose pause has ended: looked at when it is known what Git wants of them. */
  readonly resumed: Set<ObjectKey>;
  /** Objects that somebody else writes each time they are restored. */
  readonly fights: Map<ObjectKey, SottoError>;
  trouble: Trouble | undefined;
  report: PassReport | undefined;
  /** Until the first pass. */
  standIn: StandIn | undefined;
  /** Commit and settings of which what was applied last is kept. */
  keptOf: string | undefined;
  /** When the source was asked last. */
  askedAt: Date | undefined;
  lastPass: { readonly startedAt: Date; readonly tookMs: number } | undefined;
  /** `apiVersion Kind` of documents that the API server did not know at the last pass. */
  unknownKinds: readonly string[];
  /** The path holds objects that a pass must look at again although the revision did not change. */
  stale: boolean;
  /** What was refused is tried again with the next pass, also what the one under way is refused yet. */
  retryAll: boolean;
}

/** Before its first pass. */
export function newRuntime(settings: SyncSettings): SyncRuntime {
  return {
    settings,
    snapshot: undefined,
    opened: new Map(),
    built: undefined,
    desired: new Map(),
    wanted: new Set(),
    blocked: new Map(),
    announced: new Set(),
    adopting: new Map(),
    resumed: new Set(),
    fights: new Map(),
    trouble: undefined,
    report: undefined,
    standIn: undefined,
    keptOf: undefined,
    askedAt: undefined,
    lastPass: undefined,
    unknownKinds: [],
    stale: false,
    retryAll: false,
  };
}
