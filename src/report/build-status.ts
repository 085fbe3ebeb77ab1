import { LIMITS } from '../core/limits.ts';
import { sanitise, TEXT_LENGTHS, withoutUserinfo } from './sanitise.ts';
import type {
  AgentStatus,
  Attention,
  CorrectionStatus,
  ExposureStatus,
  FingerprintStatus,
  HandledRequest,
  KeyStatus,
  OrphanStatus,
  PauseStatus,
  ReceiptsStatus,
  RehearsalStatus,
  RendererStatus,
  RotationStatus,
  SealingStatus,
  StatusDocument,
  SyncStatus,
} from './status.ts';
import { STATUS_SCHEMA, statusText } from './status.ts';

/** A sync as the agent knows it: all of its attention, uncounted. */
export type SyncInput = Omit<SyncStatus, 'attentionTotal'>;

/** Everything the document is made of, complete and in any order. `handled` is oldest first, as requests end. */
export interface StatusInput {
  readonly agent: AgentStatus;
  readonly syncs: readonly SyncInput[];
  readonly orphans?: OrphanStatus | undefined;
  readonly exposures?: readonly ExposureStatus[] | undefined;
  readonly pauses: readonly PauseStatus[];
  readonly handled: readonly HandledRequest[];
  readonly sealing?: SealingStatus | undefined;
  readonly receipts?: ReceiptsStatus | undefined;
  readonly renderer?: RendererStatus | undefined;
  readonly fingerprint?: FingerprintStatus | undefined;
  readonly keys: readonly KeyStatus[];
  readonly rotations?: readonly RotationStatus[] | undefined;
  readonly rehearsal?: RehearsalStatus | undefined;
  readonly corrections: readonly CorrectionStatus[];
}

interface Caps {
  readonly attention: number;
  readonly corrections: number;
  readonly others: number;
}

/** Keys, pauses and pending plans: far more than a namespace has, so that only a defect or an attack meets it. */
const MAX_OTHERS = 500;
const MAX_PATHS = 20;
const MAX_PRUNED = 20;
const MAX_EXPOSED = 50;
/** Of each list of what another fingerprint key would change. */
const MAX_PLANNED = 200;

/**
 * The status document: foreign text made harmless, lists within their caps, the whole within LIMITS.maxStatusBytes.
 * What does not fit is taken from attention first (its total stays true), then from corrections, then from keys and
 * pauses; a sync is never left out.
 */
export function buildStatus(input: StatusInput): StatusDocument {
  const clean = cleanInput(input);
  let caps: Caps = { attention: LIMITS.maxAttention, corrections: LIMITS.maxCorrections, others: MAX_OTHERS };
  for (;;) {
    const document = withinCaps(clean, caps);
    const tighter = tighten(caps);
    if (tighter === undefined || Buffer.byteLength(statusText(document)) <= LIMITS.maxStatusBytes) return document;
    caps = tighter;
  }
}

function tighten(caps: Caps): Caps | undefined {
  if (caps.attention > 0) return { ...caps, attention: Math.floor(caps.attention / 2) };
  if (caps.corrections > 0) return { ...caps, corrections: Math.floor(caps.corrections / 2) };
  if (caps.others > 0) return { ...caps, others: Math.floor(caps.others / 2) };
  return undefined;
}

function withinCaps(input: StatusInput, caps: Caps): StatusDocument {
  return {
    schema: STATUS_SCHEMA,
    agent: input.agent,
    syncs: input.syncs.map((sync) => ({
      ...sync,
      attentionTotal: sync.attention.length,
      attention: groupByCode(sync.attention, caps.attention),
      pending: sync.pending.slice(0, caps.others),
    })),
    ...(input.orphans === undefined ? {} : { orphans: input.orphans }),
    ...(input.exposures === undefined || input.exposures.length === 0
      ? {}
      : { exposures: input.exposures.map((exposure) => exposedWithin(exposure, Math.min(MAX_EXPOSED, caps.others))) }),
    pauses: input.pauses.slice(0, caps.others),
    handled: input.handled.slice(-LIMITS.maxHandled),
    ...(input.sealing === undefined ? {} : { sealing: input.sealing }),
    ...(input.receipts === undefined ? {} : { receipts: input.receipts }),
    ...(input.renderer === undefined ? {} : { renderer: input.renderer }),
    ...(input.fingerprint === undefined ? {} : { fingerprint: input.fingerprint }),
    keys: input.keys.slice(0, caps.others),
    ...(input.rotations === undefined || input.rotations.length === 0
      ? {}
      : { rotations: input.rotations.slice(0, caps.others) }),
    ...(input.rehearsal === undefined ? {} : { rehearsal: input.rehearsal }),
    corrections: input.corrections.slice(0, caps.corrections),
  };
}

/** The total stays true. */
function exposedWithin(exposure: ExposureStatus, max: number): ExposureStatus {
  return { ...exposure, values: exposure.values.slice(0, max) };
}

/**
 * Items of one code stand together, codes and objects in alphabetical order so that an unchanged state has unchanged
 * text. When not all fit, every code keeps some: a thousand refused objects must not hide the one broken file.
 */
export function groupByCode(attention: readonly Attention[], max: number): readonly Attention[] {
  const groups = [...Map.groupBy(attention.toSorted(byCodeAndPlace), (item) => item.code).values()];
  const shares = fairShares(
    groups.map((group) => group.length),
    max,
  );
  return groups.flatMap((group, index) => group.slice(0, shares[index] ?? 0));
}

