import type { BodyBuffer } from '../../apply/body.ts';
import { contestedFields, dryRun } from '../../apply/dry-run.ts';
import { whyNotRecreated } from '../../apply/recreate.ts';
import { foreignOwner, notAdopted, ownerOf } from '../../apply/first-contact.ts';
import { type ClosedObject, secretRefs } from '../../core/closed.ts';
import { asSottoError, SottoError } from '../../core/errors.ts';
import { displayObject } from '../../core/ids.ts';
import { type Json, type JsonObject, member } from '../../core/json.ts';
import { type FieldPath, pathsOf, setOf, union } from '../../drift/fields.ts';
import type { ResourceCatalog } from '../../kube/discovery.ts';
import { kubeError } from '../../kube/errors.ts';
import { getMetadata, getObject, type Outcome } from '../../kube/objects.ts';
import type { Resource } from '../../kube/resource.ts';
import type { Transport } from '../../kube/transport.ts';
import type { Opener } from '../../open/opener.ts';
import type { InventoryRow } from '../../plan/inventory.ts';
import type { ApplyStep } from '../../plan/plan.ts';
import { diffTrees, type FieldChange } from '../../plan/tree-diff.ts';
import type { DesiredObject } from '../../render/desired.ts';
import type { SyncSettings } from '../../settings/settings.ts';
import { isAutoscaled } from '../autoscaled.ts';
import { driftPolicy } from '../drift-policy.ts';
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
  const trial = trialOf(tried, { ...look, body });
  try {
    return tried.live === undefined
      ? await created(tried, stands, trial)
      : await changed(tried, tried.live, stands, trial, look);
  } catch (thrown) {
    return { kind: 'refused', error: asSottoError(thrown).at(stands), ...NO_DIFFERENCES };
  }
}

/** The two dry runs of one object; what the server refuses is thrown as the error that a pass would report. */
interface Trial {
  /** What a forced apply would store, without the fields at these paths. */
  readonly stored: (without?: readonly FieldPath[]) => Promise<JsonObject>;
  readonly contested: () => Promise<readonly string[]>;
  /** Fields that the server does not change in place, once it has refused to store the object for them. */
  readonly immutableFields: () => readonly string[] | undefined;
}

function trialOf({ step, resource }: Tried, context: Look & { readonly body: BodyBuffer }): Trial {
  const { object } = step;
  const { namespace, name } = object.id;
  let immutableFields: readonly string[] | undefined;
  const valueOf = <Value>(answer: Outcome<Value>): Value => {
    if (answer.ok) return answer.value;
    if (answer.failure.kind === 'immutable') immutableFields = answer.failure.causes.map(({ field }) => field);
    throw kubeError(answer.failure, { verb: 'patch', resource, namespace, name, user: context.user });
  };
  return {
    stored: async (without = []) => valueOf(await dryRun(withoutPaths(object, without), resource, context)).object,
    contested: async () => valueOf(await contestedFields(object, resource, context)),
    immutableFields: () => immutableFields,
  };
}

/** Tried as well, because validation and admission say no only then. */
async function created({ unopened }: Tried, stands: Stands, trial: Trial): Promise<Previewed> {
  if (unopened === undefined) await trial.stored();
  return { kind: 'create', ...stands, unopened };
}

interface Found extends Differences {
  /** The server would not have it. */
  readonly refusal?: SottoError | undefined;
}

async function changed(
  tried: Tried,
  live: JsonObject,
  stands: Stands,
  trial: Trial,
  look: Look,
): Promise<Previewed | undefined> {
  const { step, sync, unopened } = tried;
  const owner = step.contact === 'owned' ? { kind: 'ours' as const } : ownerOf(member(live, 'metadata'), look.setId);
  if (owner.kind === 'other') throw foreignOwner(owner, look.setId);
  const isForeign = owner.kind === 'nobody' && sync.adopt !== 'always';
  const { refusal, ...differences } = tried.resource.secret
    ? await secretDifferences(tried, live, trial)
    : await plainDifferences(tried, live, trial, look, isForeign);
  // What nobody can tell of values says nothing about adoption either.
  const certain = { ...differences, keys: differences.keys.filter(({ change }) => change !== 'unknown') };
  const isCertain = isDifferent(unopened === undefined ? differences : certain);
  if (isForeign && (isCertain || sync.adopt === 'ask')) {
    const why = sync.adopt === 'ask' ? 'adopt is set to ask' : 'it differs from Git';
    return { kind: 'refused', error: notAdopted(why).at(stands), ...differences };
  }
  const immutableFields = trial.immutableFields();
  if (refusal !== undefined && immutableFields !== undefined && owner.kind === 'ours') {
    const error = refusal.at(stands);
    const why = whyNotRecreated(step.object, live, { kind: 'failed', again: false, error, immutableFields });
    return why === undefined
      ? { kind: 'recreate', ...stands, ...differences }
      : { kind: 'refused', error: why.at(stands), ...differences };
  }
  if (refusal !== undefined) return { kind: 'refused', error: refusal.at(stands), ...differences };
  if (isCertain) return { kind: 'change', ...stands, ...differences, unopened };
  if (unopened !== undefined) return { kind: 'unknown', ...stands, ...differences, unopened };
  const isRewritten = tried.row !== undefined && tried.row.uid !== '' && tried.row.digest !== step.object.digest;
  return isRewritten ? { kind: 'rewritten', ...stands, encrypted: step.object.encrypted } : undefined;
}

