import { serviceAccountUser } from '../kube/service-account.ts';
import type { SyncSettings } from '../settings/settings.ts';
import type { Place } from './context.ts';

/**
 * As whom the objects of a sync are written; undefined: as the agent. The account lives beside the agent, where nobody
 * who may only change the target namespace can use it.
 */
export function writerOf(
  place: Pick<Place, 'agentNamespace'>,
  sync: Pick<SyncSettings, 'serviceAccountName'>,
): string | undefined {
  const { serviceAccountName } = sync;
  return serviceAccountName === undefined ? undefined : serviceAccountUser(place.agentNamespace, serviceAccountName);
}
