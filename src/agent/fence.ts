import { SottoError } from '../core/errors.ts';
import { memberAt, stringAt } from '../core/json.ts';
import { INVENTORY_NAME } from '../core/labels.ts';
import { getObject } from '../kube/objects.ts';
import { resourceOf } from '../kube/resource.ts';
import { type Repeat, unrepeated } from '../kube/retry.ts';
import type { Transport } from '../kube/transport.ts';
import type { Holder } from '../plan/inventory.ts';

const PODS = resourceOf({ group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true, verbs: ['get'] });

/**
 * Whether the agent that holds the inventory may still be at work (spec/drift.md 3.12). A clean stop leaves no holder;
 * a holder whose Pod is our own is our container before its restart; one whose Pod is gone or ending is no rival.
 */
export async function isHeldByOther(
  transport: Transport,
  namespace: string,
  holder: Holder | undefined,
  ownPod: string | undefined,
  repeat: Repeat = unrepeated,
): Promise<boolean> {
  if (holder === undefined) return false;
  // A holder outside a cluster has no Pod that could be asked about: only a person knows.
  if (holder.pod === undefined) return true;
  if (holder.pod === ownPod || PODS.secret) return false;
  const target = { resource: PODS, namespace, name: holder.pod };
  const answer = await repeat(() => getObject(transport, target));
  // Not allowed to look: a wrong guess would make two writers.
  if (!answer.ok) return true;
  if (answer.value === undefined) return false;
  const phase = stringAt(answer.value, 'status', 'phase');
  const isEnding = memberAt(answer.value, 'metadata', 'deletionTimestamp') !== undefined;
  return !isEnding && phase !== 'Succeeded' && phase !== 'Failed';
}

export function otherAgent(holder: Holder): SottoError {
  return new SottoError({
    code: 'SOTTO-PLAN-010',
    what: 'another agent is at work in this namespace',
    why: `ConfigMap ${INVENTORY_NAME} is held by ${holder.pod ?? holder.instance}, and only one agent may write`,
    next: 'end the other agent, or if it is gone for certain: sotto agent --take-over',
    object: `ConfigMap/${INVENTORY_NAME}`,
  });
}
