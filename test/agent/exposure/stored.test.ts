import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exposureKey, openRecord, sealRecord, type ExposureRecord } from '../../../src/agent/exposure/stored.ts';
import { Sensitive } from '../../../src/core/sensitive.ts';
import { sealText } from '../../../src/agent/sealed-text.ts';
import { type FingerprintKey, fingerprintKey } from '../../../src/keys/fingerprint.ts';
import { keyOf } from '../fixture.ts';
import { readable } from './readable.ts';

const fingerprint = fingerprintKey(Sensitive.copyOf(Buffer.alloc(32, 7)));
const key = exposureKey(fingerprint, 'team');

const keyOfBytes = (bytes: Uint8Array): FingerprintKey => fingerprintKey(Sensitive.copyOf(bytes));

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
  digestKey: fc.uint8Array({ minLength: 32, maxLength: 32 }).map(keyOfBytes),
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
  test('is read as it was written', async () => {
    await fc.assert(
      fc.asyncProperty(record, async (kept) => {
        const read = await openRecord(sealRecord(kept, key), key);
        expect({ ...read, exposures: readable(read?.exposures ?? []) }).toEqual({
          ...kept,
          exposures: readable(kept.exposures),
        });
      }),
    );
  });

  test('does not open when a byte of it is another one, nor with another key or namespace', async () => {
    await fc.assert(
      fc.asyncProperty(record, fc.nat(), fc.integer({ min: 1, max: 255 }), async (kept, place, change) => {
        const bytes = sealRecord(kept, key);
        expect(await openRecord(bytes, exposureKey(fingerprint, 'other'))).toBeUndefined();
        const at = place % bytes.length;
        bytes[at] = (bytes[at] ?? 0) ^ change;
        expect(await openRecord(bytes, key)).toBeUndefined();
      }),
    );
  });

  test('is not read where it is too short or too large', async () => {
    expect(await openRecord(new Uint8Array(10), key)).toBeUndefined();
    expect(await openRecord(new Uint8Array(1_000_001), key)).toBeUndefined();
  });

  test('is not read where our own key has sealed another form of it', async () => {
    for (const format of [1, 3]) {
      const boundTo = Buffer.from(JSON.stringify(['sotto-exposure', format]));
      const other = sealText(JSON.stringify({ format, serial: 1, exposures: [] }), key, boundTo);
      expect(await openRecord(other, key)).toBeUndefined();
    }
  });

  test('shows neither places nor which values are equal', () => {
    const two = ['a', 'b'].map((at) => ({
      file: `${at}.yaml`,
      key: 'stringData.password',
      object: keyOf('Secret', 'db'),
      cipher: 'c',
      digest: 'the-same-digest',
    }));
    const one = {
      key: 'age1',
      since: '',
      reason: '',
      by: '',
      digestKey: fingerprint,
      total: 2,
      accepted: 0,
      values: two,
    };
    const bytes = sealRecord({ serial: 1, exposures: [one] }, key).toString('latin1');
    for (const said of ['a.yaml', 'stringData', 'the-same-digest', 'age1']) expect(bytes).not.toContain(said);
  });
});
