import { SottoError } from '../core/errors.ts';
import { displayObject, objectIdOf, objectKey, type ObjectKey } from '../core/ids.ts';
import type { Refusal } from '../core/refusal.ts';
import type { ClosedDocument, Opened } from '../open/document.ts';
import { openFiles } from '../open/open.ts';
import { isSealedSecret } from '../open/sealed-document.ts';
import { apiVersionOf } from '../kube/resource.ts';
import type { Opener } from '../open/opener.ts';
import { isKept } from '../plan/keep.ts';
import type { InventoryRow } from '../plan/inventory.ts';
import { type Ordered, type Ordering, ranksIn } from '../plan/ordering.ts';
import { objectPause } from '../plan/pause.ts';
import { type ApplyStep, type Plan, plan, type PlanInput, type PruneStep } from '../plan/plan.ts';
import { compareRanks, type Rank, rankOf } from '../plan/rank.ts';
import { restartTrouble } from '../plan/restart.ts';
import type { DesiredObject, DesiredSet } from '../render/desired.ts';
import { render } from '../render/render.ts';
import type { Snapshot } from '../source/snapshot.ts';
import { announcedRow } from './applied.ts';
import { blockedUntilMs } from './blocked.ts';
import type { AgentContext } from './context.ts';
import { unknownDriftWord } from './drift-policy.ts';
import { sealedRule } from './sealed-rule.ts';
import { withVariables } from './substituting.ts';
import type { SyncRuntime } from './sync-runtime.ts';

/** Files that did not change since they were last read without a refusal are taken from there. */
export async function openSnapshot(
  agent: AgentContext,
  sync: SyncRuntime,
  snapshot: Snapshot,
  opener: Opener,
): Promise<Opened> {
  const known = sync.opened;
  const { sealedSecrets } = sync.settings;
  const fresh = snapshot.files.filter((file) => !known.has(fileKey(file)));
  const digests = new Set([...agent.inventory.inventory.rows.values()].map((row) => row.digest));
  const opened = await openFiles(fresh, {
    namespace: agent.place.targetNamespace,
    opener,
    sealed: sealedRule({ catalog: () => agent.catalog(), row: (key) => agent.inventory.row(key) }, sealedSecrets),
    isKnown: (digest) => digests.has(digest),
  });
  const byFile = Map.groupBy(opened.documents, (document) => document.file);
  const refused = new Set(opened.refusals.map((refusal) => refusal.file));
  const next = new Map<string, readonly ClosedDocument[]>();
  const documents: ClosedDocument[] = [];
  for (const file of snapshot.files) {
    const ofFile = known.get(fileKey(file)) ?? byFile.get(file.path) ?? [];
    documents.push(...ofFile);
    // What is passed through is asked again each time: the key may have come.
    const isSettled = !refused.has(file.path) && !ofFile.some(({ tree }) => isSealedSecret(tree));
    if (isSettled) next.set(fileKey(file), ofFile.map(withoutLines));
  }
  // Settings that came meanwhile may read SealedSecrets in another way: then everything is read anew.
  sync.opened = sync.settings.sealedSecrets === sealedSecrets ? next : new Map();
  return { documents, refusals: [...opened.refusals, ...snapshot.skipped.map(skippedEntry)] };
}

/** What is kept of a document between passes: `lineAt` would keep the whole node tree of its file. */
function withoutLines(document: ClosedDocument): ClosedDocument {
  const { file, line, tree, encryption, digest } = document;
  return { file, line, tree, encryption, digest, lineAt: () => undefined };
}

/** A manifest that became a link is no manifest any more, and what it held must not be pruned for it. */
function skippedEntry({ path, why, error: known }: Snapshot['skipped'][number]): Refusal {
  if (known !== undefined) return { error: known, file: path };
  const error = new SottoError({
    code: 'SOTTO-GIT-035',
    what: 'an entry of the path is not read',
    why,
    next: 'commit a plain file, or name the entry in .sourceignore',
    file: path,
  });
  return { error, file: path };
}

