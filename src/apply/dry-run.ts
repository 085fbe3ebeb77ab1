import type { Outcome, Written } from '../kube/objects.ts';
import type { Resource } from '../kube/resource.ts';
import type { DesiredObject } from '../render/desired.ts';
import { type ApplyContext, patch } from './apply.ts';

/** What a forced apply would make of the object, without making it. Of a Secret the answer is metadata only. */
export async function dryRun(
  object: DesiredObject,
  resource: Resource,
  context: Omit<ApplyContext, 'adopt'>,
): Promise<Outcome<Written>> {
  return patch(object, resource, { ...context, adopt: 'equal' }, { force: true, dryRun: true });
}
