import { rfc3339 } from '../core/clock.ts';
import { SottoError } from '../core/errors.ts';
import { displayObject, objectIdOf } from '../core/ids.ts';
import type { Held } from '../plan/hold.ts';
import type { InventoryRow } from '../plan/inventory.ts';
import { objectPause, type Pause, syncPause } from '../plan/pause.ts';
import { fingerprintId } from '../keys/fingerprint.ts';
import { receiptKeyProblem, receiptSigner } from '../keys/receipt-key.ts';
import type { KeyRing } from '../keys/ring.ts';
import { buildStatus, type SyncInput } from '../report/build-status.ts';
import type { SettingsState } from '../settings/last-good.ts';
import type {
  CorrectionStatus,
  HandledRequest,
  PauseStatus,
  PendingPlan,
  RendererStatus,
  RotationStatus,
  SourceStatus,
  StatusDocument,
  SyncCounts,
} from '../report/status.ts';
import { type SyncFacts, type SyncState, syncState } from '../report/sync-state.ts';
import { attention, attentionOf, type Seen } from './attention.ts';
import type { AgentContext } from './context.ts';
import { exposureStatus } from './exposure/exposure-status.ts';
import { notCarried } from './fingerprint-carried.ts';
import { orphanNote, orphanStatus } from './orphans.ts';
import { healthOf, isLate } from './readiness.ts';
import type { SyncRuntime } from './sync-runtime.ts';
import { type SyncTurn, type SyncWait, syncTurn } from './sync-turn.ts';
import { waitError } from './waits.ts';

export interface StatusSources {
  readonly agent: AgentContext;
  readonly startedAt: Date;
  readonly settings: SettingsState;
  readonly ring: KeyRing | undefined;
  readonly renderer: RendererStatus | undefined;
  readonly rotations: readonly RotationStatus[];
  readonly corrections: readonly CorrectionStatus[];
  /** Oldest first. */
  readonly handled: readonly HandledRequest[];
}

/** The status document as of now. */
export function statusOf(sources: StatusSources): StatusDocument {
  const { agent, startedAt, settings, ring, renderer, rotations, corrections, handled } = sources;
  const { version, instance } = agent.place;
  const certificate = ring?.sealingCertificate;
  const orphans = orphanStatus(agent);
  const notes = orphans === undefined ? [] : [orphanNote(orphans)];
  const lost = agent.exposures.lost;
  if (lost !== undefined) notes.push(lost);
  const receipts = { publicKey: receiptSigner(agent.fingerprint.current).name };
  const unpinned = receiptKeyProblem(receipts.publicKey, settings.current?.rotation.receiptKey);
  if (unpinned !== undefined) notes.push(unpinned);
  const general = [...settings.problems, ...(ring?.problems ?? []), ...fingerprintNotes(agent), ...notes].map((error) =>
    attention(error),
  );
  const syncs = [...agent.syncs.values()].map((sync) => viewSync(agent, sync));
  return buildStatus({
    agent: { version, instance, startedAt: rfc3339(startedAt) },
    // Settings and keys are everybody's: each sync tells what may be the reason of its own trouble.
    syncs: syncs.map((sync) => ({ ...sync, attention: [...sync.attention, ...general] })),
    orphans,
    exposures: agent.exposures.exposures.map(exposureStatus),
    pauses: agent.inventory.inventory.pauses.map(pauseStatus),
    handled,
    fingerprint: {
      id: fingerprintId(agent.fingerprint.current),
      former: agent.fingerprint.former && fingerprintId(agent.fingerprint.former),
      waits: leftOf(agent),
      plan: agent.fingerprint.plan,
    },
    sealing: certificate && { fingerprint: certificate.fingerprint, notBefore: rfc3339(certificate.notBefore) },
    receipts,
    renderer,
    keys: (ring?.report ?? []).map((key) => ({
      kind: key.kind,
      id: key.id,
      state: key.state,
      since: key.since && rfc3339(key.since),
      until: key.until && rfc3339(key.until),
      uses: 0,
      secret: key.secret,
      origin: key.origin,
    })),
    rotations,
    rehearsal: agent.inventory.inventory.rehearsal,
    corrections,
  });
}

