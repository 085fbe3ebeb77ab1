import type { ExposureStatus } from '../../report/status.ts';
import type { Exposure } from './exposure.ts';

/** Neither digests nor what else is kept for comparing. */
export function exposureStatus({ key, since, reason, by, total, accepted, values }: Exposure): ExposureStatus {
  const places = values.map(({ file, key: at }) => ({ file, key: at }));
  return { key, since, reason, by, total, accepted, open: values.length, values: places };
}
