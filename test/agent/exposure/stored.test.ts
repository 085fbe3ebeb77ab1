import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exposureKey, openRecord, sealRecord, type ExposureRecord } from '../../../src/agent/exposure/stored.ts';
import { Sensitive } from '../../../src/core/sensitive.ts';
import { fingerprintKey } from '../../../src/keys/fingerprint.ts';
import { keyOf } from '../fixture.ts';

const fingerprint = fingerprintKey(Sensitive.copyOf(Buffer.alloc(32, 7)));
const key = exposureKey(fingerprint, 'team');

const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const value = fc.record({
  file: text,
  key: text,
  object: fc.constant(keyOf('Secret', 'db')),
  cipher: text,
  digest: text,
});
const exposure = fc.record({
  key: text,
  since: text,
  reason: text,
  by: text,
  digestKey: text,
  total: fc.nat(),
  accepted: fc.nat(),
  values: fc.array(value, { maxLength: 5 }),
});
const record: fc.Arbitrary<ExposureRecord> = fc.record({
  serial: fc.nat(),
  lost: fc.option(fc.record({ at: text, why: text }), { nil: undefined }),
  exposures: fc.array(exposure, { maxLength: 3 }),
});

describe('what is exposed, as it is kept', () => {
  test('is read as it was written', () => {
    fc.assert(
      fc.property(record, (kept) => {
        expect(openRecord(sealRecord(kept, key), key)).toEqual(kept);
      }),
    );
  });

  test('does not open when a byte of it is another one, nor with another key or namespace', () => {
    fc.assert(
      fc.property(record, fc.nat(), fc.integer({ min: 1, max: 255 }), (kept, place, change) => {
        const bytes = sealRecord(kept, key);
        expect(openRecord(bytes, exposureKey(fingerprint, 'other'))).toBeUndefined();
        const at = place % bytes.length;
        bytes[at] = (bytes[at] ?? 0) ^ change;
        expect(openRecord(bytes, key)).toBeUndefined();
      }),
    );
  });

  test('is not read where it is too short or too large', () => {
    expect(openRecord(new Uint8Array(10), key)).toBeUndefined();
    expect(openRecord(new Uint8Array(1_000_001), key)).toBeUndefined();
  });

  test('shows neither places nor which values are equal', () => {
    const two = ['a', 'b'].map((at) => ({
      file: `${at}.yaml`,
      key: 'stringData.password',
      object: keyOf('Secret', 'db'),
      cipher: 'c',
      digest: 'the-same-digest',
    }));
    const one = { key: 'age1', since: '', reason: '', by: '', digestKey: '', total: 2, accepted: 0, values: two };
    const bytes = sealRecord({ serial: 1, exposures: [one] }, key).toString('latin1');
    for (const said of ['a.yaml', 'stringData', 'the-same-digest', 'age1']) expect(bytes).not.toContain(said);
  });
});
