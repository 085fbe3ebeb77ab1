import type { FailureKind, KubeFailure } from '../kube/failure.ts';
import type { Outcome, Written } from '../kube/objects.ts';
import type { Resource } from '../kube/resource.ts';
import type { DesiredObject } from '../render/desired.ts';
import { type ApplyContext, failedApply, type FailedApply, NO_VERSION, patch } from './apply.ts';

type TrialContext = Omit<ApplyContext, 'adopt'>;

/** What a forced apply would make of the object, without making it. Of a Secret the answer is metadata only. */
export async function dryRun(
  object: DesiredObject,
  resource: Resource,
  context: TrialContext,
): Promise<Outcome<Written>> {
  return patch(object, resource, { ...context, adopt: 'equal' }, { force: true, dryRun: true });
}

/** Whether a first apply is still refused for want of a right; undefined when it is not, whatever else may be wrong. */
export async function stillForbidden(
  object: DesiredObject,
  resource: Resource,
  context: TrialContext,
): Promise<FailedApply | undefined> {
  const how = { force: true, dryRun: true, resourceVersion: NO_VERSION };
  const trial = await patch(object, resource, { ...context, adopt: 'equal' }, how);
  if (trial.ok || trial.failure.kind !== 'forbidden') return undefined;
  return failedApply(object, resource, trial.failure, context.asUser);
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

/** An object of this name is there; or what its managers wrote is not to be read, and nobody would have written anything. */
const IS_THERE: ReadonlySet<FailureKind> = new Set<FailureKind>(['changed', 'entry-version']);

/**
 * Why the API server would not have the object where there is nothing yet; undefined when it would. One of this name is
 * no obstacle: it is judged as a create all the same, which says "already exists" only when it has no other objection.
 */
export async function dryCreate(
  object: DesiredObject,
  resource: Resource,
  context: TrialContext,
): Promise<KubeFailure | undefined> {
  const trial = { ...context, adopt: 'equal' as const };
  const absent = await patch(object, resource, trial, { force: true, dryRun: true, resourceVersion: NO_VERSION });
  if (absent.ok) return undefined;
  if (!IS_THERE.has(absent.failure.kind)) return absent.failure;
  const created = await patch(object, resource, trial, { force: true, dryRun: true, create: true });
  if (created.ok || created.failure.kind === 'already-exists') return undefined;
  if (!mayTakeItsOwnPlace(created.failure)) return created.failure;
  const merged = await dryRun(object, resource, context);
  return merged.ok ? undefined : merged.failure;
}

const ALLOCATED = /^spec\.(?:clusterIPs?(?:\[\d+\])?|healthCheckNodePort|ports\[\d+\]\.nodePort)$/;

/** Addresses, ports and quota that the live object of this name has already. */
function mayTakeItsOwnPlace({ kind, causes }: KubeFailure): boolean {
  if (kind === 'quota') return true;
  return kind === 'invalid' && causes.length > 0 && causes.every(({ field }) => ALLOCATED.test(field));
}