/** What the server would store, beside what it stores: defaults and quantities are no changes. */
async function plainDifferences(
  tried: Tried,
  live: JsonObject,
  trial: Trial,
  look: Look,
  isForeign: boolean,
): Promise<Found> {
  const { step, row } = tried;
  const before = yieldedBefore(row);
  const first = await refusalOr(trial.stored(pathsOf(before)));
  if (first instanceof SottoError) {
    const contested = await refusalOr(trial.contested());
    return { ...pathsOnly(contested instanceof SottoError ? [] : contested), refusal: first };
  }
  // Only what stands in Git as it was applied can have been taken; a new value in Git is not the taker's.
  const fresh =
    row?.digest === step.object.digest && step.contact === 'owned'
      ? await yieldedNow({
          live,
          tried: first,
          before,
          id: step.object.id,
          isAutoscaled: async (id) => (await isAutoscaled(look.transport, look.catalog, id)) === 'yes',
          policy: driftPolicy(tried.sync.drift, step.object),
        })
      : [];
  const after = fresh.length === 0 ? first : await trial.stored(pathsOf(union(before, setOf(fresh))));
  const fields = withoutValues(diffTrees(comparable(live), comparable(after)), step.object.tree);
  // The same thing written in another way is a conflict all the same, and is not adopted.
  return isForeign && fields.length === 0 ? pathsOnly(await trial.contested()) : { fields, keys: [] };
}

const HIDDEN = '(not shown: it holds a secret)';

function hidden(value: Json | undefined): Json | undefined {
  return value === undefined ? undefined : HIDDEN;
}

/** An object that settings let hold secrets: everything in the same part of it is as good as one. */
function withoutValues(fields: readonly FieldChange[], tree: ClosedObject): readonly FieldChange[] {
  const parts = new Set(secretRefs(tree).map(({ path }) => `/${path[0] ?? ''}`));
  const isSecret = (path: string): boolean => [...parts].some((part) => path === part || path.startsWith(`${part}/`));
  return fields.map(({ path, before, after }) =>
    isSecret(path) ? { path, before: hidden(before), after: hidden(after) } : { path, before, after },
  );
}

/** Where no answer shows what the object would be. */
function pathsOnly(contested: readonly string[]): Differences {
  const paths = [...new Set(contested)].filter((path) => path !== '');
  return { fields: paths.map((path) => ({ path, before: undefined, after: undefined })), keys: [] };
}

/** Keys from ownership, which is public; which values differ from the conflicts of a trial; never a value. */
async function secretDifferences({ step, unopened }: Tried, live: JsonObject, trial: Trial): Promise<Found> {
  const { tree } = step.object;
  const owners = secretOwners(live);
  if (unopened !== undefined) {
    return { fields: metadataChanges(tree, live, owners), keys: keyChanges(tree, owners, undefined) };
  }
  const contested = await trial.contested();
  const stored = await refusalOr(trial.stored());
  const isRefused = stored instanceof SottoError;
  const fields = isRefused ? metadataChanges(tree, live, owners) : diffTrees(comparable(live), comparable(stored));
  return {
    fields: [...fields, ...immutableChange(tree, owners, contested)],
    keys: keyChanges(tree, owners, contested),
    refusal: isRefused ? stored : undefined,
  };
}

async function refusalOr<Value>(asked: Promise<Value>): Promise<Value | SottoError> {
  try {
    return await asked;
  } catch (thrown) {
    return asSottoError(thrown);
  }
}
