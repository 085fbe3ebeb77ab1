import type { BodyBuffer } from '../../apply/body.ts';
import { contestedFields, dryRun } from '../../apply/dry-run.ts';
import { foreignOwner, notAdopted, ownerOf } from '../../apply/first-contact.ts';
import { asSottoError, type SottoError } from '../../core/errors.ts';
import { displayObject } from '../../core/ids.ts';
import { type JsonObject, member } from '../../core/json.ts';
import { pathsOf, setOf, union } from '../../drift/fields.ts';
import type { ResourceCatalog } from '../../kube/discovery.ts';
import { kubeError } from '../../kube/errors.ts';
import { getMetadata, getObject, type Outcome } from '../../kube/objects.ts';
import type { Resource } from '../../kube/resource.ts';
import type { Transport } from '../../kube/transport.ts';
import type { Opener } from '../../open/opener.ts';
import type { InventoryRow } from '../../plan/inventory.ts';
import type { ApplyStep } from '../../plan/plan.ts';
import { diffTrees } from '../../plan/tree-diff.ts';
import type { DesiredObject } from '../../render/desired.ts';
import type { SyncSettings } from '../../settings/settings.ts';
import { isAutoscaled } from '../autoscaled.ts';
import { comparable } from './comparable.ts';
import { type Differences, isDifferent, NO_DIFFERENCES, type Previewed, type Stands } from './previewed.ts';
import { immutableChange, keyChanges, metadataChanges, secretOwners } from './secret.ts';
import { withoutPaths, yieldedBefore, yieldedNow } from './yielded.ts';

export interface Look {
  readonly transport: Transport;
  readonly catalog: ResourceCatalog;
  readonly setId: string;
  readonly opener: Opener;
  readonly random: () => number;
  readonly signal?: AbortSignal | undefined;
  /** As the kubeconfig calls who asks. */
  readonly user?: string | undefined;
}

/** One object that a pass would apply. */
export interface Tried {
  readonly step: ApplyStep;
  readonly resource: Resource;
  readonly sync: SyncSettings;
  readonly row: InventoryRow | undefined;
  /** Undefined when it is not there; of a Secret its metadata. */
  readonly live: JsonObject | undefined;
  readonly unopened: SottoError | undefined;
}

/** The live object, of a Secret its metadata; what the server refuses to tell is an error of this object. */
export async function liveObject(
  { id }: DesiredObject,
  resource: Resource,
  { transport, signal, user }: Look,
): Promise<JsonObject | SottoError | undefined> {
  const target = { namespace: id.namespace, name: id.name, signal };
  const answer = resource.secret
    ? await getMetadata(transport, { ...target, resource })
    : await getObject(transport, { ...target, resource });
  return answer.ok ? answer.value : kubeError(answer.failure, { ...target, verb: 'get', resource, user });
}

/** What a pass would do to the object; undefined when it is as Git wants it. */
export async function previewObject(tried: Tried, look: Look, body: BodyBuffer): Promise<Previewed | undefined> {
  const { object } = tried.step;
  const stands: Stands = { object: displayObject(object.id), file: object.file, line: object.line };
  try {
    return tried.live === undefined
      ? await created(tried, stands, look, body)
      : await changed(tried, tried.live, stands, look, body);
  } catch (thrown) {
    return { kind: 'refused', error: asSottoError(thrown).at(stands), ...NO_DIFFERENCES };
  }
}

/** Tried as well, because validation and admission say no only then. */
async function created(tried: Tried, stands: Stands, look: Look, body: BodyBuffer): Promise<Previewed> {
  const { unopened } = tried;
  if (unopened === undefined)
    await attempt(tried, look, () => dryRun(tried.step.object, tried.resource, { ...look, body }));
  return { kind: 'create', ...stands, unopened };
}