function fileKey(file: { readonly path: string; readonly blob: string }): string {
  return `${file.blob} ${file.path}`;
}

/** A kind that is not known may be new: the API server is asked once more before it is refused, and again later. */
export async function renderSet(
  agent: AgentContext,
  sync: SyncRuntime,
  said: { readonly documents: readonly ClosedDocument[]; readonly warnings: readonly SottoError[] },
): Promise<DesiredSet> {
  const { documents, refusals } = await withVariables(agent, sync, said.documents);
  let unknown = new Set<string>();
  const isNamespaced = (apiVersion: string, kind: string): boolean | undefined => {
    const resource = agent.catalog().find(apiVersion, kind);
    if (resource === undefined) unknown.add(`${apiVersion} ${kind}`);
    return resource?.namespaced;
  };
  const once = (): DesiredSet => {
    unknown = new Set();
    const rendered = render(documents, {
      targetNamespace: agent.place.targetNamespace,
      plaintextSecrets: agent.settings().plaintextSecrets,
      skip: sync.settings.skip,
      vetoes: agent.vetoes(),
      isNamespaced,
    });
    return { ...rendered, refusals: [...refusals, ...rendered.refusals] };
  };
  const first = once();
  const isUnknownKind = unknown.size > 0;
  if (isUnknownKind) await agent.rediscover();
  const set = isUnknownKind ? once() : first;
  sync.unknownKinds = [...unknown];
  // A refused file is read again next time: what is kept of a document between passes does not know its lines.
  const refused = new Set(set.refusals.map(({ file }) => file));
  sync.opened = new Map([...sync.opened].filter(([, ofFile]) => !ofFile.some(({ file }) => refused.has(file))));
  return {
    ...set,
    warnings: [
      ...said.warnings,
      ...set.warnings,
      ...set.objects.flatMap(unknownPolicy),
      ...set.objects.flatMap(noRestart),
    ],
  };
}

function unknownPolicy({ tree, file, line, id }: DesiredObject): SottoError[] {
  const word = unknownDriftWord(tree);
  if (word === undefined) return [];
  const error = new SottoError({
    code: 'SOTTO-PLAN-100',
    what: 'the annotation sotto.dev/drift has no value that is known',
    why: 'its values are ignore, fields, guard and exact',
    next: 'correct the annotation, or remove it',
    file,
    line,
    object: displayObject(id),
  });
  return [error];
}

function noRestart(object: DesiredObject): SottoError[] {
  const why = restartTrouble(object);
  if (why === undefined) return [];
  const error = new SottoError({
    code: 'SOTTO-PLAN-085',
    what: 'the annotation sotto.dev/restart-on-change does nothing here',
    why,
    next: 'correct the annotation, or remove it',
    file: object.file,
    line: object.line,
    object: displayObject(object.id),
  });
  return [error];
}

/** The kinds of everything in the inventory: what left Git must be looked at too. */
export function rowKinds(agent: AgentContext): { readonly apiVersion: string; readonly kind: string }[] {
  const kinds = new Map<string, { apiVersion: string; kind: string }>();
  for (const { apiVersion, key } of agent.inventory.inventory.rows.values()) {
    const { kind } = objectIdOf(key);
    kinds.set(`${apiVersion} ${kind}`, { apiVersion, kind });
  }
  const { resources } = agent.catalog();
  for (const hint of agent.inventory.hintedKinds) {
    const known = resources.find(({ group, kind }) => hint === (group === '' ? kind : `${kind}.${group}`));
    if (known?.namespaced !== true) continue;
    const [apiVersion, kind] = [apiVersionOf(known), known.kind];
    kinds.set(`${apiVersion} ${kind}`, { apiVersion, kind });
  }
  return [...kinds.values()];
}

