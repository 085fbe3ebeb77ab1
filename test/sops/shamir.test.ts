import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { combineShares, splitSecret } from '../../src/sops/shamir.ts';

const SHARING = fc
  .record({ secret: fc.uint8Array({ minLength: 1, maxLength: 64 }), parts: fc.integer({ min: 2, max: 12 }) })
  .chain(({ secret, parts }) =>
    fc.record({
      secret: fc.constant(secret),
      parts: fc.constant(parts),
      threshold: fc.integer({ min: 2, max: parts }),
      order: fc.shuffledSubarray([...Array(parts).keys()], { minLength: parts }),
    }),
  );

describe('a shared secret', () => {
  it('comes back from any shares in any order that reach the threshold', () => {
    fc.assert(
      fc.property(SHARING, ({ secret, parts, threshold, order }) => {
        const shares = splitSecret(secret, parts, threshold);
        for (let count = threshold; count <= parts; count += 1) {
          const chosen = order.slice(0, count).flatMap((index) => shares[index] ?? []);
          expect(combineShares(chosen)).toEqual(new Uint8Array(secret));
        }
      }),
    );
  });

  it('is not what fewer shares give', () => {
    const secret = new Uint8Array(32).fill(7);
    const shares = splitSecret(secret, 5, 3);
    expect(combineShares(shares.slice(0, 2))).not.toEqual(secret);
  });

  it('numbers its shares from 1, as sops does', () => {
    expect(splitSecret(new Uint8Array(32), 3, 2).map((share) => [share.length, share[32]])).toEqual([
      [33, 1],
      [33, 2],
      [33, 3],
    ]);
  });

  it.each([
    [2, 1],
    [2, 3],
    [256, 2],
  ])('cannot have %i parts of which %i are enough', (parts, threshold) => {
    expect(() => splitSecret(new Uint8Array(1), parts, threshold)).toThrow(RangeError);
  });

  it('does not come from shares that cannot belong together', () => {
    const share = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);
    for (const shares of [
      [],
      [share(1, 2, 1)],
      [share(1, 1), share(2, 1)],
      [share(1, 1), share(2, 2, 2)],
      [share(1, 0), share(1, 1)],
      [share(1), share(2)],
    ]) {
      expect(combineShares(shares)).toBeUndefined();
    }
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 4 }), { maxLength: 4 }), (shares) => void combineShares(shares)),
    );
  });
});
