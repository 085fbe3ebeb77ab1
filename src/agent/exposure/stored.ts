import type { KeyObject } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { ObjectKey } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import { ownedBytes, Sensitive } from '../../core/sensitive.ts';
import { copyKey, derivedKey, FINGERPRINT_BYTES, type FingerprintKey, fingerprintKey } from '../../keys/fingerprint.ts';
import { openBytes, sealBytes } from '../sealed-text.ts';
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

/** A record of another format does not open. */
const FORMAT = 2;

export function exposureKey(fingerprint: FingerprintKey, namespace: string): KeyObject {
  return derivedKey(fingerprint, 'exposure-key', namespace);
}

type StoredValue = readonly [file: string, key: string, object: string, cipher: string, digest: string];

/** The part that is text. The keys stand before it, as bytes: a key in JSON would be a string. */
interface StoredRecord {
  readonly serial: number;
  readonly lost?: LostExposures;
  readonly exposures: readonly (Omit<Exposure, 'digestKey' | 'values'> & { readonly values: readonly StoredValue[] })[];
}

/** One byte that says how many keys there are, the keys, then the compressed text. */
const KEYS_AT = 1;

/** The one entry of ConfigMap `sotto-exposure`: sealed, because equal digests would show equal values. */
export function sealRecord({ serial, lost, exposures }: ExposureRecord, key: KeyObject): Buffer {
  const stored = {
    serial,
    ...(lost === undefined ? {} : { lost }),
    exposures: exposures.map(({ key: of, since, reason, by, total, accepted, values }) => ({
      key: of,
      since,
      reason,
      by,
      total,
      accepted,
      values: values.map(
        ({ file, key: at, object, cipher, digest }) => [file, at, object, cipher, digest] satisfies StoredValue,
      ),
    })),
  } satisfies StoredRecord;
  const text = gzipSync(JSON.stringify(stored));
  const textAt = KEYS_AT + exposures.length * FINGERPRINT_BYTES;
  const bytes = ownedBytes(textAt + text.length);
  try {
    bytes[0] = exposures.length;
    for (const [at, { digestKey }] of exposures.entries()) copyKey(digestKey, bytes, KEYS_AT + at * FINGERPRINT_BYTES);
    bytes.set(text, textAt);
    return sealBytes(bytes, key, BOUND_TO);
  } finally {
    bytes.fill(0);
  }
}

const BOUND_TO = new TextEncoder().encode(JSON.stringify(['sotto-exposure', FORMAT]));
const MAX_TEXT_BYTES = 16 * 1024 * 1024;

/** Undefined for what our own key has not sealed. */
export async function openRecord(sealed: Uint8Array, key: KeyObject): Promise<ExposureRecord | undefined> {
  const bytes = sealed.length > LIMITS.maxExposureBytes ? undefined : await openBytes(sealed, key, BOUND_TO);
  if (bytes === undefined) return undefined;
  try {
    return recordIn(bytes);
  } finally {
    bytes.fill(0);
  }
}

/** Only what our own key has sealed comes here, so this is what sotto itself wrote. */
function recordIn(bytes: Uint8Array): ExposureRecord {
  const textAt = KEYS_AT + (bytes[0] ?? 0) * FINGERPRINT_BYTES;
  const text = gunzipSync(bytes.subarray(textAt), { maxOutputLength: MAX_TEXT_BYTES }).toString('utf8');
  const { serial, lost, exposures } = JSON.parse(text) as StoredRecord;
  return {
    serial,
    lost,
    exposures: exposures.map(({ values, ...rest }, at) => ({
      ...rest,
      digestKey: keyIn(bytes, KEYS_AT + at * FINGERPRINT_BYTES),
      values: values.map(([file, place, object, cipher, digest]) => ({
        file,
        key: place,
        object: object as ObjectKey,
        cipher,
        digest,
      })),
    })),
  };
}

function keyIn(bytes: Uint8Array, at: number): FingerprintKey {
  using own = Sensitive.copyOf(bytes.subarray(at, at + FINGERPRINT_BYTES));
  return fingerprintKey(own);
}
