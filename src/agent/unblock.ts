import type { ApplyOutcome } from '../apply/apply.ts';
import { isClosedObject } from '../core/closed.ts';
import { displayObject } from '../core/ids.ts';
import { rewriteVersions } from '../drift/fold.ts';
import { deleteObject, getMetadata, jsonPatch } from '../kube/objects.ts';
import type { Resource } from '../kube/resource.ts';
import type { DesiredObject } from '../render/desired.ts';
import type { AgentContext } from './context.ts';
import type { SyncRuntime } from './sync-runtime.ts';
import { writerOf } from './writer.ts';

export interface Blocking {
  readonly agent: AgentContext;
  readonly sync: SyncRuntime;
  readonly object: DesiredObject;
  readonly resource: Resource;
}

/**
 * An apply, and once more after what stands in its way was removed: a field that cannot be changed where the object may
 * be made anew, or ownership in a version that is not served any more (spec/drift.md 3.6).
 */
export async function applyUnblocked(blocking: Blocking, send: () => Promise<ApplyOutcome>): Promise<ApplyOutcome> {
  const first = await send();
  if (first.kind !== 'failed') return first;
  const { code } = first.error;
  const isMended =
    code === 'SOTTO-KUBE-010' && mayRecreate(blocking.object)
      ? await remove(blocking)
      : VERSION_CODES.has(code) && (await rewriteEntries(blocking));
  return isMended ? send() : first;
}

const VERSION_CODES: ReadonlySet<string> = new Set(['SOTTO-KUBE-011', 'SOTTO-KUBE-025']);

/** Data of a Secret or ConfigMap that says it never changes, and what the manifest says may be made anew. */
function mayRecreate({ id, tree }: DesiredObject): boolean {
  const isData = id.group === '' && (id.kind === 'Secret' || id.kind === 'ConfigMap');
  if (isData && tree['immutable'] === true) return true;
  const annotations = isClosedObject(tree['metadata']) ? tree['metadata']['annotations'] : undefined;
  return isClosedObject(annotations) && annotations['sotto.dev/recreate'] === 'allowed';
}

/** Only the object that was seen, as it was seen: whatever came after is looked at first. */
async function remove({ agent, sync, object, resource }: Blocking): Promise<boolean> {
  const seen = agent.live.identity(object.key);
  if (seen === undefined) return false;
  const { namespace, name } = object.id;
  agent.log.info('an object is made anew, because a field of it cannot be changed', {
    object: displayObject(object.id),
  });
  const answer = await deleteObject(agent.transport, {
    ...seen,
    resource,
    namespace,
    name,
    propagation: 'Background',
    asUser: writerOf(agent.place, sync.settings),
  });
  return answer.ok;
}

async function rewriteEntries({ agent, sync, object, resource }: Blocking): Promise<boolean> {
  const target = { resource, namespace: object.id.namespace, name: object.id.name };
  const live = await getMetadata(agent.transport, target);
  const patch = live.ok && live.value !== undefined ? rewriteVersions(live.value, object.apiVersion) : undefined;
  if (patch === undefined) return false;
  const asUser = writerOf(agent.place, sync.settings);
  return (await jsonPatch(agent.transport, { ...target, patch, asUser })).ok;
}
