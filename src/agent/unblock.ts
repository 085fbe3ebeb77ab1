import type { ApplyContext, ApplyOutcome } from '../apply/apply.ts';
import { recreateObject } from '../apply/recreate.ts';
import { rewriteVersions } from '../drift/fold.ts';
import { getMetadata, jsonPatch } from '../kube/objects.ts';
import type { Resource } from '../kube/resource.ts';
import type { DesiredObject } from '../render/desired.ts';

/**
 * An apply, and once more after what stands in its way was removed: a field that cannot be changed where the object may
 * be made anew, or ownership in a version that is not served any more (spec/drift.md 3.6).
 */
export async function applyUnblocked(
  object: DesiredObject,
  resource: Resource,
  context: ApplyContext,
  send: () => Promise<ApplyOutcome>,
): Promise<ApplyOutcome> {
  const first = await send();
  if (first.kind !== 'failed') return first;
  if (first.immutableFields !== undefined) return recreateObject(object, resource, context, first);
  if (!VERSION_CODES.has(first.error.code)) return first;
  return (await rewriteEntries(object, resource, context)) ? send() : first;
}

const VERSION_CODES: ReadonlySet<string> = new Set(['SOTTO-KUBE-011', 'SOTTO-KUBE-025']);

async function rewriteEntries(object: DesiredObject, resource: Resource, context: ApplyContext): Promise<boolean> {
  const { transport, asUser } = context;
  const target = { resource, namespace: object.id.namespace, name: object.id.name };
  const live = await getMetadata(transport, target);
  const patch = live.ok && live.value !== undefined ? rewriteVersions(live.value, object.apiVersion) : undefined;
  if (patch === undefined) return false;
  return (await jsonPatch(transport, { ...target, patch, asUser })).ok;
}
