import { sourceDigest } from '../core/digest.ts';
import { asSottoError, SottoError } from '../core/errors.ts';
import { displayObject, objectIdOf, type Revision } from '../core/ids.ts';
import { ordered } from '../plan/ordering.ts';
import { objectPause } from '../plan/pause.ts';
import type { InventoryRow } from '../plan/inventory.ts';
import { plan } from '../plan/plan.ts';
import type { DesiredObject } from '../render/desired.ts';
import { refuseVetoed } from '../render/veto.ts';
import type { Settings, SyncSettings } from '../settings/settings.ts';
import { carryOut } from './carry-out.ts';
import type { AgentContext } from './context.ts';
import { type LastObject, storable } from './last-parts.ts';
import { notKept } from './last-store.ts';
import { rowKinds, withoutBlocked } from './pass-stages.ts';
import type { PassEnd } from './report-pass.ts';
import type { SyncRuntime } from './sync-runtime.ts';

/** Of the settings that say what the objects of a sync are: with others, what was applied last says nothing. */
export function shapeOf(settings: SyncSettings, { plaintextSecrets }: Pick<Settings, 'plaintextSecrets'>): string {
  const { source, path, postBuild, sealedSecrets, skip, secretsIn } = settings;
  const { url, branch } = source.git;
  const said = [url, branch, source.ignore, path, postBuild ?? null, sealedSecrets, skip, secretsIn, plaintextSecrets];
  return sourceDigest('shape', JSON.stringify(said));
}

/** After a pass that did something, or saw another commit: what is applied now is kept, closed. It fails no pass. */
export async function keepLast(agent: AgentContext, sync: SyncRuntime, end: PassEnd): Promise<void> {
  const { last, inventory, log, syncs } = agent;
  if (!last.isUsed || agent.signal.aborted) return;
  const shape = shapeOf(sync.settings, agent.settings());
  const of = `${end.snapshot.commit} ${shape}`;
  const { applied, pruned } = end.outcome;
  if (sync.keptOf === of && applied + pruned === 0) return;
  const objects = [...sync.desired.values()].filter((object) => {
    const row = inventory.row(object.key);
    return row?.sync === sync.settings.name && isApplied(row, object) && storable(object);
  });
  const { name } = sync.settings;
  try {
    const { leftOut } = await last.keep({ sync: name, shape, objects, syncs: new Set(syncs.keys()) });
    sync.keptOf = of;
    for (const key of leftOut) {
      const error = notKept('the object is too large for a ConfigMap of its own').at({
        object: displayObject(objectIdOf(key)),
      });
      log.warn('not kept', { sync: name, code: error.code, error });
    }
  } catch (thrown) {
    const error = asSottoError(thrown);
    const known = error.code === 'SOTTO-KUBE-047' ? error : notKept(`${error.what}: ${error.why}`);
    log.warn('not kept', { sync: name, code: known.code, error: known });
  }
}

function isApplied(row: InventoryRow, object: { readonly digest: string }): boolean {
  return row.digest === object.digest && row.uid !== '' && row.left !== true;
}

/**
 * What was applied last in place of Git, which did not answer since the start: so much as is certain. An object without
 * a row has left, one of another digest was changed since; neither is touched. Called again until a pass was made.
 */
export async function standIn(agent: AgentContext, sync: SyncRuntime): Promise<void> {
  if (!agent.last.isUsed || sync.report !== undefined || agent.signal.aborted) return;
  const shape = shapeOf(sync.settings, agent.settings());
  if (sync.standIn?.kind === 'holds' && sync.standIn.shape !== shape) {
    sync.standIn = undefined;
    sync.desired.clear();
  }
  const isNew = sync.standIn?.kind !== 'holds';
  if (isNew && !(await load(agent, sync, shape))) return;
  await agent.cover(rowKinds(agent));
  leaveNewer(agent, sync);
  if (isNew) tellHeld(agent, sync);
  await mend(agent, sync, [...sync.desired.values()]);
}

