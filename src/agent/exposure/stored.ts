import { createSecretKey, type KeyObject } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import type { ObjectKey } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import { type FingerprintKey, keyedDigest } from '../../keys/fingerprint.ts';
import { openText, sealText } from '../sealed-text.ts';
import type { Exposure } from './exposure.ts';

/** All that is exposed, as it is kept. */
export interface ExposureRecord {
  /** One more with each write. */
  readonly serial: number;
  /** What had been kept before was gone or forged, and nobody has said yet that this is settled. */
  readonly lost?: LostExposures | undefined;
  readonly exposures: readonly Exposure[];
}

export interface LostExposures {
  /** RFC 3339. */
  readonly at: string;
  readonly why: string;
}

const FORMAT = 1;

export function exposureKey(fingerprint: FingerprintKey, namespace: string): KeyObject {
  return createSecretKey(keyedDigest(fingerprint, 'exposure-key', namespace));
}

type StoredValue = readonly [file: string, key: string, object: string, cipher: string, digest: string];

interface StoredRecord {
  readonly format: number;
  readonly serial: number;
  readonly lost?: LostExposures;
  readonly exposures: readonly (Omit<Exposure, 'values'> & { readonly values: readonly StoredValue[] })[];
}

/** The one entry of ConfigMap `sotto-exposure`: sealed, because equal digests would show equal values. */
export function sealRecord({ serial, lost, exposures }: ExposureRecord, key: KeyObject): Buffer {
  const stored = {
    format: FORMAT,
    serial,
    ...(lost === undefined ? {} : { lost }),
    exposures: exposures.map(({ values, ...rest }) => ({
      ...rest,
      values: values.map(
        ({ file, key: at, object, cipher, digest }) => [file, at, object, cipher, digest] satisfies StoredValue,
      ),
    })),
  } satisfies StoredRecord;
  return sealText(JSON.stringify(stored), key, BOUND_TO);
}

const BOUND_TO = Buffer.from(JSON.stringify(['sotto-exposure', FORMAT]), 'utf8');
const MAX_TEXT_BYTES = 16 * 1024 * 1024;

/** Undefined for what our own key has not sealed. */
export function openRecord(bytes: Uint8Array, key: KeyObject): ExposureRecord | undefined {
  const packed = bytes.length > LIMITS.maxExposureBytes ? undefined : openText(bytes, key, BOUND_TO);
  if (packed === undefined) return undefined;
  // Only what our own key has sealed is unpacked, so this is text that sotto itself wrote.
  const text = gunzipSync(packed, { maxOutputLength: MAX_TEXT_BYTES }).toString('utf8');
  const { serial, lost, exposures } = JSON.parse(text) as StoredRecord;
  return {
    serial,
    lost,
    exposures: exposures.map(({ values, ...rest }) => ({
      ...rest,
      values: values.map(([file, at, object, cipher, digest]) => ({
        file,
        key: at,
        object: object as ObjectKey,
        cipher,
        digest,
      })),
    })),
  };
}
