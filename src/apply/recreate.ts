import { type ClosedObject, isClosedObject } from '../core/closed.ts';
import { SottoError } from '../core/errors.ts';
import { displayObject } from '../core/ids.ts';
import { arrayAt, isJsonObject, type Json, member, memberAt, stringAt } from '../core/json.ts';
import { MEMBER_LABEL } from '../core/labels.ts';
import { kubeError } from '../kube/errors.ts';
import type { FailureKind } from '../kube/failure.ts';
import { deleteObject, getMetadata } from '../kube/objects.ts';
import type { Resource } from '../kube/resource.ts';
import type { DesiredObject } from '../render/desired.ts';
import { type ApplyContext, applyAbsent, type ApplyOutcome, type FailedApply, failedApply, patch } from './apply.ts';
import { ownerOf } from './first-contact.ts';

const RECREATE = 'sotto.dev/recreate';

/**
 * Why an object with a field that cannot be changed in place is not deleted and made anew; undefined when it is. An
 * immutable Secret or ConfigMap holds nothing but what Git says; everything else runs or stores something, so its
 * manifest has to say that it may go. `live` is the metadata of an object of ours.
 */
export function whyNotRecreated(object: DesiredObject, live: Json, refused: FailedApply): SottoError | undefined {
  if (!mayBeRecreated(object, refused)) return unasked(object, refused.error);
  if (isAllowed(object)) return undefined;
  const foreign = foreignKeys(live, object.tree);
  return foreign.length === 0 ? undefined : holdsMore(object, foreign);
}

function isAllowed({ tree }: DesiredObject): boolean {
  return stringAt(tree, 'metadata', 'annotations', RECREATE) === 'allowed';
}

/** As far as the manifest and the refusal tell. */
function mayBeRecreated(object: DesiredObject, { immutableFields = [] }: FailedApply): boolean {
  if (isAllowed(object)) return true;
  const { group, kind } = object.id;
  const isData = group === '' && (kind === 'Secret' || kind === 'ConfigMap');
  return isData && immutableFields.length > 0 && immutableFields.every((field) => FROZEN.test(field));
}

/** What `immutable: true` freezes. The `type` of a Secret is another matter: whoever reads it may expect it. */
const FROZEN = /^(?:data|binaryData|stringData|immutable)(?:[.[]|$)/;

/** Keys that somebody put into it beside what Git has: a new object would not have them. */
function foreignKeys(live: Json, tree: ClosedObject): string[] {
  const parts = ['data', 'binaryData'];
  const wanted = new Set(parts.flatMap((part) => (isClosedObject(tree[part]) ? Object.keys(tree[part]) : [])));
  const owned = arrayAt(live, 'metadata', 'managedFields')
    .filter((entry) => stringAt(entry, 'manager') !== 'sotto' || stringAt(entry, 'operation') !== 'Apply')
    .flatMap((entry) => parts.flatMap((part) => fieldNames(memberAt(entry, 'fieldsV1', `f:${part}`))));
  return [...new Set(owned)].filter((key) => !wanted.has(key)).toSorted();
}

function fieldNames(value: Json | undefined): string[] {
  return Object.keys(isJsonObject(value) ? value : {}).flatMap((token) =>
    token.startsWith('f:') ? [token.slice(2)] : [],
  );
}

/**
 * Deletes an object of ours and makes it anew, because a field cannot be changed in place. It goes only when the API
 * server has said in a dry run that it would take the new one, and only if it is still the one that was looked at. A
 * kill in between leaves its row, and the next pass makes it.
 */
export async function recreateObject(
  object: DesiredObject,
  resource: Resource,
  context: ApplyContext,
  refused: FailedApply,
): Promise<ApplyOutcome> {
  const { namespace, name } = object.id;
  const target = { resource, namespace, name };
  // Most fields need nobody's look at the object: each try of a pass is one request.
  if (!mayBeRecreated(object, refused))
    return { ...refused, error: unasked(object, refused.error).at(refused.error.place) };
  const live = await getMetadata(context.transport, target);
  if (!live.ok) return failedApply(object, resource, live.failure);
  const metadata = member(live.value, 'metadata');
  const uid = stringAt(metadata, 'uid');
  if (uid === undefined || !mayGo(metadata, context)) return refused;
  const why = whyNotRecreated(object, live.value ?? null, refused);
  if (why !== undefined) return { kind: 'failed', again: false, error: why.at(refused.error.place) };
  const trial = await patch(object, resource, context, { force: true, dryRun: true, create: true });
  if (!trial.ok && !WOULD_BE_TAKEN.has(trial.failure.kind))
    return failedApply(object, resource, trial.failure, context.asUser);
  const { asUser } = context;
  const resourceVersion = stringAt(metadata, 'resourceVersion');
  const deleted = await deleteObject(context.transport, { ...target, asUser, uid, resourceVersion });
  if (!deleted.ok) {
    const error = kubeError(deleted.failure, { ...target, verb: 'delete', user: asUser }).at(refused.error.place);
    return { kind: 'failed', error, again: deleted.failure.kind === 'changed' || !deleted.failure.permanent };
  }
  const made = await applyAbsent(object, resource, context);
  if (made.ok) return { kind: 'applied', answer: made.value.object, created: true, recreated: true };
  if (made.failure.kind !== 'changed') return failedApply(object, resource, made.failure, asUser);
  return { kind: 'failed', again: true, error: stillGoing(object) };
}

/** Ours; or what somebody made with our label where an object of ours was, of which a row tells (spec/drift.md row 67). */
function mayGo(metadata: Json | undefined, { setId, isKnown }: ApplyContext): boolean {
  const owner = ownerOf(metadata, setId).kind;
  if (owner === 'ours') return true;
  return owner === 'nobody' && isKnown === true && stringAt(metadata, 'labels', MEMBER_LABEL) === setId;
}

/** That the old one has the name, or the last place in the quota, is what the deletion is for. */
const WOULD_BE_TAKEN: ReadonlySet<FailureKind> = new Set<FailureKind>(['already-exists', 'quota']);

function unasked(object: DesiredObject, refusal: SottoError): SottoError {
  const { code, what, why } = refusal;
  return new SottoError({
    code,
    what,
    why,
    next: `take the change back, or let sotto delete the ${object.id.kind} and make it anew: annotate it in Git with ${RECREATE}: allowed`,
  });
}

function holdsMore({ id }: DesiredObject, keys: readonly string[]): SottoError {
  return new SottoError({
    code: 'SOTTO-PLAN-080',
    what: `the immutable ${id.kind} is not made anew`,
    why: `somebody else put keys into it that Git does not have: ${keys.slice(0, 5).join(', ')}`,
    next: `put them into Git, or let them go: annotate the ${id.kind} in Git with ${RECREATE}: allowed`,
    object: displayObject(id),
  });
}

function stillGoing({ id, file, line }: DesiredObject): SottoError {
  return new SottoError({
    code: 'SOTTO-PLAN-081',
    what: 'the object is being deleted, and made anew when it is gone',
    why: 'its finalizers are not done, or something else took its name meanwhile',
    next: 'nothing to do: it is tried again',
    file,
    line,
    object: displayObject(id),
  });
}