/** Splits `max` among groups of these sizes: small groups get all they need, large ones share the rest evenly. */
export function fairShares(sizes: readonly number[], max: number): readonly number[] {
  const shares = sizes.map(() => 0);
  let left = max;
  const bySize = sizes.map((size, index) => ({ size, index })).toSorted((a, b) => a.size - b.size);
  for (const [rank, { size, index }] of bySize.entries()) {
    const share = Math.min(size, Math.floor(left / (bySize.length - rank)));
    shares[index] = share;
    left -= share;
  }
  return shares;
}

function byCodeAndPlace(a: Attention, b: Attention): number {
  return (
    compare(a.code, b.code) ||
    compare(a.object ?? '', b.object ?? '') ||
    compare(a.file ?? '', b.file ?? '') ||
    (a.line ?? 0) - (b.line ?? 0) ||
    compare(a.key ?? '', b.key ?? '')
  );
}

/** By code unit, not by locale: the same on every machine. */
function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function cleanInput(input: StatusInput): StatusInput {
  return {
    agent: { ...input.agent, version: name(input.agent.version), instance: name(input.agent.instance) },
    syncs: input.syncs.map(cleanSync).toSorted((a, b) => compare(a.name, b.name)),
    orphans: input.orphans && { ...input.orphans, objects: input.orphans.objects.map(name) },
    exposures: input.exposures?.map(({ key, reason, by, values, ...exposure }) => ({
      ...exposure,
      key: name(key),
      reason: sanitise(reason),
      by: name(by),
      values: values.slice(0, MAX_EXPOSED).map(({ file, key: at }) => ({ file: name(file), key: name(at) })),
    })),
    pauses: input.pauses.map((pause) => ({ ...cleanTarget(pause), ...cleanPause(pause) })),
    handled: input.handled.map((item) => ({ ...item, id: name(item.id), message: sanitise(item.message) })),
    sealing: input.sealing,
    receipts: input.receipts,
    renderer: input.renderer && cleanRenderer(input.renderer),
    fingerprint: input.fingerprint && cleanFingerprint(input.fingerprint),
    keys: input.keys.map((key) => ({ ...key, id: name(key.id), secret: name(key.secret) })).toSorted(byKindAndId),
    rotations: input.rotations?.map(cleanRotation),
    rehearsal: input.rehearsal && { ...input.rehearsal, by: name(input.rehearsal.by) },
    corrections: input.corrections.map(cleanCorrection).toSorted((a, b) => compare(b.at, a.at)),
  };
}

function cleanSync(sync: SyncInput): SyncInput {
  const { source } = sync;
  const error = source.error && {
    code: source.error.code,
    message: sanitise(source.error.message),
    next: sanitise(source.error.next),
  };
  return {
    name: name(sync.name),
    state: sync.state,
    reason: name(sync.reason),
    message: sanitise(sync.message),
    source: { url: withoutUserinfo(source.url), ref: name(source.ref), revision: optional(source.revision), error },
    lastApplied: sync.lastApplied && { ...sync.lastApplied, revision: optional(sync.lastApplied.revision) },
    appliedRevision: optional(sync.appliedRevision),
    attemptedRevision: optional(sync.attemptedRevision),
    counts: sync.counts,
    attention: sync.attention.map(cleanAttention),
    pending: sync.pending.map(({ planId, why, creates, prunes, pruned }) => ({
      planId: name(planId),
      why: sanitise(why),
      creates,
      prunes,
      pruned: pruned.slice(0, MAX_PRUNED).map((object) => name(object)),
    })),
  };
}

function cleanAttention(item: Attention): Attention {
  return {
    object: optional(item.object),
    code: item.code,
    message: sanitise(item.message),
    file: optional(item.file),
    line: item.line,
    key: optional(item.key),
    next: sanitise(item.next),
  };
}

function cleanRenderer(renderer: RendererStatus): RendererStatus {
  return { ...renderer, kustomize: optional(renderer.kustomize) };
}

function cleanFingerprint({ id, former, waits, plan }: FingerprintStatus): FingerprintStatus {
  const named = (objects: readonly string[]): string[] => objects.slice(0, MAX_PLANNED).map(name);
  return {
    id,
    former,
    waits: waits && sanitise(waits),
    plan: plan && {
      planId: plan.planId,
      restarts: plan.restarts.slice(0, MAX_PLANNED).map(({ object, why }) => ({ object: name(object), why })),
      renames: named(plan.renames),
      changes: named(plan.changes),
      holds: plan.holds.map(({ sync, why }) => ({ sync: name(sync), why: sanitise(why) })),
      total: plan.total,
    },
  };
}

function cleanTarget(pause: PauseStatus): { object: string } | { sync: string } {
  return 'object' in pause ? { object: name(pause.object) } : { sync: name(pause.sync) };
}

function cleanPause(pause: PauseStatus): Pick<PauseStatus, 'until' | 'by' | 'reason'> {
  return { until: optional(pause.until), by: name(pause.by), reason: sanitise(pause.reason) };
}

function cleanRotation(item: RotationStatus): RotationStatus {
  const { pushed } = item;
  return {
    ...item,
    old: name(item.old),
    secret: name(item.secret),
    oldSecret: name(item.oldSecret),
    pushed: pushed && { ...pushed, url: withoutUserinfo(pushed.url), branch: name(pushed.branch) },
  };
}

function cleanCorrection(item: CorrectionStatus): CorrectionStatus {
  return {
    ...item,
    object: name(item.object),
    paths: item.paths.slice(0, MAX_PATHS).map(name),
    manager: name(item.manager),
    operation: name(item.operation),
    tookMs: Math.round(item.tookMs),
  };
}

function byKindAndId(a: KeyStatus, b: KeyStatus): number {
  return compare(a.kind, b.kind) || compare(a.id, b.id);
}

function name(text: string): string {
  return sanitise(text, TEXT_LENGTHS.name);
}

function optional(text: string | undefined): string | undefined {
  return text === undefined ? undefined : name(text);
}
