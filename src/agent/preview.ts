import { BodyBuffer } from '../apply/body.ts';
import { dryRun } from '../apply/dry-run.ts';
import { foreignOwner, notAdopted, ownerOf } from '../apply/first-contact.ts';
import { isClosedObject } from '../core/closed.ts';
import { asSottoError, type SottoError } from '../core/errors.ts';
import { displayObject } from '../core/ids.ts';
import { arrayAt, isJsonObject, type Json, type JsonObject, member, memberAt, stringAt } from '../core/json.ts';
import { FIELD_MANAGER, INVENTORY_NAME, MEMBER_LABEL } from '../core/labels.ts';
import type { Refusal } from '../core/refusal.ts';
import type { ResourceCatalog } from '../kube/discovery.ts';
import { kubeError } from '../kube/errors.ts';
import { listMetadata } from '../kube/lists.ts';
import { getMetadata, getObject } from '../kube/objects.ts';
import { CONFIG_MAPS, type Resource } from '../kube/resource.ts';
import type { Transport } from '../kube/transport.ts';
import type { OpenFile } from '../open/open.ts';
import { openFiles } from '../open/open.ts';
import { Opener, type OpenKeys } from '../open/opener.ts';
import { APPLYSET_KINDS, applySetId } from '../plan/applyset.ts';
import { diffTrees, type FieldChange } from '../plan/tree-diff.ts';
import type { DesiredObject, DesiredSet } from '../render/desired.ts';
import { render } from '../render/render.ts';
import type { VetoRules } from '../render/veto-rules.ts';
import type { Settings, SyncSettings } from '../settings/settings.ts';
import { askVetoRules } from './veto-rules.ts';

/** A key of a Secret and what a pass would do to it; a value is never part of it. */
export interface KeyChange {
  readonly key: string;
  readonly change: 'added' | 'removed' | 'changed or same' | 'same';
}

export type Previewed =
  | { readonly kind: 'create'; readonly object: string; readonly file: string; readonly line: number }
  | {
      readonly kind: 'change';
      readonly object: string;
      readonly file: string;
      readonly line: number;
      readonly fields: readonly FieldChange[];
      readonly keys: readonly KeyChange[];
      /** Of a Secret: whether any value differs; `unknown` without a key that opens the file. */
      readonly values?: 'changed' | 'same' | 'unknown' | undefined;
    }
  | { readonly kind: 'prune'; readonly object: string }
  | { readonly kind: 'refused'; readonly error: SottoError };

export interface Preview {
  readonly changes: readonly Previewed[];
  readonly unchanged: number;
}

export interface PreviewContext {
  readonly transport: Transport;
  readonly catalog: ResourceCatalog;
  readonly agentNamespace: string;
  readonly settings: Settings;
  readonly keys: OpenKeys;
  readonly random: () => number;
  /** The syncs given are all of the settings, so what they do not have has left Git. */
  readonly isWhole: boolean;
}

interface Looked extends PreviewContext {
  readonly targetNamespace: string;
  readonly setId: string;
  readonly vetoes: VetoRules;
  readonly opener: Opener;
  readonly body: BodyBuffer;
}

/** The down flow stopped before anything is written: what a pass over these files would do to the live namespace. */
export async function preview(
  syncs: readonly { readonly sync: SyncSettings; readonly files: readonly OpenFile[] }[],
  context: PreviewContext,
): Promise<Preview> {
  using opener = new Opener(context.keys);
  const targetNamespace = context.settings.targetNamespace ?? context.agentNamespace;
  const looked: Looked = {
    ...context,
    targetNamespace,
    setId: applySetId(INVENTORY_NAME, context.agentNamespace),
    vetoes: await askVetoRules(context.transport, context.settings, context.agentNamespace),
    opener,
    body: new BodyBuffer(),
  };
  const changes: Previewed[] = [];
  const wanted = new Set<string>();
  let unchanged = 0;
  for (const { sync, files } of syncs) {
    const { desired, refusals } = await desiredOf(files, sync, looked);
    for (const { error, id } of refusals) {
      changes.push({ kind: 'refused', error });
      if (id !== undefined) wanted.add(displayObject(id));
    }
    for (const object of desired.objects) {
      wanted.add(displayObject(object.id));
      const found = await previewObject(object, sync, looked);
      if (found === undefined) unchanged += 1;
      else changes.push(found);
    }
  }
  if (context.isWhole) changes.push(...(await previewPrunes(wanted, looked)));
  return { changes, unchanged };
}