export function decide(
  agent: AgentContext,
  sync: SyncRuntime,
  snapshot: Snapshot,
  desired: DesiredSet,
  refusals: readonly Refusal[],
): Plan {
  const decided = plan(planInput(agent, sync, snapshot, desired, refusals));
  for (const key of decided.left) sync.desired.delete(key);
  // A new commit may hold what was missing: everything is tried once.
  const isNewCommit = sync.report?.attemptedRevision !== snapshot.revision;
  return isNewCommit ? decided : withoutBlocked(agent, sync, decided);
}

/** What a plan of a sync is made of, as things are now. */
export function planInput(
  agent: AgentContext,
  sync: SyncRuntime,
  snapshot: Snapshot,
  desired: DesiredSet,
  refusals: readonly Refusal[],
): PlanInput {
  const { prune } = sync.settings;
  return {
    sync: sync.settings.name,
    revision: snapshot.revision,
    desired,
    refusals,
    inventory: agent.inventory.inventory,
    inventoryLost: agent.inventory.lost,
    prune: { ...prune, maxShare: prune.maxSharePercent / 100 },
    pruneWaits: siblingBehind(agent, sync, snapshot),
    approval: agent.inventory.inventory.approvals[sync.settings.name],
    isPaused: (key) => objectPause(agent.inventory.inventory.pauses, key) !== undefined,
    live: (key) => agent.live.view(key),
    claimedBy: (key) => claimedBy(agent, sync, key),
    wantedBy: (key) =>
      [...agent.syncs.values()].find((other) => other !== sync && other.wanted.has(key))?.settings.name,
  };
}

/**
 * Two syncs of one repository: an object that moved from one path to the other is taken over before it is pruned, so
 * pruning waits until the other sync has seen the same commit (product page: membership lives in the inventory).
 */
function siblingBehind(agent: AgentContext, sync: SyncRuntime, snapshot: Snapshot): string | undefined {
  const { url, branch } = sync.settings.source.git;
  for (const other of agent.syncs.values()) {
    const { git } = other.settings.source;
    if (other === sync || other.settings.suspend || git.url !== url || git.branch !== branch) continue;
    if (other.report?.attemptedRevision !== snapshot.revision) return other.settings.name;
  }
  return undefined;
}

/** The objects that refusals name. */
export function refusedKeys(refusals: readonly Refusal[]): ReadonlySet<ObjectKey> {
  return new Set(refusals.flatMap(({ id }) => (id === undefined ? [] : [objectKey(id)])));
}

/** Rows follow the sync, the file and the wishes of the manifest without an apply: a rename of a sync writes nothing. */
export function refreshRows(
  agent: AgentContext,
  sync: SyncRuntime,
  { desired, ordering }: Pick<Ordered, 'desired' | 'ordering'>,
): void {
  const ranks = ranksIn(ordering);
  const wanted = new Set<ObjectKey>([...desired.objects.map(({ key }) => key), ...refusedKeys(desired.refusals)]);
  sync.wanted = wanted;
  for (const [key, { action }] of sync.blocked) {
    const stands = action === 'apply' ? wanted.has(key) : !wanted.has(key) && agent.inventory.row(key) !== undefined;
    if (!stands) sync.blocked.delete(key);
  }
  for (const key of sync.fights.keys()) if (!wanted.has(key)) sync.fights.delete(key);
  for (const object of desired.objects) {
    const row = agent.inventory.row(object.key);
    if (row === undefined || claimedBy(agent, sync, object.key) !== undefined) continue;
    const { file, line } = object;
    const next = {
      ...row,
      sync: sync.settings.name,
      file,
      line,
      keep: isKept(object.tree),
      rank: ranks.get(object.key),
      left: undefined,
    };
    const isSame = ROW_PLACE.every((field) => row[field] === next[field]) && isSameRank(row, next);
    if (!isSame) agent.inventory.set(next);
    // A restart on an unchanged commit applies nothing, and corrections need the desired state all the same.
    if (row.digest === object.digest && row.uid !== '') sync.desired.set(object.key, object);
  }
}

