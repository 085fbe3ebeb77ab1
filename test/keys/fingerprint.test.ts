import { createHmac } from 'node:crypto';
import { inspect } from 'node:util';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Sensitive } from '../../src/core/sensitive.ts';
import { fingerprintKey, isKeyedDigest, keyedDigest, newFingerprintBytes } from '../../src/keys/fingerprint.ts';
import { errorOf } from '../sealed/material.ts';

const bytes = Buffer.alloc(32, 7);
const key = fingerprintKey(Sensitive.copyOf(bytes));

describe('keyedDigest', () => {
  it('is HMAC-SHA-256 over domain and parts with 64-bit lengths', () => {
    const framed = Buffer.concat(
      ['sotto/v1/inventory', 'é', 'b'].flatMap((text) => {
        const part = Buffer.from(text);
        const length = Buffer.alloc(8);
        length.writeUInt32BE(part.length, 4);
        return [length, part];
      }),
    );
    const expected = createHmac('sha256', bytes).update(framed).digest('hex');
    expect(keyedDigest(key, 'inventory', 'é', Buffer.from('b')).toString('hex')).toBe(expected);
  });

  it('differs by key, by domain, and by where parts are parted', () => {
    const other = fingerprintKey(Sensitive.copyOf(Buffer.alloc(32, 8)));
    const digests = [
      keyedDigest(key, 'inventory', 'ab', 'c'),
      keyedDigest(key, 'inventory', 'a', 'bc'),
      keyedDigest(key, 'inventory', 'abc'),
      keyedDigest(key, 'status', 'ab', 'c'),
      keyedDigest(other, 'inventory', 'ab', 'c'),
    ];
    expect(new Set(digests.map((digest) => digest.toString('hex'))).size).toBe(digests.length);
  });

  it('is recognised, and no other digest is', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), fc.nat(255), (parts, bit) => {
        const digest = keyedDigest(key, 'status', ...parts);
        expect(isKeyedDigest(digest, key, 'status', ...parts)).toBe(true);
        digest[bit >> 3] = (digest[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(isKeyedDigest(digest, key, 'status', ...parts)).toBe(false);
        expect(isKeyedDigest(digest.subarray(1), key, 'status', ...parts)).toBe(false);
      }),
    );
  });
});

describe('fingerprintKey', () => {
  it('needs 32 bytes, works after they were wiped, and shows none of them', async () => {
    using made = newFingerprintBytes();
    expect(made.length).toBe(32);
    const own = fingerprintKey(made);
    const before = keyedDigest(own, 'plan', 'x');
    const shown = Buffer.from(made.reveal()).toString('hex');
    made.wipe();
    expect(keyedDigest(own, 'plan', 'x')).toEqual(before);
    expect(inspect(own)).not.toContain(shown);
    expect((await errorOf(() => fingerprintKey(Sensitive.copyOf(Buffer.alloc(31))))).code).toBe('SOTTO-KEYS-020');
  });
});