async function desiredOf(
  files: readonly OpenFile[],
  sync: SyncSettings,
  context: Looked,
): Promise<{ readonly desired: DesiredSet; readonly refusals: readonly Refusal[] }> {
  const { opener, catalog, settings, targetNamespace } = context;
  // Structure needs no key: without one nothing is opened, and the agent may well be able to.
  const opened = await openFiles(files, { namespace: targetNamespace, opener, isKnown: () => isKeyless(context) });
  const desired = render(opened.documents, {
    targetNamespace,
    plaintextSecrets: settings.plaintextSecrets,
    skip: sync.skip,
    vetoes: context.vetoes,
    isNamespaced: (apiVersion, kind) => catalog.find(apiVersion, kind)?.namespaced,
  });
  return { desired, refusals: [...opened.refusals, ...desired.refusals] };
}

async function previewObject(
  object: DesiredObject,
  sync: SyncSettings,
  context: Looked,
): Promise<Previewed | undefined> {
  const resource = context.catalog.find(object.apiVersion, object.id.kind);
  if (resource === undefined) return undefined;
  const place = { object: displayObject(object.id), file: object.file, line: object.line };
  const live = await liveObject(object, resource, context);
  if (live === undefined) return { kind: 'create', ...place };
  const owner = ownerOf(member(live, 'metadata'), context.setId);
  if (owner.kind === 'other') return { kind: 'refused', error: foreignOwner(owner.name).at(place) };
  const change = resource.secret
    ? await secretChange(object, resource, live, context)
    : await fieldChanges(object, resource, live, context);
  if (change instanceof Error) return { kind: 'refused', error: change.at(place) };
  if (change === undefined) return undefined;
  if (owner.kind === 'nobody' && sync.adopt !== 'always') {
    const why = sync.adopt === 'ask' ? 'adopt is set to ask' : 'it differs from Git';
    return { kind: 'refused', error: notAdopted(why).at(place) };
  }
  return { kind: 'change', ...place, ...change };
}

async function liveObject(object: DesiredObject, resource: Resource, context: Looked): Promise<JsonObject | undefined> {
  const { namespace, name } = object.id;
  const { transport } = context;
  const answer = resource.secret
    ? await getMetadata(transport, { resource, namespace, name })
    : await getObject(transport, { resource, namespace, name });
  if (answer.ok) return answer.value;
  throw kubeError(answer.failure, { verb: 'get', resource, namespace, name });
}

type Change = Pick<Extract<Previewed, { kind: 'change' }>, 'fields' | 'keys' | 'values'>;

/** What the server would store, beside what it stores: defaults and quantities are no changes. */
async function fieldChanges(
  object: DesiredObject,
  resource: Resource,
  live: JsonObject,
  context: Looked,
): Promise<Change | SottoError | undefined> {
  const answer = await dryRun(object, resource, context);
  if (!answer.ok) return kubeError(answer.failure, { verb: 'patch', resource, ...target(object) });
  const fields = diffTrees(comparable(live), comparable(answer.value.object));
  return fields.length === 0 ? undefined : { fields, keys: [] };
}

/** Key names from ownership, which is public; whether values differ from a dry run, whose answer is metadata only. */
async function secretChange(
  object: DesiredObject,
  resource: Resource,
  live: JsonObject,
  context: Looked,
): Promise<Change | SottoError | undefined> {
  const wanted = isClosedObject(object.tree['data']) ? Object.keys(object.tree['data']) : [];
  const [ours, all] = [ownedKeys(live, true), ownedKeys(live, false)];
  const added = wanted.filter((key) => !all.has(key)).map((key): KeyChange => ({ key, change: 'added' }));
  const removed = [...ours]
    .filter((key) => !wanted.includes(key))
    .map((key): KeyChange => ({ key, change: 'removed' }));
  const values = await valuesChange(object, resource, live, context);
  if (values instanceof Error) return values;
  if (added.length + removed.length === 0 && values === 'same') return undefined;
  const kept = wanted
    .filter((key) => all.has(key))
    .map((key): KeyChange => ({ key, change: values === 'same' ? 'same' : 'changed or same' }));
  return { fields: [], keys: [...added, ...removed, ...kept], values };
}

