import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { SourceDigest } from '../../src/core/ids.ts';
import { decodeInventory, EMPTY_INVENTORY, encodeInventory, unverified } from '../../src/plan/inventory.ts';
import { mac } from '../agent/fixture.ts';

const TOKEN = fc
  .string({ unit: fc.constantFrom(...Array.from('ABCxyz0189')), minLength: 43, maxLength: 43 })
  .map((letters) => `soTTo${letters}`);
const STORED = fc.record({
  digest: fc.string({ minLength: 1 }).map((text) => text as SourceDigest),
  tokens: fc.array(fc.oneof(TOKEN, fc.constant(''))),
  names: fc.array(fc.string({ unit: 'binary' })),
});
const TOKENS = fc.dictionary(
  fc.string({ minLength: 1 }).filter((name) => name !== '__proto__'),
  fc.array(STORED),
);

it('tokens are read from the inventory as they were stored, with the fingerprint key and without it', () => {
  fc.assert(
    fc.property(TOKENS, (tokens) => {
      const plain = structuredClone({ ...tokens });
      const entry = encodeInventory({ ...EMPTY_INVENTORY, tokens: plain }, mac);
      expect(decodeInventory(entry, mac)?.tokens).toEqual(plain);
      expect(unverified(entry)?.tokens).toEqual(plain);
    }),
  );
});

it('tokens that somebody else wrote into the inventory are not taken from it', () => {
  fc.assert(
    fc.property(TOKENS, fc.nat(), (tokens, at) => {
      const entry = encodeInventory({ ...EMPTY_INVENTORY, tokens: { ...tokens } }, mac);
      const changed = Buffer.from(entry);
      const place = at % changed.length;
      changed[place] = (changed[place] ?? 0) ^ 1;
      expect(decodeInventory(changed, mac)).toBeUndefined();
      expect(decodeInventory(entry, () => Buffer.alloc(32, 1))).toBeUndefined();
    }),
  );
});
