import type { Json } from '../core/json.ts';
import { arrayAt, stringAt } from '../core/json.ts';
import type { KindRule } from './kinds.ts';
import type { Health } from './result.ts';
import { failed, inProgress } from './result.ts';

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

/** Why a container does not start, where waiting mends nothing. */
const HOPELESS: ReadonlySet<string> = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'ImageInspectError',
  'RegistryUnavailable',
  'CreateContainerConfigError',
  'CreateContainerError',
  'CrashLoopBackOff',
]);

function strictPod(pod: Json): Health | undefined {
  if (stringAt(pod, 'status', 'phase') === 'Failed') return failed('PodFailed', podFailure(pod));
  for (const list of ['initContainerStatuses', 'containerStatuses']) {
    for (const container of arrayAt(pod, 'status', list)) {
      const reason = stringAt(container, 'state', 'waiting', 'reason') ?? '';
      if (!HOPELESS.has(reason)) continue;
      const message = stringAt(container, 'state', 'waiting', 'message') ?? '';
      return failed(reason, `Container ${stringAt(container, 'name') ?? '?'} does not start. ${message}`);
    }
  }
  return undefined;
}

function podFailure(pod: Json): string {
  const [reason, message] = [stringAt(pod, 'status', 'reason'), stringAt(pod, 'status', 'message')];
  return ['Pod has ended and not well', reason, message].filter((part) => part !== undefined && part !== '').join('. ');
}
