/**
 * Resource versions of one resource type are whole numbers without leading zeros: compared by length, then as text
 * (KEP-5504). Negative: `a` is older. Never compare across API servers or types.
 */
export function compareResourceVersions(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
