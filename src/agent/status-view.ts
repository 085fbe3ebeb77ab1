import { rfc3339 } from '../core/clock.ts';
import type { ErrorJson, SottoError } from '../core/errors.ts';
import { displayObject, objectIdOf, type ObjectKey } from '../core/ids.ts';
import { shellWord } from '../core/shell-word.ts';
import { EXPRESSION_FAILED } from '../health/by-expression.ts';
import type { Health } from '../health/result.ts';
import type { Held } from '../plan/hold.ts';
import type { InventoryRow } from '../plan/inventory.ts';
import { objectPause, type Pause, syncPause } from '../plan/pause.ts';
import type { KeyRing } from '../keys/ring.ts';
import { buildStatus, type SyncInput } from '../report/build-status.ts';
import type { SettingsState } from '../settings/last-good.ts';
import type {
  Attention,
  CorrectionStatus,
  HandledRequest,
  PauseStatus,
  PendingPlan,
  RendererStatus,
  SourceStatus,
  StatusDocument,
  SyncCounts,
} from '../report/status.ts';
import { type SyncFacts, syncState } from '../report/sync-state.ts';
import type { AgentContext } from './context.ts';
import { orphanNote, orphanStatus } from './orphans.ts';
import type { SyncRuntime } from './sync-runtime.ts';
import { waitError } from './waits.ts';

export interface StatusSources {
  readonly agent: AgentContext;
  readonly startedAt: Date;
  readonly settings: SettingsState;
  readonly ring: KeyRing | undefined;
  readonly renderer: RendererStatus | undefined;
  readonly corrections: readonly CorrectionStatus[];
  /** Oldest first. */
  readonly handled: readonly HandledRequest[];
}

/** The status document as of now. */
export function statusOf(sources: StatusSources): StatusDocument {
  const { agent, startedAt, settings, ring, renderer, corrections, handled } = sources;
  const { version, instance } = agent.place;
  const certificate = ring?.sealingCertificate;
  const orphans = orphanStatus(agent);
  const notes = orphans === undefined ? [] : [orphanNote(orphans)];
  const general = [...settings.problems, ...(ring?.problems ?? []), ...notes].map((error) => attention(error));
  const syncs = [...agent.syncs.values()].map((sync) => viewSync(agent, sync));
  return buildStatus({
    agent: { version, instance, startedAt: rfc3339(startedAt) },
    // Settings and keys are everybody's: each sync tells what may be the reason of its own trouble.
    syncs: syncs.map((sync) => ({ ...sync, attention: [...sync.attention, ...general] })),
    orphans,
    pauses: agent.inventory.inventory.pauses.map(pauseStatus),
    handled,
    sealing: certificate && { fingerprint: certificate.fingerprint, notBefore: rfc3339(certificate.notBefore) },
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
    corrections,
  });
}

/** One sync as the status document tells it. Reads state; decides nothing. */
export function viewSync(agent: AgentContext, sync: SyncRuntime): SyncInput {
  const { settings, report } = sync;
  const held = heldBy(sync);
  const rows = [...agent.inventory.inventory.rows.values()].filter((row) => row.sync === settings.name);
  const counts = countRows(agent, sync, rows);
  const late = new Set(rows.filter((row) => isLate(agent, sync, row)).map(({ key }) => key));
  const waits = (report?.waits ?? []).map((waiting) => waitError(agent, waiting, (key) => late.has(key)));
  const facts = factsOf(agent, sync, counts, { isLate: late.size > 0, heldBack: waits.filter(isHeldBack).length });
  return {
    name: settings.name,
    ...syncState(facts),
    source: sourceOf(sync),
    lastApplied: held && { revision: held.revision, objects: held.objects, missing: held.missing },
    appliedRevision: report?.appliedRevision ?? held?.revision,
    attemptedRevision: report?.attemptedRevision,
    counts,
    attention: attentionOf(agent, sync, rows, late, waits),
    pending: pendingOf(sync),
  };
}

function heldBy({ standIn }: SyncRuntime) {
  return standIn?.kind === 'holds' ? standIn : undefined;
}

/** When the next object that is still waited for becomes late, on the monotonic clock; undefined when none does. */
export function nextLateMs(agent: AgentContext): number | undefined {
  const nowMs = agent.clock.elapsedMs();
  const due = [...agent.inventory.inventory.rows.values()].flatMap((row) => {
    const sync = agent.syncs.get(row.sync);
    const isWaited =
      sync?.settings.wait === true || sync?.report?.waits.some(({ on }) => on.includes(row.key)) === true;
    const lateMs = sync !== undefined && isWaited ? lateAtMs(agent, sync, row) : undefined;
    return lateMs !== undefined && lateMs > nowMs ? [lateMs] : [];
  });
  return due.length === 0 ? undefined : due.reduce((a, b) => Math.min(a, b));
}

function isLate(agent: AgentContext, sync: SyncRuntime, row: InventoryRow): boolean {
  const lateMs = lateAtMs(agent, sync, row);
  return lateMs !== undefined && agent.clock.elapsedMs() >= lateMs;
}

