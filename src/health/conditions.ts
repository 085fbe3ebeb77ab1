import type { Json } from '../core/json.ts';
import { arrayAt, stringAt } from '../core/json.ts';

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

/** `status.conditions` in list order; members that are no text count as empty. */
export function conditionsOf(object: Json): Condition[] {
  return arrayAt(object, 'status', 'conditions').map((item) => ({
    type: stringAt(item, 'type') ?? '',
    status: stringAt(item, 'status') ?? '',
    reason: stringAt(item, 'reason') ?? '',
    message: stringAt(item, 'message') ?? '',
  }));
}

export function isTrue(conditions: readonly Condition[], type: string): boolean {
  return conditions.some((condition) => condition.type === type && condition.status === 'True');
}