function fingerprintNotes(agent: AgentContext): SottoError[] {
  const { trouble } = agent.fingerprint;
  const waits = leftOf(agent);
  const left = waits === undefined ? [] : [formerNeeded(waits)];
  return trouble === undefined ? left : [trouble, ...left];
}

function formerNeeded(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-103',
    what: 'the fingerprint key was changed, and the former one is still needed',
    why,
    next: 'mend what is named, or say yes to its plan (sotto approve); the former key goes by itself then',
  });
}

/** What keeps the former fingerprint key, if anything does. */
export function leftOf(agent: AgentContext): string | undefined {
  const left = notCarried(agent).map((sync) => {
    const { name, state, message } = viewSync(agent, sync);
    return `${name}: ${state}, ${message}`;
  });
  return left.length === 0 ? undefined : left.join('; ');
}

/** One sync as the status document tells it. Reads state; decides nothing. */
export function viewSync(agent: AgentContext, sync: SyncRuntime): SyncInput {
  const { settings, report } = sync;
  const held = heldBy(sync);
  const seen = seenOf(agent, sync);
  return {
    name: settings.name,
    ...syncState(seen.facts),
    source: sourceOf(sync),
    lastApplied: held && { revision: held.revision, objects: held.objects, missing: held.missing },
    appliedRevision: report?.appliedRevision ?? held?.revision,
    attemptedRevision: report?.attemptedRevision,
    counts: seen.facts.counts,
    attention: attentionOf(agent, sync, seen),
    pending: pendingOf(sync),
  };
}

function seenOf(
  agent: AgentContext,
  sync: SyncRuntime,
  known: Known = new Map(),
): Seen & { readonly facts: SyncFacts } {
  const rows = [...agent.inventory.inventory.rows.values()].filter((row) => row.sync === sync.settings.name);
  const late = new Set(rows.filter((row) => isLate(agent, sync, row)).map(({ key }) => key));
  const waits = (sync.report?.waits ?? []).map((waiting) => waitError(agent, waiting, (key) => late.has(key)));
  const dependency = dependencyOf(agent, sync, known);
  const readiness = { isLate: late.size > 0, heldBack: waits.filter(isHeldBack).length };
  const facts = { ...factsOf(agent, sync, countRows(agent, sync, rows), readiness), dependency };
  return { rows, late, waits, dependency, facts };
}

/** What the syncs that come first say of a commit of this one, as of now. */
export function turnOfSync(
  agent: AgentContext,
  sync: SyncRuntime,
  revision: string,
  known: Known = new Map(),
): SyncTurn {
  const { dependsOn } = sync.settings;
  if (dependsOn.length === 0) return { kind: 'ready' };
  const needed = dependsOn.map((name) => {
    const other = agent.syncs.get(name);
    if (other === undefined) return { name, found: undefined };
    const { snapshot, report } = other;
    const found = {
      name,
      ...stateOf(agent, other, known),
      repository: repositoryOf(other),
      wantedRevision: snapshot?.revision,
      appliedRevision: report?.appliedRevision,
      attemptedRevision: report?.attemptedRevision,
    };
    return { name, found };
  });
  return syncTurn({ repository: repositoryOf(sync), revision }, needed);
}

/** States found on the way: syncs that come first may be shared. */
type Known = Map<SyncRuntime, SyncState>;

function stateOf(agent: AgentContext, sync: SyncRuntime, known: Known): SyncState {
  const before = known.get(sync);
  if (before !== undefined) return before;
  const state = syncState(seenOf(agent, sync, known).facts);
  known.set(sync, state);
  return state;
}