const ROW_PLACE = ['sync', 'file', 'line', 'keep', 'left'] as const;

function isSameRank(a: InventoryRow, b: InventoryRow): boolean {
  return compareRanks(rankOf(a), rankOf(b)) === 0;
}

function claimedBy(agent: AgentContext, sync: SyncRuntime, key: ObjectKey): string | undefined {
  const row = agent.inventory.row(key);
  if (row === undefined || row.sync === sync.settings.name) return undefined;
  const other = agent.syncs.get(row.sync);
  return other?.desired.has(key) === true ? row.sync : undefined;
}

/** What the same request would meet again is reported again, not tried again. */
export function withoutBlocked(agent: AgentContext, sync: SyncRuntime, decided: Plan): Plan {
  const nowMs = agent.clock.elapsedMs();
  const refusals = [...decided.refusals];
  const steps = decided.steps.filter((step) => {
    const { key, digest, file, id } = step.action === 'apply' ? step.object : { ...step.row, id: step.id };
    const blocked = sync.blocked.get(key);
    const stands =
      blocked?.action === step.action && blocked.digest === digest && nowMs < blockedUntilMs(blocked, sync);
    if (stands) refusals.push({ error: blocked.error, file, id });
    return !stands;
  });
  return { ...decided, steps, refusals };
}

/**
 * Rows of what is applied for the first time are stored before it is: a kill in between leaves no orphan. So is what is
 * about to be pruned: an object that is gone does not tell who deleted it.
 */
export async function announce(
  agent: AgentContext,
  sync: SyncRuntime,
  decided: Pick<Plan, 'steps'>,
  ordering: Ordering,
): Promise<void> {
  const fresh = decided.steps.filter(
    (step): step is ApplyStep =>
      step.action === 'apply' && step.contact === 'first' && !isTriedFirst(agent, sync, step),
  );
  const prunes = decided.steps.filter((step): step is PruneStep => step.action === 'prune');
  const leaving = prunes.map(({ row }) => row).filter(({ uid, left }) => uid !== '' && left !== true);
  if (fresh.length + leaving.length === 0) return;
  for (const row of leaving) agent.inventory.set({ ...row, left: true });
  const ranks = ranksIn(ordering);
  for (const { object } of fresh) announceOne(agent, sync, object, ranks.get(object.key));
  await agent.inventory.store();
}

export function announceOne(
  agent: AgentContext,
  sync: SyncRuntime,
  object: DesiredObject,
  rank: Rank | undefined,
): void {
  if (agent.inventory.row(object.key) !== undefined) return;
  agent.inventory.set({ ...announcedRow(sync.settings.name, object), rank });
  sync.announced.add(object.key);
}

/** There was no right to make it: a dry run asks whether there is one by now, so that no row comes and goes each time. */
export function isTriedFirst(agent: AgentContext, sync: SyncRuntime, { object, contact }: ApplyStep): boolean {
  const isRefused = sync.blocked.get(object.key)?.error.code === 'SOTTO-KUBE-003';
  return isRefused && contact === 'first' && agent.inventory.row(object.key) === undefined;
}

/** Rows of objects that are no longer ours to keep, and rows that another sync keeps from now on. */
export function release(agent: AgentContext, sync: SyncRuntime, decided: Plan): void {
  handOver(agent, sync, decided);
  for (const key of decided.released) {
    agent.inventory.delete(key);
    agent.live.forget(key);
  }
}

/** Writes no object; a sync that waits does it too, for the one it waits for may be the one that takes the object. */
export function handOver(agent: AgentContext, sync: SyncRuntime, decided: Plan): void {
  for (const [key, name] of decided.movedTo) {
    const row = agent.inventory.row(key);
    const other = agent.syncs.get(name);
    if (row === undefined || other === undefined) continue;
    agent.inventory.set({ ...row, sync: name });
    sync.desired.delete(key);
    other.stale = true;
    agent.wake(name);
  }
}
