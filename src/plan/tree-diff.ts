import { canonicalJson, isJsonObject, type Json } from '../core/json.ts';

/** One field that differs. `undefined`: it is not there on that side. */
export interface FieldChange {
  /** JSON pointer; items of lists of named things by name: `/spec/containers[name=web]/image`. */
  readonly path: string;
  readonly before: Json | undefined;
  readonly after: Json | undefined;
}

/** The fields in which two objects differ, in the order of their paths. */
export function diffTrees(before: Json | undefined, after: Json | undefined, path = ''): FieldChange[] {
  if (before !== undefined && after !== undefined && canonicalJson(before) === canonicalJson(after)) return [];
  if (isJsonObject(before) && isJsonObject(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted();
    return keys.flatMap((key) => diffTrees(own(before, key), own(after, key), `${path}/${escapePointer(key)}`));
  }
  const [a, b] = [byName(before), byName(after)];
  if (a === undefined || b === undefined) return [{ path, before, after }];
  const names = [...new Set([...a.keys(), ...b.keys()])];
  const found = names.flatMap((name) => diffTrees(a.get(name), b.get(name), `${path}[name=${name}]`));
  // The same items in another order: an apply would move them.
  return found.length === 0 ? [{ path, before, after }] : found;
}

function own(object: { readonly [key: string]: Json }, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** A list whose items all have names of their own (containers, env, volumes) is compared item by item. */
function byName(value: Json | undefined): Map<string, Json> | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const items = new Map<string, Json>();
  for (const item of value as readonly Json[]) {
    const name = isJsonObject(item) ? item['name'] : undefined;
    if (typeof name !== 'string' || items.has(name)) return undefined;
    items.set(name, item);
  }
  return items;
}
