import { createPublicKey, verify } from 'node:crypto';
import { inspect } from 'node:util';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isReceiptKeyName } from '../../src/core/receipt-key.ts';
import { Sensitive } from '../../src/core/sensitive.ts';
import { fingerprintKey, keyedDigest } from '../../src/keys/fingerprint.ts';
import { isSignedBy, receiptKeyProblem, receiptSigner } from '../../src/keys/receipt-key.ts';

const keyOf = (byte: number) => fingerprintKey(Sensitive.copyOf(Buffer.alloc(32, byte)));
const signer = receiptSigner(keyOf(7));

describe('the key that signs receipts', () => {
  it('is always the same for one fingerprint key, and another for another', () => {
    expect(signer.name).toBe('ed25519:X3PC9KN63be/2H7vkDJLbAttFzPqT0Bn5/juo/9cQH0=');
    expect(receiptSigner(keyOf(7)).name).toBe(signer.name);
    expect(receiptSigner(keyOf(8)).name).not.toBe(signer.name);
  });

  it('signs as every Ed25519 does', () => {
    const text = Buffer.from('a receipt');
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(signer.name.slice(8), 'base64').toString('base64url') };
    expect(verify(null, text, createPublicKey({ key: jwk, format: 'jwk' }), signer.sign(text))).toBe(true);
  });

  it('is told to be another than the pinned one, and nothing is told where none is pinned', () => {
    expect(receiptKeyProblem(signer.name, undefined)).toBeUndefined();
    expect(receiptKeyProblem(signer.name, signer.name)).toBeUndefined();
    expect(receiptKeyProblem(signer.name, receiptSigner(keyOf(8)).name)?.code).toBe('SOTTO-ROTATE-047');
  });

  it('shows nothing of its private half', () => {
    const seed = keyedDigest(keyOf(7), 'receipt-key');
    const shown = inspect(signer, { depth: 9, showHidden: true }) + JSON.stringify(signer);
    for (const form of ['hex', 'base64', 'base64url'] as const) expect(shown).not.toContain(seed.toString(form));
  });

  it('is told from every other by any bit of name, text and signature', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), fc.nat(), fc.nat(7), (text, at, bit) => {
        const signature = signer.sign(text);
        expect(isSignedBy(signer.name, text, signature)).toBe(true);
        expect(isSignedBy(signer.name, flipped(text, at, bit), signature)).toBe(false);
        expect(isSignedBy(signer.name, text, flipped(signature, at, bit))).toBe(false);
        expect(isSignedBy(signer.name, text, signature.subarray(1))).toBe(false);
        const name = `ed25519:${flipped(Buffer.from(signer.name.slice(8), 'base64'), at, bit).toString('base64')}`;
        expect(isReceiptKeyName(name) && isSignedBy(name, text, signature)).toBe(false);
      }),
      { numRuns: 50 },
    );
  });
});

describe('the name of such a key', () => {
  it('has one text', () => {
    expect(isReceiptKeyName(signer.name)).toBe(true);
    for (const other of [
      '',
      'ed25519:',
      signer.name.slice(8),
      `${signer.name}\n`,
      signer.name.replace('=', ''),
      signer.name.replace('H0=', 'H1='),
      signer.name.replace('/2H7', '_2H7'),
      signer.name.toUpperCase(),
      `rsa${signer.name.slice(7)}`,
    ])
      expect(isReceiptKeyName(other), other).toBe(false);
  });
});

function flipped(bytes: Uint8Array, at: number, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  const index = at % copy.length;
  copy[index] = (copy[index] ?? 0) ^ (1 << bit);
  return copy;
}
