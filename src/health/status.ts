import { groupOf } from '../core/ids.ts';
import type { Json } from '../core/json.ts';
import { memberAt, stringAt } from '../core/json.ts';
import { conditionsOf } from './conditions.ts';
import { KIND_RULES } from './kinds.ts';
import type { Health } from './result.ts';
import { current, failed, inProgress, terminating } from './result.ts';

/**
 * Health of one live object by the rules of kstatus (spec/health.md 4.1). A metadata-only object is judged by what it
 * shows. `now` is wall time: only a Pod that cannot be scheduled needs it.
 */
export function computeStatus(object: Json, now: Date): Health {
  const general = generalStatus(object);
  if (general !== undefined) return general;
  const group = groupOf(stringAt(object, 'apiVersion') ?? '');
  const kind = stringAt(object, 'kind') ?? '';
  const rule = KIND_RULES.get(group === '' ? kind : `${group}/${kind}`);
  if (rule !== undefined) return rule(object, now);
  return readyStatus(object) ?? current('Resource is current');
}

/** Steps 1-3: what holds for every kind. */
function generalStatus(object: Json): Health | undefined {
  const deletion = stringAt(object, 'metadata', 'deletionTimestamp') ?? '';
  if (deletion !== '') return terminating('Resource is being deleted');
  const generation = memberAt(object, 'metadata', 'generation');
  const observed = memberAt(object, 'status', 'observedGeneration');
  if (isWhole(generation) && isWhole(observed) && generation !== observed) {
    return inProgress('LatestGenerationNotObserved', `Generation is ${generation}, but ${observed} was observed`);
  }
  for (const { type, status, reason, message } of conditionsOf(object)) {
    if (status !== 'True') continue;
    if (type === 'Reconciling') return inProgress(reason, message);
    if (type === 'Stalled') return failed(reason, message);
  }
  return undefined;
}

function isWhole(value: Json | undefined): value is number | bigint {
  return typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value));
}

/** Step 5: the first condition of type Ready decides for kinds without a rule. */
function readyStatus(object: Json): Health | undefined {
  const ready = conditionsOf(object).find((condition) => condition.type === 'Ready');
  if (ready?.status === 'True') return current('Resource is Ready');
  if (ready?.status === 'False' || ready?.status === 'Unknown') return inProgress(ready.reason, ready.message);
  return undefined;
}
