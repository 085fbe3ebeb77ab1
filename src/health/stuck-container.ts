import type { Json } from '../core/json.ts';
import { arrayAt, stringAt } from '../core/json.ts';

/** An image cannot be had, or a container cannot be made of it: waiting mends nothing. */
export const NEVER_STARTS: ReadonlySet<string> = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'ImageInspectError',
  'RegistryUnavailable',
  'CreateContainerConfigError',
  'CreateContainerError',
]);

export interface StuckContainer {
  readonly name: string;
  readonly reason: string;
  readonly message: string;
}

/** The first container of a Pod that waits for one of these reasons; those that run before the others come first. */
export function stuckContainer(pod: Json, reasons: ReadonlySet<string>): StuckContainer | undefined {
  for (const list of ['initContainerStatuses', 'containerStatuses']) {
    for (const container of arrayAt(pod, 'status', list)) {
      const reason = stringAt(container, 'state', 'waiting', 'reason') ?? '';
      if (!reasons.has(reason)) continue;
      const message = stringAt(container, 'state', 'waiting', 'message') ?? '';
      return { name: stringAt(container, 'name') ?? '?', reason, message };
    }
  }
  return undefined;
}
