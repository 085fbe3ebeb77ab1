import type { Json } from '../core/json.ts';
import { arrayAt, stringAt } from '../core/json.ts';
import { conditionsOf, isTrue } from './conditions.ts';
import { POD_FAILED } from './dependency.ts';
import type { Health } from './result.ts';
import { current, failed, inProgress, unknown } from './result.ts';

/**
 * A Pod may be unschedulable for this long before it counts as failed: schedulers and autoscalers need a moment. Judged
 * with each event; one that gets none any more is late after `timeout` like everything that is waited for.
 */
const UNSCHEDULABLE_WINDOW_MS = 15_000;

export function podStatus(pod: Json, now: Date): Health {
  const phase = stringAt(pod, 'status', 'phase') ?? '';
  switch (phase) {
    case 'Succeeded':
      return current('Pod has completed successfully');
    case 'Failed':
      return current('Pod has completed, but not successfully', POD_FAILED);
    case 'Running':
      return runningStatus(pod);
    case 'Pending':
      return pendingStatus(pod, now);
    case '':
      return inProgress('PodNotObserved', 'Pod phase is not known yet');
    default:
      return unknown('PodPhaseUnknown', `Pod phase is ${phase}`);
  }
}

function runningStatus(pod: Json): Health {
  if (isTrue(conditionsOf(pod), 'Ready')) return current('Pod is Ready');
  const looping = crashLoopingContainers(pod);
  if (looping.length > 0)
    return failed('ContainerCrashLooping', `Containers in CrashLoop state: ${looping.join(', ')}`);
  return inProgress('PodRunningNotReady', 'Pod is running but is not Ready');
}

/** As kstatus: init containers are not looked at. */
function crashLoopingContainers(pod: Json): string[] {
  return arrayAt(pod, 'status', 'containerStatuses')
    .filter((container) => stringAt(container, 'state', 'waiting', 'reason') === 'CrashLoopBackOff')
    .map((container) => stringAt(container, 'name') ?? '?');
}

function pendingStatus(pod: Json, now: Date): Health {
  if (!isUnschedulable(pod)) return inProgress('PodPending', 'Pod is in the Pending phase');
  const until = windowEnd(pod);
  if (until !== undefined && now.getTime() < until) return inProgress('PodNotScheduled', 'Pod has not been scheduled');
  return failed('PodUnschedulable', 'Pod could not be scheduled');
}

function isUnschedulable(pod: Json): boolean {
  const scheduled = conditionsOf(pod).find((condition) => condition.type === 'PodScheduled');
  return scheduled?.status === 'False' && scheduled.reason === 'Unschedulable';
}

function windowEnd(pod: Json): number | undefined {
  const created = Date.parse(stringAt(pod, 'metadata', 'creationTimestamp') ?? '');
  return Number.isNaN(created) ? undefined : created + UNSCHEDULABLE_WINDOW_MS;
}