async function load(agent: AgentContext, sync: SyncRuntime, shape: string): Promise<boolean> {
  // What cannot be used stays so until a pass keeps it anew.
  if (sync.standIn?.kind === 'unusable' && sync.standIn.error.code === 'SOTTO-KUBE-046') return false;
  const { name } = sync.settings;
  const { inventory } = agent.inventory;
  // Nothing was applied yet: then nothing can drift.
  if (appliedRows(agent, sync).length === 0) return false;
  let objects: readonly LastObject[];
  try {
    objects = await agent.last.read(name, shape);
  } catch (thrown) {
    tellUnusable(agent, sync, asSottoError(thrown));
    return false;
  }
  for (const object of objects.flatMap((each) => certain(agent, name, each) ?? []))
    sync.desired.set(object.key, object);
  const revision = inventory.revisions[name] as Revision | undefined;
  sync.standIn = { kind: 'holds', shape, revision, ...counts(agent, sync) };
  agent.changed();
  return true;
}

function appliedRows({ inventory }: AgentContext, { settings }: SyncRuntime): InventoryRow[] {
  const rows = [...inventory.inventory.rows.values()];
  return rows.filter(({ sync, uid, left }) => sync === settings.name && uid !== '' && left !== true);
}

function counts(agent: AgentContext, sync: SyncRuntime) {
  const missing = appliedRows(agent, sync).filter(({ key }) => !sync.desired.has(key)).length;
  return { objects: sync.desired.size, missing };
}

function tellHeld(agent: AgentContext, { settings, standIn: held }: SyncRuntime): void {
  if (held?.kind !== 'holds') return;
  const { revision, objects, missing } = held;
  agent.log.info('what was applied last stands in for Git', { sync: settings.name, revision, objects, missing });
}

/** Another commit has changed them, and the agent ended before it had stored that: only Git can tell what they should be. */
function leaveNewer(agent: AgentContext, sync: SyncRuntime): void {
  const newer = [...sync.desired.keys()].filter((key) => agent.live.isAppliedSince(key));
  if (newer.length === 0 || sync.standIn?.kind !== 'holds') return;
  for (const key of newer) sync.desired.delete(key);
  sync.standIn = { ...sync.standIn, ...counts(agent, sync) };
  const objects = newer.map((key) => displayObject(objectIdOf(key)));
  agent.log.info('left as they are until Git answers', { sync: sync.settings.name, objects });
  agent.changed();
}

function tellUnusable(agent: AgentContext, sync: SyncRuntime, error: SottoError): void {
  const before = sync.standIn;
  sync.standIn = { kind: 'unusable', error };
  if (before?.kind === 'unusable' && before.error.text() === error.text()) return;
  agent.log.warn('what was applied last cannot be used', { sync: sync.settings.name, code: error.code, error });
  agent.changed();
}

/** As it was applied last, by the row, and as Git would be allowed to have it now. */
function certain(agent: AgentContext, sync: string, { key, digest, tree }: LastObject): DesiredObject | undefined {
  const row = agent.inventory.row(key);
  const id = objectIdOf(key);
  if (row === undefined || row.sync !== sync || !isApplied(row, { digest })) return undefined;
  if (id.namespace !== agent.place.targetNamespace) return undefined;
  try {
    refuseVetoed({ id, tree }, agent.vetoes(), () => undefined);
  } catch (thrown) {
    if (thrown instanceof SottoError) return undefined;
    throw thrown;
  }
  const { apiVersion, file, line, encrypted } = row;
  return { id, key, apiVersion, tree, digest, file, line, encrypted };
}

/** What was changed or removed while nobody looked. Nothing is pruned, and nothing is made that was not there before. */
async function mend(agent: AgentContext, sync: SyncRuntime, objects: readonly DesiredObject[]): Promise<void> {
  const { settings } = sync;
  const set = { objects, refusals: [], skipped: [], warnings: [] };
  const { desired: inOrder, ordering } = ordered(set);
  const { inventory } = agent.inventory;
  const decided = plan({
    sync: settings.name,
    revision: undefined,
    desired: inOrder,
    refusals: [],
    inventory,
    inventoryLost: false,
    prune: { enabled: false, maxShare: 1, minimum: Number.POSITIVE_INFINITY, ask: [] },
    pruneWaits: undefined,
    approval: undefined,
    isPaused: (key) => objectPause(inventory.pauses, key) !== undefined,
    live: (key) => agent.live.view(key),
    claimedBy: () => undefined,
    wantedBy: () => undefined,
  });
  const due = withoutBlocked(agent, sync, decided);
  if (due.steps.length === 0) return;
  using opener = agent.opener(sync);
  await carryOut(agent, sync, { plan: due, ordering, refused: new Set() }, opener);
}