async function valuesChange(
  object: DesiredObject,
  resource: Resource,
  live: JsonObject,
  context: Looked,
): Promise<'changed' | 'same' | 'unknown' | SottoError> {
  try {
    const answer = await dryRun(object, resource, context);
    if (!answer.ok) return kubeError(answer.failure, { verb: 'patch', resource, ...target(object) });
    // A no-op apply leaves our entry as it is, its time included (spec/drift.md 1.7).
    const same = JSON.stringify(ownEntry(live)) === JSON.stringify(ownEntry(answer.value.object));
    return same ? 'same' : 'changed';
  } catch (thrown) {
    const error = asSottoError(thrown);
    if (/^SOTTO-(?:AGE|SEAL)-/.test(error.code) && isKeyless(context)) return 'unknown';
    return error;
  }
}

function isKeyless({ keys }: Looked): boolean {
  return keys.ageIdentities.length + keys.sealingKeys.length === 0;
}

function ownEntry(object: Json): Json | undefined {
  return arrayAt(object, 'metadata', 'managedFields').find(
    (entry) => stringAt(entry, 'manager') === FIELD_MANAGER && stringAt(entry, 'operation') === 'Apply',
  );
}

function ownedKeys(object: Json, onlyOurs: boolean): Set<string> {
  const own = ownEntry(object);
  const entries = onlyOurs ? (own === undefined ? [] : [own]) : arrayAt(object, 'metadata', 'managedFields');
  return new Set(
    entries.flatMap((entry) => {
      const data = memberAt(entry, 'fieldsV1', 'f:data');
      const keys = isJsonObject(data) ? Object.keys(data) : [];
      return keys.filter((key) => key.startsWith('f:')).map((key) => key.slice(2));
    }),
  );
}

function target({ id }: DesiredObject): { readonly namespace: string; readonly name: string } {
  return { namespace: id.namespace, name: id.name };
}

const BOOKKEEPING = ['managedFields', 'resourceVersion', 'generation', 'creationTimestamp', 'uid', 'selfLink'];

function comparable(object: JsonObject): Json {
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {};
  const labels = isJsonObject(metadata['labels']) ? without(metadata['labels'], [MEMBER_LABEL]) : {};
  const rest = without(object, ['metadata', 'status']);
  const kept = without(metadata, [...BOOKKEEPING, 'labels']);
  return { ...rest, metadata: Object.keys(labels).length === 0 ? kept : { ...kept, labels } };
}

function without(object: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)));
}

/** Objects with our label that Git does not have. The kinds are those the inventory names in clear. */
async function previewPrunes(wanted: ReadonlySet<string>, context: Looked): Promise<Previewed[]> {
  const { transport, catalog, agentNamespace, targetNamespace, setId } = context;
  const inventory = { resource: CONFIG_MAPS, namespace: agentNamespace, name: INVENTORY_NAME };
  const answer = await getMetadata(transport, inventory);
  if (!answer.ok) throw kubeError(answer.failure, { verb: 'get', ...inventory });
  const kinds = (stringAt(answer.value, 'metadata', 'annotations', APPLYSET_KINDS) ?? '').split(',');
  const found: Previewed[] = [];
  for (const groupKind of kinds.filter((text) => text !== '')) {
    const [kind = '', ...group] = groupKind.split('.');
    const resource = catalog.resources.find((each) => each.kind === kind && each.group === group.join('.'));
    if (resource === undefined) continue;
    const listed = await listMetadata(transport, resource, {
      namespace: targetNamespace,
      labelSelector: `${MEMBER_LABEL}=${setId}`,
    });
    if (!listed.ok) throw kubeError(listed.failure, { verb: 'list', resource, namespace: targetNamespace });
    for (const item of listed.value.items) {
      const name = stringAt(item, 'metadata', 'name') ?? '';
      const object = displayObject({ group: resource.group, kind, namespace: targetNamespace, name });
      if (!wanted.has(object)) found.push({ kind: 'prune', object });
    }
  }
  return found;
}
