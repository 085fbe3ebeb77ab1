import { groupOf } from '../core/ids.ts';
import type { Json } from '../core/json.ts';
import { memberAt, stringAt } from '../core/json.ts';
import { expressionStatus } from './by-expression.ts';
import { conditionsOf } from './conditions.ts';
import { KIND_RULES } from './kinds.ts';
import type { Health } from './result.ts';
import { current, failed, GENERATION_NOT_OBSERVED, inProgress, terminating } from './result.ts';
import { type HealthRules, KSTATUS_RULES } from '../expression/health-rules.ts';
import { STRICT_RULES } from './strict.ts';

/**
 * Health of one live object by the rules of kstatus (spec/health.md 4.1) and those of its sync. A metadata-only object is
 * judged by what it shows. `now` is wall time: only a Pod that cannot be scheduled needs it.
 */
export function computeStatus(object: Json, now: Date, rules: HealthRules = KSTATUS_RULES): Health {
  const unobserved = deletedStatus(object) ?? generationStatus(object);
  if (unobserved !== undefined) return unobserved;
  const group = groupOf(stringAt(object, 'apiVersion') ?? '');
  const kind = stringAt(object, 'kind') ?? '';
  const expressions = rules.expressions.find((each) => each.group === group && each.kind === kind);
  if (expressions !== undefined) return expressionStatus(expressions, object);
  const name = group === '' ? kind : `${group}/${kind}`;
  const general = saidStatus(object) ?? (rules.strict ? STRICT_RULES.get(name)?.(object) : undefined);
  if (general !== undefined) return general;
  return KIND_RULES.get(name)?.(object, now) ?? readyStatus(object) ?? current('Resource is current');
}

function deletedStatus(object: Json): Health | undefined {
  const deletion = stringAt(object, 'metadata', 'deletionTimestamp') ?? '';
  return deletion === '' ? undefined : terminating('Resource is being deleted');
}

function generationStatus(object: Json): Health | undefined {
  const generation = memberAt(object, 'metadata', 'generation');
  const observed = memberAt(object, 'status', 'observedGeneration');
  if (!isWhole(generation) || !isWhole(observed) || generation === observed) return undefined;
  return inProgress(GENERATION_NOT_OBSERVED, `Generation is ${generation}, but ${observed} was observed`);
}

/** The two conditions that mean the same on every kind. */
function saidStatus(object: Json): Health | undefined {
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
