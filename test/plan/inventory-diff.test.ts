import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EMPTY_INVENTORY, encodeInventory, unverified } from '../../src/plan/inventory.ts';
import { mac, row } from '../agent/fixture.ts';

const rows = new Map(
  [row('ConfigMap', 'a'), row('Secret', 'b', { keep: true, yielded: Uint8Array.of(1, 2) })].map((each) => [
    each.key,
    each,
  ]),
);
const entryOf = (text: string): Buffer => Buffer.concat([Buffer.alloc(32), gzipSync(text)]);

describe('the rows of an inventory, read without the fingerprint key', () => {
  it('are those that were stored', () => {
    expect(unverified(encodeInventory({ ...EMPTY_INVENTORY, rows }, mac))?.rows).toEqual(rows);
  });

  it('are none where the entry cannot be read, is of another format, or unpacks to too much', () => {
    expect(unverified(Buffer.alloc(0))).toBeUndefined();
    expect(unverified(Buffer.alloc(100))).toBeUndefined();
    expect(unverified(entryOf('{"format":2,"rows":[]}'))).toBeUndefined();
    expect(unverified(entryOf('null'))).toBeUndefined();
    expect(unverified(entryOf(' '.repeat(65 * 1024 * 1024)))).toBeUndefined();
  });

  it('have the shape of rows, whatever stands there', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const read = unverified(entryOf(JSON.stringify({ format: 1, rows: [value, [value, value]], tokens: value })));
        for (const [key, each] of read?.rows ?? []) expect(typeof key + typeof each.line).toBe('stringnumber');
      }),
      { numRuns: 100, seed: 20_261_128 },
    );
    expect(unverified(entryOf(JSON.stringify({ format: 1, rows: [['a'], 1, null, {}] })))?.rows.size).toBe(0);
  });
});
