import type { SottoError } from '../core/errors.ts';
import { member } from '../core/json.ts';
import { kubeError } from '../kube/errors.ts';
import { deleteObject, getMetadata } from '../kube/objects.ts';
import type { Resource } from '../kube/resource.ts';
import type { Transport } from '../kube/transport.ts';
import type { InventoryRow } from '../plan/inventory.ts';
import type { PruneStep } from '../plan/plan.ts';
import { ownerOf } from './first-contact.ts';

export type PruneOutcome =
  | { readonly kind: 'pruned' }
  /** Something else has the name now: not ours to delete, and no longer ours to remember. */
  | { readonly kind: 'not-ours' }
  | { readonly kind: 'failed'; readonly error: SottoError; readonly again: boolean };

/**
 * Removes one object that left Git. The uid is a precondition, so an object that was deleted and made anew by
 * somebody else stays. Where `uid`, that of the live object, is not the one of the row (an answer that never came, or
 * a correction made it anew right before the agent was killed), the live object must carry our label and our entry.
 */
export async function prune(
  step: PruneStep,
  uid: InventoryRow['uid'],
  resource: Resource,
  {
    transport,
    setId,
    asUser,
  }: { readonly transport: Transport; readonly setId: string; readonly asUser?: string | undefined },
): Promise<PruneOutcome> {
  const target = { resource, namespace: step.id.namespace, name: step.id.name };
  if (step.row.uid !== uid) {
    const live = await getMetadata(transport, target);
    if (!live.ok)
      return {
        kind: 'failed',
        error: kubeError(live.failure, { verb: 'get', ...target }),
        again: !live.failure.permanent,
      };
    if (ownerOf(member(live.value, 'metadata'), setId).kind !== 'ours') return { kind: 'not-ours' };
  }
  const answer = await deleteObject(transport, {
    ...target,
    asUser,
    uid,
    propagation: step.orphan === true ? 'Orphan' : 'Background',
  });
  if (answer.ok) return { kind: 'pruned' };
  if (answer.failure.kind === 'changed') return { kind: 'not-ours' };
  return {
    kind: 'failed',
    error: kubeError(answer.failure, { verb: 'delete', ...target, user: asUser }),
    again: !answer.failure.permanent,
  };
}
