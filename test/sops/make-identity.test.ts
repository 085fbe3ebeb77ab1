import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAgeIdentities } from '../../src/sops/age.ts';
import { decodeBech32, encodeBech32Bytes } from '../../src/sops/bech32.ts';
import { makeIdentity } from '../../src/sops/make-identity.ts';

describe('a new age identity', () => {
  it('is what its key file says, and another one each time', () => {
    const made = [1, 2, 3].map(() => makeIdentity(new Date('2027-01-01T00:00:00Z')));
    for (const { identity, keyFile } of made) {
      expect(parseAgeIdentities(keyFile.reveal()).map(({ recipient }) => recipient)).toEqual([identity.recipient]);
      const text = Buffer.from(keyFile.reveal()).toString();
      expect(text).toMatch(
        /^# created: 2027-01-01T00:00:00Z\n# public key: age1[a-z0-9]{58}\nAGE-SECRET-KEY-1[A-Z0-9]{58}\n$/,
      );
    }
    expect(new Set(made.map(({ identity }) => identity.recipient)).size).toBe(3);
  });

  it('is written in an alphabet that is read back as the same bytes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 64 }),
        fc.constantFrom('age', 'AGE-SECRET-KEY-'),
        (bytes, prefix) => {
          expect(decodeBech32(encodeBech32Bytes(prefix, bytes), prefix, bytes.length)).toEqual(bytes);
        },
      ),
    );
  });
});
