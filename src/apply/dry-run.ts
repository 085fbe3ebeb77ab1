import type { Outcome, Written } from '../kube/objects.ts';
import type { Resource } from '../kube/resource.ts';
import type { DesiredObject } from '../render/desired.ts';
import { type ApplyContext, patch } from './apply.ts';

type TrialContext = Omit<ApplyContext, 'adopt'>;

/** What a forced apply would make of the object, without making it. Of a Secret the answer is metadata only. */
export async function dryRun(
  object: DesiredObject,
  resource: Resource,
  context: TrialContext,
): Promise<Outcome<Written>> {
  return patch(object, resource, { ...context, adopt: 'equal' }, { force: true, dryRun: true });
}

/** Owns nothing, so whatever differs from what somebody owns is a conflict. */
const TRIAL_MANAGER = 'sotto-diff';

/** Causes of one answer that are kept (kube/failure.ts): with as many there may be more. */
export const MAX_CONTESTED = 20;

/**
 * Field paths (`.data.password`) that are owned with another value than the object wants: the conflicts of an unforced
 * trial under a name that owns nothing. For a Secret this tells which entries differ, and no value comes back.
 */
export async function contestedFields(
  object: DesiredObject,
  resource: Resource,
  context: TrialContext,
): Promise<Outcome<readonly string[]>> {
  const how = { force: false, dryRun: true, fieldManager: TRIAL_MANAGER };
  const answer = await patch(object, resource, { ...context, adopt: 'equal' }, how);
  if (answer.ok) return { ok: true, value: [] };
  if (answer.failure.kind !== 'conflict') return answer;
  return { ok: true, value: answer.failure.causes.map(({ field }) => field) };
}
