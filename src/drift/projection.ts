import type { KeyObject } from 'node:crypto';
import { createHmac, hash } from 'node:crypto';
import type { Json } from '../core/json.ts';
import { canonicalJson, isJsonObject, member } from '../core/json.ts';
import type { FieldPath, PathSet } from './fields.ts';
import { EMPTY_SET, setOf } from './fields.ts';

/** Random per process, made by `createSecretKey(randomBytes(32))`: digests of values mean nothing outside it. */
export type MacKey = KeyObject;

/** Bytes of the tag of one contribution. */
export const TAG_BYTES = 8;

/** What one owned place adds to the digest. The path array is only valid during the call. */
type Visit = (path: readonly string[], text: string) => void;

/**
 * Walks a live object along a set of paths and hands out, in an order that the set alone decides: the value of each
 * leaf, presence of each item, relative order of the items of an associative list (spec/drift.md 1.3, N4).
 * Leaves in `ownershipOnly` are skipped: others may fill them lawfully (P1).
 */
function walk(set: PathSet, live: Json | undefined, ownershipOnly: PathSet, visit: Visit): void {
  visitNode(set, live, ownershipOnly, [], visit);
}

function visitNode(
  node: PathSet,
  value: Json | undefined,
  skip: PathSet | undefined,
  path: string[],
  visit: Visit,
): void {
  if (node.children.size === 0) {
    if (skip?.self !== true) visit(path, `=${valueText(value)}`);
    return;
  }
  if (node.self) visit(path, `.${typeText(value)}`);
  const items = hasItems(node) ? indexItems(node, value) : undefined;
  const order: number[][] = [];
  let ordinal = 0;
  for (const [token, child] of node.children) {
    path.push(token);
    if (items === undefined || token.startsWith('f:')) {
      visitNode(child, member(value, token.slice(2)), skip?.children.get(token), path, visit);
    } else {
      const places = items.get(token) ?? [];
      visitItem(child, places, value, skip?.children.get(token), path, visit);
      if (token.startsWith('k:') && places[0] !== undefined) order.push([places[0], ordinal]);
    }
    path.pop();
    ordinal += 1;
  }
  if (items !== undefined && node.children.size > 1) visit(path, `#${orderText(order)}`);
}

function visitItem(
  node: PathSet,
  places: readonly number[],
  list: Json | undefined,
  skip: PathSet | undefined,
  path: string[],
  visit: Visit,
): void {
  const only = places.length === 1 ? places[0] : undefined;
  if (only !== undefined) {
    visitNode(node, itemAt(list, only), skip, path, visit);
    return;
  }
  // None, or several with the same keys: the first one alone would pass for right (spec/drift.md 1.4, duplicate keys).
  if (node.self) visit(path, `x${places.length}`);
  if (node.children.size > 0) visitNode({ self: false, children: node.children }, undefined, skip, path, visit);
}

function itemAt(list: Json | undefined, index: number): Json | undefined {
  return Array.isArray(list) ? (list[index] as Json | undefined) : undefined;
}

function hasItems(node: PathSet): boolean {
  for (const token of node.children.keys()) if (!token.startsWith('f:')) return true;
  return false;
}

/** Where each token's items stand. Keys of all `k:` tokens count: one that a token lacks must be absent in the item (P10). */
function indexItems(node: PathSet, list: Json | undefined): Map<string, number[]> {
  const places = new Map<string, number[]>();
  if (!Array.isArray(list)) return places;
  const keys = keyNames(node);
  const add = (token: string, index: number): void => {
    const at = places.get(token);
    if (at === undefined) places.set(token, [index]);
    else at.push(index);
  };
  list.forEach((item: Json, index) => {
    if (keys.length > 0 && isJsonObject(item)) add(itemToken(item, keys), index);
    else add(`v:${canonicalJson(item)}`, index);
    add(`i:${index}`, index);
  });
  return places;
}