/** `timeout` counts from the apply that began the wait, or from when the object ceased to be ready. */
function lateAtMs(agent: AgentContext, sync: SyncRuntime, row: InventoryRow): number | undefined {
  if (healthOf(agent, row) !== 'InProgress') return undefined;
  const sinceMs = agent.live.waitsSinceMs(row.key);
  return sinceMs === undefined ? undefined : sinceMs + sync.settings.timeoutMs;
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

function healthOf(agent: AgentContext, row: InventoryRow): 'Current' | 'InProgress' | 'Failed' {
  // A Pod that failed is Current while it is there, too.
  if (isEndedAndGone(agent, row)) return row.failed && objectIdOf(row.key).kind === 'Job' ? 'Failed' : 'Current';
  if (agent.live.uid(row.key) === undefined) return 'InProgress';
  // Seen as metadata only (Secrets): there is nothing to become ready.
  const status = agent.live.health(row.key)?.status ?? 'Current';
  return status === 'Current' || status === 'Failed' ? status : 'InProgress';
}

function isEndedAndGone({ live }: AgentContext, row: InventoryRow): boolean {
  return row.done && live.view(row.key) === 'absent';
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

function attentionOf(
  agent: AgentContext,
  sync: SyncRuntime,
  rows: readonly InventoryRow[],
  late: ReadonlySet<ObjectKey>,
  waits: readonly SottoError[],
): Attention[] {
  const { report } = sync;
  const { standIn } = sync;
  const unused = standIn?.kind === 'unusable' ? [standIn.error] : [];
  const all = [...(sync.trouble?.all ?? []), ...unused].map((error) => attention(error));
  const refused = [...(report?.refusals ?? []).map(({ error }) => error), ...waits].map((error) => attention(error));
  const waiting = (report?.waiting ?? []).map(({ row, error }) =>
    attention(error.at({ file: row.file, line: row.line })),
  );
  const warned = (report?.warnings ?? []).map((error) => attention(error));
  const held = report?.held === undefined ? [] : [attention(report.held.error)];
  const rewound = sync.snapshot?.rewound === undefined ? [] : [rewoundNote(sync.snapshot.rewound.from)];
  const named = new Set([...refused, ...waiting].map((item) => item.object));
  const unreadyOnes = unready(agent, sync, rows, late).filter(({ object }) => !named.has(object));
  const blocked = [...[...sync.blocked.values()].map(({ error }) => error), ...sync.fights.values()]
    .map((error) => attention(error))
    .filter(({ object }) => !named.has(object));
  return [...all, ...refused, ...waiting, ...warned, ...held, ...rewound, ...blocked, ...unreadyOnes];
}

function attention(error: SottoError): Attention {
  const json: ErrorJson = error.toJSON();
  const { code, message, object, file, line, key, next } = json;
  return { code, message, object, file, line, key, next };
}

function rewoundNote(from: string): Attention {
  return {
    code: 'SOTTO-GIT-018',
    message: `rewound: the branch does not come after ${from.slice(0, 12)}, the commit applied before; it is followed`,
    next: 'nothing, if the branch was rewritten on purpose; to refuse such commits set requireFastForward: true',
  };
}

/** Failed at once, still in progress only after the timeout. */
function unready(
  agent: AgentContext,
  sync: SyncRuntime,
  rows: readonly InventoryRow[],
  late: ReadonlySet<ObjectKey>,
): Attention[] {
  if (!sync.settings.wait) return [];
  return rows.flatMap((row) => {
    const state = healthOf(agent, row);
    const health = agent.live.health(row.key);
    if (state !== 'Current' && health?.reason === EXPRESSION_FAILED) return [unjudged(row, health)];
    if (state === 'Current' || (state === 'InProgress' && !late.has(row.key))) return [];
    if (isEndedAndGone(agent, row)) return [failedAndGone(row)];
    const id = objectIdOf(row.key);
    const why = health === undefined ? 'it is not there' : `${health.reason}: ${health.message}`;
    const item: Attention = {
      code: 'SOTTO-PLAN-011',
      message: `${state === 'Failed' ? 'the object failed' : 'the object is not ready in time'}: ${why}`,
      object: displayObject(id),
      file: row.file,
      line: row.line,
      next: `kubectl describe ${id.kind.toLowerCase()} ${shellWord(id.name)} -n ${id.namespace}`,
    };
    return [item];
  });
}

/** Its TTL, or somebody, removed it: it is not run again for that. */
function failedAndGone({ key, file, line }: InventoryRow): Attention {
  const { namespace } = objectIdOf(key);
  const object = displayObject(objectIdOf(key));
  return {
    code: 'SOTTO-PLAN-011',
    message: 'the object failed: it ended, and is gone since',
    object,
    file,
    line,
    next: `change it in Git: it is run again then   (kubectl get events -n ${namespace})`,
  };
}

/** Waiting does not mend an expression. */
function unjudged({ key, file, line }: InventoryRow, { message }: Health): Attention {
  return {
    code: 'SOTTO-PLAN-071',
    message: `whether the object is ready cannot be told: ${message}`,
    object: displayObject(objectIdOf(key)),
    file,
    line,
    next: 'correct the expression for this kind in syncs[].health.expressions of the settings',
  };
}