async function changed(
  tried: Tried,
  live: JsonObject,
  stands: Stands,
  look: Look,
  body: BodyBuffer,
): Promise<Previewed | undefined> {
  const { step, sync, unopened } = tried;
  const owner = step.contact === 'owned' ? { kind: 'ours' as const } : ownerOf(member(live, 'metadata'), look.setId);
  if (owner.kind === 'other') throw foreignOwner(owner.name);
  const differences = tried.resource.secret
    ? await secretDifferences(tried, live, look, body)
    : await plainDifferences(tried, live, look, body, owner.kind === 'nobody');
  // What nobody can tell of values says nothing about adoption either.
  const certain = { ...differences, keys: differences.keys.filter(({ change }) => change !== 'unknown') };
  const isCertain = isDifferent(unopened === undefined ? differences : certain);
  if (owner.kind === 'nobody' && sync.adopt !== 'always' && (isCertain || sync.adopt === 'ask')) {
    const why = sync.adopt === 'ask' ? 'adopt is set to ask' : 'it differs from Git';
    return { kind: 'refused', error: notAdopted(why).at(stands), ...differences };
  }
  if (isCertain) return { kind: 'change', ...stands, ...differences, unopened };
  return unopened === undefined ? undefined : { kind: 'unknown', ...stands, ...differences, unopened };
}

/** What the server would store, beside what it stores: defaults and quantities are no changes. */
async function plainDifferences(
  tried: Tried,
  live: JsonObject,
  look: Look,
  body: BodyBuffer,
  isForeign: boolean,
): Promise<Differences> {
  const { step, resource, row } = tried;
  const { object } = step;
  const before = yieldedBefore(row);
  const store = async (paths: Parameters<typeof withoutPaths>[1]): Promise<JsonObject> =>
    (await attempt(tried, look, () => dryRun(withoutPaths(object, paths), resource, { ...look, body }))).object;
  const first = await store(pathsOf(before));
  // Only what stands in Git as it was applied can have been taken; a new value in Git is not the taker's.
  const fresh =
    row?.digest === object.digest && step.contact === 'owned'
      ? await yieldedNow({
          live,
          tried: first,
          before,
          id: object.id,
          isAutoscaled: (id) => isAutoscaled(look.transport, look.catalog, id),
        })
      : [];
  const after = fresh.length === 0 ? first : await store(pathsOf(union(before, setOf(fresh))));
  const fields = diffTrees(comparable(live), comparable(after));
  if (!isForeign || fields.length > 0) return { fields, keys: [] };
  // The same thing written in another way is a conflict all the same, and is not adopted.
  const contested = await attempt(tried, look, () => contestedFields(object, resource, { ...look, body }));
  return { fields: contested.map((path) => ({ path, before: undefined, after: undefined })), keys: [] };
}

/** Keys from ownership, which is public; which values differ from the conflicts of a trial; never a value. */
async function secretDifferences(tried: Tried, live: JsonObject, look: Look, body: BodyBuffer): Promise<Differences> {
  const { step, resource, unopened } = tried;
  const { object } = step;
  const { tree } = object;
  const owners = secretOwners(live);
  if (unopened !== undefined) {
    return { fields: metadataChanges(tree, live, owners), keys: keyChanges(tree, owners, undefined) };
  }
  const contested = await attempt(tried, look, () => contestedFields(object, resource, { ...look, body }));
  const stored = await attempt(tried, look, () => dryRun(object, resource, { ...look, body }));
  return {
    fields: [...diffTrees(comparable(live), comparable(stored.object)), ...immutableChange(tree, owners, contested)],
    keys: keyChanges(tree, owners, contested),
  };
}

/** The value, or the refusal thrown as the error that a pass would report. */
async function attempt<Value>(
  { step, resource }: Tried,
  { user }: Look,
  ask: () => Promise<Outcome<Value>>,
): Promise<Value> {
  const answer = await ask();
  if (answer.ok) return answer.value;
  const { namespace, name } = step.object.id;
  throw kubeError(answer.failure, { verb: 'patch', resource, namespace, name, user });
}
