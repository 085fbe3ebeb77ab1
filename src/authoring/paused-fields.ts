import { canonicalJson, isJsonObject, type Json, member } from '../core/json.ts';
import { findAdditions, takerOf } from '../drift/additions.ts';
import { entryFields, isOwnEntry, managedEntries, type ManagedEntry, ownEntry } from '../drift/entries.ts';
import { placeOf, valueAtPlace } from '../drift/field-place.ts';
import { EMPTY_SET, type FieldPath, isMember, nodeAt, type PathSet, setOf, union } from '../drift/fields.ts';
import { BEFORE_FIRST_APPLY, isAutoscaler, isInteractive } from '../drift/policy.ts';
import type { HandField } from '../drift/undone-fields.ts';

export interface PausedObject {
  /** With its managedFields. */
  readonly live: Json;
  readonly manifest: Json;
  /** Additions of others that were there when sotto took the object over. */
  readonly accepted: PathSet;
}

const NOT_KEPT: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'status']);

/**
 * What people have made of an object that is left alone: fields of the manifest that are not sotto's any more and have
 * another value or none, and what somebody at a keyboard has added. Told by ownership, so that defaults of the server do
 * not count.
 */
export function pausedFields({ live, manifest, accepted }: PausedObject): HandField[] {
  const entries = managedEntries(live).filter(({ subresource }) => subresource !== 'status');
  const own = entryFields(ownEntry(entries));
  const all = entries.reduce((set, entry) => union(set, entryFields(entry)), EMPTY_SET);
  const found: HandField[] = [];
  const scan: Scan = { live, entries, own, found };
  if (isJsonObject(manifest)) {
    for (const [key, value] of Object.entries(manifest)) {
      if (!NOT_KEPT.has(key) && key !== 'metadata') compare(scan, [`f:${key}`], value, nodeAt(all, [`f:${key}`]));
    }
    for (const key of ['labels', 'annotations']) {
      const value = member(member(manifest, 'metadata'), key);
      const path = ['f:metadata', `f:${key}`];
      if (value !== undefined) compare(scan, path, value, nodeAt(all, path));
    }
  }
  const policy = { ownership: { kind: 'guard' }, ignorePaths: [], ignoreManagers: [BEFORE_FIRST_APPLY] } as const;
  const additions = findAdditions({ entries, ours: own, accepted, policy }).map(({ path }) => path);
  for (const path of additions) {
    const place = placeOf(live, path);
    if (place?.missing !== 0) continue;
    const value = valueAtPlace(live, place.path);
    if (value !== undefined) found.push({ field: path, value });
  }
  return outermost(found);
}

interface Scan {
  readonly live: Json;
  readonly entries: readonly ManagedEntry[];
  readonly own: PathSet;
  readonly found: HandField[];
}

/** `owned`: what managedFields of all writers say at this path, by which the form of a list is known. */
function compare(scan: Scan, field: FieldPath, wanted: Json, owned: PathSet | undefined): void {
  const place = placeOf(scan.live, field);
  const now = place?.missing === 0 ? valueAtPlace(scan.live, place.path) : undefined;
  if (place === undefined || isSame(now, wanted)) return;
  if (now === undefined) {
    if (!isEmpty(wanted)) scan.found.push({ field });
    return;
  }
  if (isJsonObject(wanted) && isJsonObject(now) && !isAtom(owned)) {
    for (const [key, value] of Object.entries(wanted)) {
      compare(scan, [...field, `f:${key}`], value, owned?.children.get(`f:${key}`));
    }
    return;
  }
  if (Array.isArray(wanted) && Array.isArray(now) && !isAtom(owned)) {
    for (const item of wanted as readonly Json[]) compareItem(scan, field, item, owned);
    return;
  }
  if (!isMember(scan.own, field) && isByHand(scan, field)) scan.found.push({ field, value: now });
}

function compareItem(scan: Scan, list: FieldPath, item: Json, owned: PathSet | undefined): void {
  const tokens = [...(owned?.children.keys() ?? [])];
  const keyed = tokens.find((token) => token.startsWith('k:'));
  if (keyed === undefined) {
    if (tokens.some((token) => token.startsWith('v:')))
      compare(scan, [...list, `v:${canonicalJson(item)}`], item, undefined);
    return;
  }
  const names = Object.keys(JSON.parse(keyed.slice(2)) as object);
  const keys = names.flatMap((name) => {
    const value = member(item, name);
    return value === undefined ? [] : [[name, value] as const];
  });
  const token =
    tokens.find((each) => each.startsWith('k:') && hasKeys(each, keys)) ??
    `k:${canonicalJson(Object.fromEntries(keys))}`;
  compare(scan, [...list, token], item, owned?.children.get(token));
}

/** The server has put defaults for keys that the manifest leaves out. */
function hasKeys(token: string, keys: readonly (readonly [string, Json])[]): boolean {
  const found = JSON.parse(token.slice(2)) as Json;
  return keys.every(([name, value]) => isSame(member(found, name), value));
}

/** A list or mapping that is owned as one. */
function isAtom(owned: PathSet | undefined): boolean {
  return owned !== undefined && owned.self && owned.children.size === 0;
}

/** An autoscaler may have what it has taken. */
function isByHand({ entries }: Scan, field: FieldPath): boolean {
  const taker = takerOf(field, entries);
  return taker === undefined || isInteractive(taker) || !isAutoscaler(taker);
}

function isSame(a: Json | undefined, b: Json | undefined): boolean {
  return a !== undefined && b !== undefined && canonicalJson(a) === canonicalJson(b);
}

function isEmpty(value: Json): boolean {
  return value === null || value === '' || (typeof value === 'object' && Object.keys(value).length === 0);
}

function outermost(fields: readonly HandField[]): HandField[] {
  const once = new Map(fields.map((each) => [JSON.stringify(each.field), each]));
  const set = setOf([...once.values()].map(({ field }) => field));
  return [...once.values()].filter(
    ({ field }) => !field.some((_token, at) => at > 0 && isMember(set, field.slice(0, at))),
  );
}

/** Entries of a Secret that are not sotto's any more, told without their values. */
export function takenEntries(live: Json, present: readonly string[]): string[] {
  const own = entryFields(managedEntries(live).find(isOwnEntry));
  return present.filter((key) => !isMember(own, ['f:data', `f:${key}`]));
}