function keyNames(node: PathSet): string[] {
  const names = new Set<string>();
  for (const token of node.children.keys()) {
    if (!token.startsWith('k:')) continue;
    const key = JSON.parse(token.slice(2)) as Json;
    if (isJsonObject(key)) for (const name of Object.keys(key)) names.add(name);
  }
  return [...names].toSorted();
}

function itemToken(item: Json, keys: readonly string[]): string {
  const parts: string[] = [];
  for (const key of keys) {
    const value = member(item, key);
    if (value !== undefined) parts.push(`${JSON.stringify(key)}:${canonicalJson(value)}`);
  }
  return `k:{${parts.join(',')}}`;
}

function orderText(order: number[][]): string {
  return order
    .toSorted(([a = 0], [b = 0]) => a - b)
    .map(([, ordinal = 0]) => ordinal)
    .join(',');
}

function valueText(value: Json | undefined): string {
  return value === undefined ? 'absent' : canonicalJson(value);
}

function typeText(value: Json | undefined): string {
  if (value === undefined) return 'absent';
  if (Array.isArray(value)) return 'list';
  return isJsonObject(value) ? 'map' : 'scalar';
}

/**
 * The leaves of ours whose stored value is `{}`, `[]`, null or absent. Judged from the server's answer to our apply:
 * it drops empty containers of its choice, and whoever fills one later does no wrong (P1).
 */
export function ownershipOnlyLeaves(set: PathSet, live: Json): PathSet {
  const found: FieldPath[] = [];
  walk(set, live, EMPTY_SET, (path, text) => {
    const isField = path.at(-1)?.startsWith('f:') === true;
    if (isField && (text === '=absent' || text === '=null' || text === '={}' || text === '=[]')) found.push([...path]);
  });
  return setOf(found);
}

/** Keyed digest of everything that the set owns in the live object. Comparable only for equal sets. */
export function valueMac(set: PathSet, live: Json, ownershipOnly: PathSet, key: MacKey): string {
  const parts: string[] = [];
  // Lengths make the sequence unambiguous; paths need not be in it, as the set fixes their order.
  walk(set, live, ownershipOnly, (_path, text) => parts.push(`${text.length}:${text}`));
  return createHmac('sha256', key).update(parts.join('')).digest('base64url');
}

/** One tag per contribution, in walking order: which path changed can be told without holding any value. */
export function leafTags(set: PathSet, live: Json, ownershipOnly: PathSet, key: MacKey): Uint8Array {
  const tagOf = tagger(key);
  const tags: Buffer[] = [];
  walk(set, live, ownershipOnly, (_path, text) => tags.push(tagOf(tags.length, text)));
  return Uint8Array.from(Buffer.concat(tags));
}

/**
 * A hash with the key in front instead of an HMAC: a tenth of the time, and hundreds of tags are made per object. A
 * quarter of the hash is kept and leaves the process nowhere, so nothing can be appended to it.
 */
function tagger(key: MacKey): (ordinal: number, text: string) => Buffer {
  const prefix = key.export().toString('hex');
  return (ordinal, text) => hash('sha256', `${prefix}/${ordinal}/${text}`, 'buffer').subarray(0, TAG_BYTES);
}

/** Paths of the set whose live value has another tag than the stored one. */
export function changedPaths(
  set: PathSet,
  live: Json,
  ownershipOnly: PathSet,
  key: MacKey,
  tags: Uint8Array,
): FieldPath[] {
  const tagOf = tagger(key);
  const changed = new Map<string, FieldPath>();
  let ordinal = 0;
  walk(set, live, ownershipOnly, (path, text) => {
    const before = tags.subarray(ordinal * TAG_BYTES, (ordinal + 1) * TAG_BYTES);
    if (!tagOf(ordinal, text).equals(before)) changed.set(JSON.stringify(path), [...path]);
    ordinal += 1;
  });
  return [...changed.values()];
}
