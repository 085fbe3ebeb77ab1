import type { Exposure } from '../../../src/agent/exposure/exposure.ts';

/** Key objects have nothing to compare but what they export. */
export function readable(exposures: readonly Exposure[]) {
  return exposures.map(({ digestKey, ...rest }) => {
    return { ...rest, digestKey: digestKey.keyObject.export().toString('hex') };
  });
}