/** A sync whose turn has come meanwhile is passed at once, and says until then what it says of any commit. */
function dependencyOf(agent: AgentContext, sync: SyncRuntime, known: Known): SyncWait | undefined {
  const { report } = sync;
  if (report?.syncWait === undefined || report.attemptedRevision === undefined) return undefined;
  const turn = turnOfSync(agent, sync, report.attemptedRevision, known);
  return turn.kind === 'ready' ? undefined : turn;
}

function repositoryOf({ settings }: SyncRuntime): string {
  const { url, branch } = settings.source.git;
  return `${url} ${branch}`;
}

function heldBy({ standIn }: SyncRuntime) {
  return standIn?.kind === 'holds' ? standIn : undefined;
}

function countRows(agent: AgentContext, sync: SyncRuntime, rows: readonly InventoryRow[]): SyncCounts {
  const waiting = new Set(sync.report?.waiting.map(({ row }) => row.key));
  const wanted = rows.filter((row) => !waiting.has(row.key));
  const states = wanted.map((row) => healthOf(agent, row));
  return {
    desired: sync.report?.desired ?? heldBy(sync)?.objects ?? 0,
    current: states.filter((state) => state === 'Current').length,
    inProgress: states.filter((state) => state === 'InProgress').length,
    failed: states.filter((state) => state === 'Failed').length,
    held: waiting.size,
    paused: rows.filter((row) => objectPause(agent.inventory.inventory.pauses, row.key) !== undefined).length,
    pruned: sync.report?.pruned ?? 0,
  };
}

/** Told apart from those whose turn will come. */
function isHeldBack({ code }: SottoError): boolean {
  return code === 'SOTTO-PLAN-061';
}

interface Readiness {
  readonly isLate: boolean;
  /** Objects whose turn does not come before somebody mends another one. */
  readonly heldBack: number;
}

function factsOf(
  agent: AgentContext,
  sync: SyncRuntime,
  counts: SyncCounts,
  { isLate: timedOut, heldBack }: Readiness,
): SyncFacts {
  const { settings, report, trouble } = sync;
  const pause = syncPause(agent.inventory.inventory.pauses, settings.name);
  return {
    suspended: settings.suspend,
    paused: pause && `paused by ${pause.by} until ${rfc3339(pause.until)}: ${pause.reason}`,
    trouble: trouble && {
      code: trouble.error.code,
      message: trouble.error.what,
      mends: trouble.needsPerson ? 'person' : 'itself',
    },
    pendingPlans: report?.held === undefined ? 0 : 1,
    wantedRevision: sync.snapshot?.revision,
    appliedRevision: report?.appliedRevision,
    held: heldBy(sync),
    counts,
    refused: (report?.refusals.length ?? 0) + heldBack,
    wait: settings.wait,
    timedOut,
  };
}

function sourceOf(sync: SyncRuntime): SourceStatus {
  const { url, branch } = sync.settings.source.git;
  const error = sync.trouble?.error;
  return {
    url,
    ref: branch,
    revision: sync.snapshot?.revision,
    error: error && { code: error.code, message: `${error.what}: ${error.why}`, next: error.next },
  };
}

/** The plan that is held whole, and the one of prunes that always need a yes. */
function pendingOf({ report }: SyncRuntime): PendingPlan[] {
  return [report?.held, report?.asked].flatMap((plan) => (plan === undefined ? [] : [pending(plan)]));
}

function pending({ planId, error, creates, prunes, pruned }: Held): PendingPlan {
  return { planId, why: error.why, creates, prunes, pruned: pruned.map((key) => displayObject(objectIdOf(key))) };
}

function pauseStatus({ target, until, by, reason }: Pause): PauseStatus {
  const common = { until: rfc3339(until), by, reason };
  return target.kind === 'sync'
    ? { sync: target.name, ...common }
    : { object: displayObject(objectIdOf(target.key)), ...common };
}
