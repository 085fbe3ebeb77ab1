import { fingerprintId } from '../../keys/fingerprint.ts';
import type { Repeat } from '../../kube/retry.ts';
import type { Place } from '../context.ts';
import { type FingerprintKeys, withBoth } from '../fingerprint.ts';
import type { InventoryStore } from '../inventory-store.ts';
import type { AgentSetup } from '../setup.ts';
import { ExposureStore } from './store.ts';
import { exposureKey } from './stored.ts';

interface Around {
  readonly place: Place;
  readonly fingerprint: FingerprintKeys;
  readonly inventory: InventoryStore;
  readonly repeat: Repeat;
}

/** What is exposed, as it was kept. Throws SottoError when the API server does not say. */
export async function loadExposures(
  { transport, clock, log }: AgentSetup,
  { place, fingerprint, inventory, repeat }: Around,
): Promise<ExposureStore> {
  const exposures = new ExposureStore({
    transport,
    namespace: place.agentNamespace,
    keys: () => withBoth(fingerprint, (key) => exposureKey(key, place.agentNamespace)),
    keyId: () => fingerprintId(fingerprint.current),
    inventory,
    repeat,
    now: () => clock.now(),
  });
  await exposures.load();
  const { lost } = exposures;
  if (lost !== undefined) log.error('what is exposed cannot be told', { code: lost.code, error: lost });
  return exposures;
}
