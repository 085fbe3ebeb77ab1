import { SottoError } from '../../core/errors.ts';
import { isJsonObject, type JsonObject, stringAt, stringifyJson } from '../../core/json.ts';
import { kubeError, type Verb } from '../../kube/errors.ts';
import type { KubeFailure } from '../../kube/failure.ts';
import { applyObject, getObject, type Outcome, type Written } from '../../kube/objects.ts';
import type { Transport } from '../../kube/transport.ts';
import type { FieldChange } from '../../plan/tree-diff.ts';
import { changesBetween, INSTALL_MANAGER, isAsWanted } from './difference.ts';
import { nameOf, namespaceOf } from './manifests.ts';
import { resourceFor } from './resources.ts';

/** What an install does with one object. */
export type InstallStep =
  | { readonly kind: 'create'; readonly object: JsonObject }
  | {
      readonly kind: 'change';
      readonly object: JsonObject;
      readonly live: JsonObject;
      readonly changes: readonly FieldChange[];
      /** Field managers that lose fields. */
      readonly takenFrom: readonly string[];
    }
  | { readonly kind: 'same'; readonly object: JsonObject }
  /** It may neither be seen nor made: whether somebody else has applied it is not known. */
  | { readonly kind: 'unseen'; readonly object: JsonObject };

export interface Cluster {
  readonly transport: Transport;
  readonly signal: AbortSignal;
}

/** By dry runs: nothing is written, and everything the API server would refuse is refused here. */
export async function planInstall(cluster: Cluster, manifests: readonly JsonObject[]): Promise<readonly InstallStep[]> {
  const steps: InstallStep[] = [];
  for (const object of manifests) steps.push(await planOne(cluster, object));
  return steps;
}

async function planOne(cluster: Cluster, object: JsonObject): Promise<InstallStep> {
  const found = await getObject(cluster.transport, { ...targetOf(object), signal: cluster.signal });
  if (!found.ok) {
    if (found.failure.kind === 'forbidden') return { kind: 'unseen', object };
    throw refused(cluster, found.failure, object, 'get');
  }
  const live = found.value;
  if (live === undefined) {
    // The API server looks the Role up, which need not be there yet.
    const answer =
      object['kind'] === 'RoleBinding' ? undefined : await apply(cluster, object, { dryRun: true, force: false });
    if (answer?.ok === false) throw refused(cluster, answer.failure, object, 'patch');
    return { kind: 'create', object };
  }
  const gentle = await apply(cluster, object, { dryRun: true, force: false });
  const takenFrom = gentle.ok ? [] : gentle.failure.conflictManagers;
  const answer =
    !gentle.ok && gentle.failure.kind === 'conflict'
      ? await apply(cluster, object, { dryRun: true, force: true })
      : gentle;
  if (!answer.ok) {
    if (isAsWanted(object, live)) return { kind: 'same', object };
    throw refused(cluster, answer.failure, object, 'patch');
  }
  const changes = changesBetween(live, answer.value.object);
  return changes.length === 0 ? { kind: 'same', object } : { kind: 'change', object, live, changes, takenFrom };
}

/** ConfigMaps hold what people wrote: one that is not as it was shown any more is left as it is. */
export async function carryOut(
  cluster: Cluster,
  step: Extract<InstallStep, { kind: 'create' | 'change' }>,
): Promise<void> {
  const { object } = step;
  const asShown = step.kind === 'create' ? ABSENT : (stringAt(step.live, 'metadata', 'resourceVersion') ?? ABSENT);
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {};
  const guarded = { ...object, metadata: { ...metadata, resourceVersion: asShown } };
  const isConfigMap = object['kind'] === 'ConfigMap';
  const answer = await apply(cluster, isConfigMap ? guarded : object, { dryRun: false, force: true });
  if (answer.ok) return;
  throw answer.failure.kind === 'changed'
    ? changedMeanwhile(object)
    : refused(cluster, answer.failure, object, 'patch');
}

/** A version that no object has: creates only what is not there. */
const ABSENT = '1';

function changedMeanwhile(object: JsonObject): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-064',
    what: `${resourceFor(object).kind} ${nameOf(object)} was changed after the plan was shown`,
    why: 'nothing is overwritten that you have not seen',
    next: 'run the command again: it shows what is there now',
    object: `${resourceFor(object).kind}/${nameOf(object)}`,
  });
}

function apply(
  { transport, signal }: Cluster,
  object: JsonObject,
  how: { readonly dryRun: boolean; readonly force: boolean },
): Promise<Outcome<Written>> {
  const body = new TextEncoder().encode(stringifyJson(object));
  return applyObject(transport, { ...targetOf(object), ...how, body, fieldManager: INSTALL_MANAGER, signal });
}

export function targetOf(object: JsonObject) {
  return { resource: resourceFor(object), namespace: namespaceOf(object), name: nameOf(object) };
}

function refused({ transport }: Cluster, failure: KubeFailure, object: JsonObject, verb: Verb): SottoError {
  const asked = { ...targetOf(object), verb, user: transport.connection.user };
  const isGrant = failure.kind === 'denied' && /not currently held|not found/.test(failure.message ?? '');
  return isGrant ? mayNotGrant(object, asked.user) : kubeError(failure, asked);
}

function mayNotGrant(object: JsonObject, user: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-061',
    what: `You may not make ${resourceFor(object).kind} ${nameOf(object)} in namespace ${namespaceOf(object)}`,
    why: `it gives rights that ${user} does not have; nobody may hand on more than that`,
    next: `sotto check --pre -n ${namespaceOf(object)}`,
  });
}
