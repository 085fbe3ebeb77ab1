import type { KeyObject } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import type { ClosedObject } from '../core/closed.ts';
import { sourceDigest } from '../core/digest.ts';
import type { ObjectKey, SourceDigest } from '../core/ids.ts';
import { isJsonObject } from '../core/json.ts';
import { LIMITS } from '../core/limits.ts';
import { derivedKey, type FingerprintKey, keyedDigest } from '../keys/fingerprint.ts';
import { isStorable, restoreTrees, type StoredTrees, storeTrees } from '../open/stored.ts';
import type { DesiredObject } from '../render/desired.ts';
import { openText, sealText } from './sealed-text.ts';

/** One object as it was applied last, closed. What else is known of it says its row in the inventory. */
export interface LastObject {
  readonly key: ObjectKey;
  readonly digest: SourceDigest;
  readonly tree: ClosedObject;
}

/** What seals the parts and tells them apart; made from the fingerprint key. */
export interface LastKeys {
  /** Keyed: the objects of a part may hold values that stand in Git in clear. */
  idOf(text: string): string;
  readonly key: KeyObject;
}

export function lastKeys(fingerprint: FingerprintKey, namespace: string): LastKeys {
  return {
    idOf: (text) => keyedDigest(fingerprint, 'last', namespace, text).toString('base64url'),
    key: derivedKey(fingerprint, 'last-key', namespace),
  };
}

/** What a part is of: a part at another place, of another sync, content or version does not open. */
export interface PartPlace {
  readonly sync: string;
  readonly version: string;
  readonly id: string;
}

const FORMAT = 1;

/** What may be kept: ciphertext and what stands in clear in Git, but never the values of a Secret in clear. */
export function storable({ id, encrypted, tree }: DesiredObject): boolean {
  const isSecret = id.group === '' && id.kind === 'Secret';
  const { data } = tree;
  if (!isStorable(tree)) return false;
  return !isSecret || encrypted || !isJsonObject(data) || Object.values(data).every((value) => value === '');
}

/** The objects by part, as text. Where an object goes is told by its name, so that one that changes touches one part. */
export function partTexts(objects: readonly LastObject[], count: number): string[] {
  const sorted = objects.toSorted((a, b) => (a.key < b.key ? -1 : 1));
  const parts: LastObject[][] = Array.from({ length: count }, () => []);
  for (const object of sorted) parts[partOf(object.key, count)]?.push(object);
  return parts.map(textOf);
}

function partOf(key: ObjectKey, count: number): number {
  return Number.parseInt(sourceDigest('last', key).slice(0, 8), 16) % count;
}

function textOf(objects: readonly LastObject[]): string {
  const stored = storeTrees(objects.map(({ tree }) => tree));
  const ids = objects.map(({ key, digest }) => [key, digest] as const);
  return JSON.stringify({ format: FORMAT, ids, stored } satisfies StoredPart);
}

export function sealPart(text: string, keys: LastKeys, place: PartPlace): Buffer {
  return sealText(text, keys.key, boundTo(place));
}

/** The compressed text; undefined for what is not the part that is asked for, whole and unchanged. */
export function openPart(bytes: Uint8Array, keys: LastKeys, place: PartPlace): Buffer | undefined {
  return bytes.length > LIMITS.maxLastPartBytes ? undefined : openText(bytes, keys.key, boundTo(place));
}

function boundTo({ sync, version, id }: PartPlace): Buffer {
  return Buffer.from(JSON.stringify(['sotto-last', FORMAT, version, sync, id]), 'utf8');
}

interface StoredPart {
  readonly format: number;
  readonly ids: readonly (readonly [ObjectKey, SourceDigest])[];
  readonly stored: StoredTrees;
}

/** The objects of a part that has been opened; undefined where it is too large to be one. */
export function objectsIn(packed: Uint8Array): LastObject[] | undefined {
  let text: string;
  try {
    text = gunzipSync(packed, { maxOutputLength: LIMITS.maxLastTextBytes }).toString('utf8');
  } catch {
    return undefined;
  }
  // Only what our own key has sealed is unpacked, so this is text that this version of sotto wrote.
  const { ids, stored } = JSON.parse(text) as StoredPart;
  const trees = restoreTrees(stored);
  return ids.flatMap(([key, digest], at) => {
    const tree = trees[at];
    return tree === undefined ? [] : [{ key, digest, tree }];
  });
}

/** How the objects of a sync are stored. */
export interface LaidOut {
  /** `bytes` is undefined where the part is as it was. */
  readonly parts: readonly { readonly id: string; readonly bytes: Buffer | undefined }[];
  /** Objects that are too large for a part of their own. */
  readonly leftOut: readonly ObjectKey[];
}

export interface Layout {
  readonly keys: LastKeys;
  readonly sync: string;
  readonly version: string;
  /** Ids of the parts that are stored already, in order; what is to be written anew in any case is empty. */
  readonly known: readonly string[];
  readonly maxBytes: number;
  readonly maxParts: number;
}

/** Parts below the limit, as many as it takes, and only those that changed. Undefined when no number of them is enough. */
export function layOut(objects: readonly LastObject[], layout: Layout): LaidOut | undefined {
  const { keys, sync, version, known, maxBytes, maxParts } = layout;
  const leftOut: ObjectKey[] = [];
  let kept = objects;
  for (let count = Math.max(1, known.length); count <= maxParts; ) {
    const texts = partTexts(kept, count);
    const parts = texts.map((text, at) => {
      const id = keys.idOf(text);
      return {
        id,
        bytes: known.length === count && known[at] === id ? undefined : sealPart(text, keys, { sync, version, id }),
      };
    });
    const large = parts.findIndex(({ bytes }) => bytes !== undefined && bytes.length > maxBytes);
    if (large === -1) return { parts, leftOut };
    const [one, other] = kept.filter(({ key }) => partOf(key, count) === large);
    if (one !== undefined && other === undefined) {
      leftOut.push(one.key);
      kept = kept.filter((object) => object !== one);
    } else count *= 2;
  }
  return undefined;
}
