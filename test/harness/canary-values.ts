import { type CanarySet, createCanaries } from '../../src/demo/memory-scan.ts';

/** Values of the sizes given, in chunks of 15 bytes that the scan can find one by one. */
export function canaryValues(chunksPerValue: readonly number[], prefix?: string): CanarySet {
  const chunks = createCanaries(
    chunksPerValue.reduce((sum, count) => sum + count, 0),
    1,
    prefix,
  );
  let at = 0;
  const values = chunksPerValue.map((count) => chunks.values.slice(at, (at += count)).join(''));
  return { prefix: chunks.prefix, values };
}

/** Secrets of one test seldom have more values. */
const COUNT = 8;

/** Those of this test file: what its worlds put into Secrets. */
export const FILE_CANARIES: CanarySet = canaryValues(Array.from({ length: COUNT }, () => 4));

export function canary(index: number): string {
  const value = FILE_CANARIES.values[index];
  if (value === undefined) throw new TypeError(`there are ${COUNT} values`);
  return value;
}
