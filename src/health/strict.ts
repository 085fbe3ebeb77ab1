import type { Json } from '../core/json.ts';
import { arrayAt, stringAt } from '../core/json.ts';
import type { KindRule } from './kinds.ts';
import type { Health } from './result.ts';
import { failed, inProgress } from './result.ts';
import { NEVER_STARTS, stuckContainer } from './stuck-container.ts';

/**
 * What `strict` adds, by `<group>/<kind>`: asked before the rule of the kind, and undefined where that rule decides.
 * docs/health.md has the same table.
 */
export const STRICT_RULES: ReadonlyMap<string, (object: Json) => Health | undefined> = new Map([
  ['Service', strictService],
  ['PersistentVolumeClaim', strictClaim],
  ['Pod', strictPod],
] satisfies readonly [string, (...object: Parameters<KindRule>) => Health | undefined][]);

function strictService(service: Json): Health | undefined {
  if (stringAt(service, 'spec', 'type') !== 'LoadBalancer' || !stringAt(service, 'spec', 'clusterIP')) return undefined;
  if (arrayAt(service, 'status', 'loadBalancer', 'ingress').length > 0) return undefined;
  return inProgress('NoIngress', 'The load balancer has no address yet');
}

/** Its volume is gone, and with it what was stored there: nothing will bind it again. */
function strictClaim(claim: Json): Health | undefined {
  return stringAt(claim, 'status', 'phase') === 'Lost'
    ? failed('ClaimLost', 'PVC has lost its volume: the PersistentVolume it was bound to does not exist')
    : undefined;
}

/** Of a Pod that stands in Git a crash loop counts as well, as in kstatus. */
const HOPELESS: ReadonlySet<string> = new Set([...NEVER_STARTS, 'CrashLoopBackOff']);

function strictPod(pod: Json): Health | undefined {
  if (stringAt(pod, 'status', 'phase') === 'Failed') return failed('PodFailed', podFailure(pod));
  const stuck = stuckContainer(pod, HOPELESS);
  return stuck && failed(stuck.reason, `Container ${stuck.name} does not start. ${stuck.message}`);
}

function podFailure(pod: Json): string {
  const [reason, message] = [stringAt(pod, 'status', 'reason'), stringAt(pod, 'status', 'message')];
  return ['Pod has ended and not well', reason, message].filter((part) => part !== undefined && part !== '').join('. ');
}
