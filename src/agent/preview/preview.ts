import { ownerOf } from '../../apply/first-contact.ts';
import { SottoError } from '../../core/errors.ts';
import { type ObjectKey, objectIdOf } from '../../core/ids.ts';
import { type JsonObject, member, stringAt } from '../../core/json.ts';
import { INVENTORY_NAME } from '../../core/labels.ts';
import type { Refusal } from '../../core/refusal.ts';
import { kubeError } from '../../kube/errors.ts';
import { getMetadata, getObject } from '../../kube/objects.ts';
import { CONFIG_MAPS } from '../../kube/resource.ts';
import { Opener, type OpenKeys } from '../../open/opener.ts';
import { applySetId } from '../../plan/applyset.ts';
import { EMPTY_INVENTORY, type Inventory, type InventoryRow, unverified } from '../../plan/inventory.ts';
import type { DesiredObject } from '../../render/desired.ts';
import type { Renderer } from '../../render/kustomize/renderer.ts';
import type { Settings } from '../../settings/settings.ts';
import { Lanes } from '../lanes.ts';
import { liveObject, type Look, previewObject } from './object.ts';
import { goneObjects, planSyncs, type SyncPlan, type SyncWish } from './plan-syncs.ts';
import { NO_DIFFERENCES, type Preview, type Previewed } from './previewed.ts';
import type { SyncFiles } from './sync-files.ts';
import { askWishes } from './wishes.ts';

export interface PreviewContext extends Omit<Look, 'setId' | 'opener'> {
  readonly agentNamespace: string;
  readonly settings: Settings;
  readonly keys: OpenKeys;
  /** Undefined where there is no kustomize. */
  readonly renderer: Renderer | undefined;
  /** The syncs given are all of the settings, so what they do not have has left Git. */
  readonly isWhole: boolean;
}

/** Objects that are looked at at once. */
const PARALLEL = 4;

/** The down flow stopped before anything is written: what a pass over these files would do to the live namespace. */
export async function preview(syncs: readonly SyncFiles[], context: PreviewContext): Promise<Preview> {
  using opener = new Opener(context.keys);
  const look: Look = { ...context, opener, setId: applySetId(INVENTORY_NAME, context.agentNamespace) };
  const recorded = await recordedState(context);
  const { wishes, refusedPaths } = await askWishes(syncs, { ...context, opener }, recorded);
  const lanes = new Lanes(PARALLEL, () => undefined);
  const seen = await seenObjects(wishes, look, lanes);
  const plans = planSyncs(wishes, {
    rows: recorded?.rows ?? new Map(),
    rowsLost: recorded === undefined,
    live: (key) => (seen.get(key) === undefined ? 'absent' : 'unsure'),
  });
  const parts = await Promise.all(plans.map((planned) => previewSync(planned, seen, look, lanes)));
  const gone = context.isWhole ? await previewGone(plans, parts, look) : [];
  return {
    changes: [...refusedPaths.map(refused), ...parts.flatMap(({ changes }) => changes), ...gone],
    unchanged: parts.reduce((sum, { unchanged }) => sum + unchanged, 0),
    warnings: [
      ...wishes.flatMap(({ desired }) => desired.warnings),
      ...(recorded === undefined ? [unreadableRows()] : []),
    ],
    suspended: syncs.filter(({ sync }) => sync.suspend).map(({ sync }) => sync.name),
    prunesShown: context.isWhole,
    hasKeys: Object.values(context.keys).some((keys) => keys.length > 0),
  };
}

function refused(error: SottoError): Previewed {
  return { kind: 'refused', error, ...NO_DIFFERENCES };
}

type Seen = ReadonlyMap<ObjectKey, JsonObject | SottoError | undefined>;

async function seenObjects(wishes: readonly SyncWish[], look: Look, lanes: Lanes): Promise<Seen> {
  const objects = new Map(wishes.flatMap(({ desired }) => desired.objects.map((object) => [object.key, object])));
  const found = [...objects].map(async ([key, object]) => {
    const resource = resourceOf(object, look);
    const live = resource && (await lanes.run(key, 'commit', () => liveObject(object, resource, look)));
    // Without the server every object would say the same.
    if (live instanceof SottoError && live.code === 'SOTTO-KUBE-001') throw live;
    return [key, live] as const;
  });
  return new Map(await Promise.all(found));
}

function resourceOf(object: DesiredObject, { catalog }: Look) {
  return catalog.find(object.apiVersion, object.id.kind);
}

