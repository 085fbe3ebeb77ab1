import { hash } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Json } from '../core/json.ts';
import { LIMITS } from '../core/limits.ts';
import type { PathSet } from './fields.ts';
import { EMPTY_SET, fieldsText, isEmptySet, parseFields } from './fields.ts';

/** Digest of a set of paths: names of fields only, never values. 22 characters. */
export type SetDigest = string & { readonly brand: 'SetDigest' };

/** A set at rest, about a fifth of its JSON: undefined is the empty set. */
export type PackedSet = Uint8Array | undefined;

export function setDigest(set: PathSet): SetDigest {
  return hash('sha256', fieldsText(set), 'base64url').slice(0, 22) as SetDigest;
}

export function isSameSet(a: PackedSet, b: PackedSet): boolean {
  return a === b || (a !== undefined && b !== undefined && Buffer.from(a).equals(b));
}

export function packSet(set: PathSet): PackedSet {
  if (isEmptySet(set)) return undefined;
  // A copy of its own: the zlib result may be a view on a larger buffer, which the record would keep alive.
  return Uint8Array.from(deflateRawSync(fieldsText(set), { level: 3 }));
}

/** Only for what `packSet` made in this process or a MACed inventory kept: it throws on anything else. */
export function unpackSet(packed: PackedSet): PathSet {
  if (packed === undefined) return EMPTY_SET;
  const text = inflateRawSync(packed, { maxOutputLength: LIMITS.maxAnswerBytes }).toString('utf8');
  return parseFields(JSON.parse(text) as Json) ?? EMPTY_SET;
}
