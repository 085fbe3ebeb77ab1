import type { ObjectKey } from '../../core/ids.ts';
import type { FingerprintKey } from '../../keys/fingerprint.ts';

/** Where a value stands in the repository: what `sotto secret set` wants to know. */
export interface ValuePlace {
  readonly file: string;
  readonly key: string;
}

/** A value that a key in wrong hands could open, and that is still in use. */
export interface ExposedValue extends ValuePlace {
  /** The object that has it. */
  readonly object: ObjectKey;
  /** Of its ciphertext: the same one is the same value, so that there is nothing to open. */
  readonly cipher: string;
  /** Keyed, with the key of its exposure. */
  readonly digest: string;
}

/** What one key could open. */
export interface Exposure {
  /** Public half: an age recipient, or the fingerprint of a sealing certificate. */
  readonly key: string;
  /** RFC 3339: when it was told. */
  readonly since: string;
  readonly reason: string;
  readonly by: string;
  /** What its digests are keyed with: kept sealed, and no other than this exposure has it. */
  readonly digestKey: FingerprintKey;
  /** How many values it had in all, and how many of them people have accepted as they are. */
  readonly total: number;
  readonly accepted: number;
  /** Those that are open. */
  readonly values: readonly ExposedValue[];
}

/** A value as it stands now, still closed. */
export interface PlacedValue extends ValuePlace {
  readonly object: ObjectKey;
  readonly cipher: string;
}

export interface Look<Value extends PlacedValue> {
  /** Every value of every sync. */
  readonly now: readonly Value[];
  /** What an object holds now is not known: nothing is closed for that. */
  isUnknown(object: ObjectKey): boolean;
  /** With the key of the exposure; undefined for what does not open. */
  digestOf(value: Value): Promise<string | undefined>;
}

/**
 * The values of an exposure that are still in use. One is closed when it stands nowhere any more: neither at its place nor
 * at one that no other open value stands at. Nothing is opened while the ciphertext is the same.
 */
export async function stillExposed<Value extends PlacedValue>(
  values: readonly ExposedValue[],
  look: Look<Value>,
): Promise<readonly ExposedValue[]> {
  const free = new Set(look.now);
  const found = new Map<ExposedValue, ExposedValue>();
  const take = (exposed: ExposedValue, value: Value): void => {
    free.delete(value);
    const { file, key, object, cipher } = value;
    found.set(exposed, { ...exposed, file, key, object, cipher });
  };
  takeEqual(values, free, (value) => `${placeOf(value)}\0${value.cipher}`, take);
  const left = (): ExposedValue[] => values.filter((value) => !found.has(value));
  // Moved without being encrypted anew.
  takeEqual(left(), free, ({ cipher }) => cipher, take);
  if (left().length === 0) return values.map((value) => found.get(value) ?? value);

  const digests = digestsOf(look);
  const byPlace = Map.groupBy(left(), placeOf);
  for (const value of free) {
    const here = byPlace.get(placeOf(value));
    if (here === undefined) continue;
    const digest = await digests(value);
    const same = here.find((exposed) => !found.has(exposed) && exposed.digest === digest);
    if (same !== undefined) take(same, value);
    // It may be the same one.
    else if (digest === undefined) for (const exposed of here) if (!found.has(exposed)) found.set(exposed, exposed);
  }
  const byDigest = Map.groupBy(left(), ({ digest }) => digest);
  if (byDigest.size > 0) {
    for (const value of free) {
      const next = byDigest.get((await digests(value)) ?? '')?.shift();
      if (next !== undefined) take(next, value);
    }
  }
  return values.flatMap((value) => found.get(value) ?? (look.isUnknown(value.object) ? [value] : []));
}

/** Pairs what has the same mark, each value once. */
function takeEqual<Value extends PlacedValue>(
  values: readonly ExposedValue[],
  free: ReadonlySet<Value>,
  markOf: (value: PlacedValue) => string,
  take: (exposed: ExposedValue, value: Value) => void,
): void {
  const byMark = Map.groupBy(free, markOf);
  for (const exposed of values) {
    const value = byMark.get(markOf(exposed))?.shift();
    if (value !== undefined) take(exposed, value);
  }
}

/** Each value is opened once at most. */
function digestsOf<Value extends PlacedValue>(look: Look<Value>): (value: Value) => Promise<string | undefined> {
  const known = new Map<Value, string | undefined>();
  return async (value) => {
    if (!known.has(value)) known.set(value, await look.digestOf(value));
    return known.get(value);
  };
}

export function placeOf({ file, key }: ValuePlace): string {
  return `${file}\0${key}`;
}