/** What the agent has recorded; undefined when there is something and it cannot be read. */
async function recordedState(context: PreviewContext): Promise<Pick<Inventory, 'rows' | 'tokens'> | undefined> {
  const { transport, agentNamespace, signal, user } = context;
  const target = { resource: CONFIG_MAPS, namespace: agentNamespace, name: INVENTORY_NAME, signal };
  const answer = await getObject(transport, target);
  if (!answer.ok) throw kubeError(answer.failure, { ...target, verb: 'get', user });
  if (answer.value === undefined) return EMPTY_INVENTORY;
  return unverified(Buffer.from(stringAt(answer.value, 'binaryData', 'inventory') ?? '', 'base64'));
}

interface SyncPreview {
  readonly changes: readonly Previewed[];
  readonly unchanged: number;
  /** The first thing that a pass would be refused while it applies: nothing is pruned then. */
  readonly firstRefusal: Refusal | undefined;
}

async function previewSync(planned: SyncPlan, seen: Seen, look: Look, lanes: Lanes): Promise<SyncPreview> {
  const { sync, applies, desired, refusals, decided, unopened, rows } = planned;
  const tries = applies.map(async (step): Promise<Previewed | undefined> => {
    const { object } = step;
    const resource = resourceOf(object, look);
    const live = seen.get(object.key);
    if (resource === undefined) return undefined;
    if (live instanceof SottoError) return refused(live.at({ file: object.file, line: object.line }));
    const tried = { step, resource, sync, live, row: rows.get(object.key), unopened: unopened.get(object.digest) };
    return lanes.run(object.key, 'commit', (body) => previewObject(tried, look, body));
  });
  const found = await Promise.all(tries);
  const changes = found.filter((each) => each !== undefined);
  const away = changes.find((each) => each.kind === 'refused' && each.error.code === 'SOTTO-KUBE-001');
  if (away?.kind === 'refused') throw away.error;
  const firstError = changes.find((each) => each.kind === 'refused')?.error;
  const firstRefusal =
    decided.refusals[0] ?? (firstError && { error: firstError, file: firstError.place.file ?? 'a file' });
  const before = [...refusals, ...desired.refusals, ...decided.refusals].map(({ error }) => refused(error));
  return {
    changes: [...before, ...changes],
    unchanged: decided.unchanged + found.length - changes.length,
    firstRefusal,
  };
}

/** What left Git. An object that is gone already, or is another one by now, is nobody's to prune. */
async function previewGone(
  plans: readonly SyncPlan[],
  parts: readonly SyncPreview[],
  look: Look,
): Promise<readonly Previewed[]> {
  const wanted = new Set(plans.flatMap(({ desired }) => desired.objects.map(({ key }) => key)));
  const names = new Set(plans.map(({ sync }) => sync.name));
  const left = [...(plans[0]?.rows.values() ?? [])].filter((row) => names.has(row.sync) && !wanted.has(row.key));
  const there = new Set<ObjectKey>();
  const unseen: Previewed[] = [];
  for (const row of left) {
    const found = await isStillOurs(row, look);
    if (found instanceof SottoError) unseen.push(refused(found));
    else if (found) there.add(row.key);
  }
  const gone = plans.flatMap((planned, index) =>
    goneObjects(planned, parts[index]?.firstRefusal, (row) => there.has(row.key)),
  );
  return [...gone, ...unseen];
}

async function isStillOurs(row: InventoryRow, look: Look): Promise<boolean | SottoError> {
  const { namespace, name, kind } = objectIdOf(row.key);
  const resource = look.catalog.find(row.apiVersion, kind);
  if (resource === undefined) return false;
  const target = { resource, namespace, name, signal: look.signal };
  const answer = await getMetadata(look.transport, target);
  if (!answer.ok) return kubeError(answer.failure, { ...target, verb: 'get', user: look.user });
  if (answer.value === undefined) return false;
  if (row.uid === '') return ownerOf(member(answer.value, 'metadata'), look.setId).kind === 'ours';
  return stringAt(answer.value, 'metadata', 'uid') === row.uid;
}

function unreadableRows(): SottoError {
  return new SottoError({
    code: 'SOTTO-PLAN-009',
    what: 'what left Git is not shown',
    why: 'the record of what sotto applied is not one of this version, or it was changed',
    next: 'sotto status   (the agent says what it makes of it)',
    object: `ConfigMap/${INVENTORY_NAME}`,
  });
}
