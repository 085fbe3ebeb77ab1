import { canonicalJson, isJsonObject, type Json, member, parseJson } from '../core/json.ts';
import type { FieldPath } from './fields.ts';

/**
 * Where a field stands in a tree: keys, and positions of list items in decimal. `missing`: how many steps of the path
 * lead to something that is there; the rest is not. Undefined: an item cannot be told from another one.
 */
export interface FieldPlace {
  readonly path: readonly string[];
  readonly missing: number;
}

const ABSENT: unique symbol = Symbol('absent');

/** Items are found by their keys as managedFields has them; a key that an item leaves out is one the server defaults. */
export function placeOf(tree: Json, field: FieldPath): FieldPlace | undefined {
  const path: string[] = [];
  let at: Json | undefined = tree;
  for (const [depth, token] of field.entries()) {
    const step: string | typeof ABSENT | undefined = token.startsWith('f:') ? token.slice(2) : itemStep(at, token);
    if (step === undefined) return undefined;
    const below: Json | undefined = typeof step === 'symbol' ? undefined : childAt(at, step);
    if (below === undefined || typeof step === 'symbol') {
      const rest = field.slice(depth);
      // What is to be added behind the items that are there has no place in the list yet.
      const names = rest.map((each, index) => (each.startsWith('f:') ? each.slice(2) : index === 0 ? endOf(at) : '0'));
      return { path: [...path, ...names], missing: rest.length };
    }
    path.push(step);
    at = below;
  }
  return { path, missing: 0 };
}

export function valueAtPlace(tree: Json, path: readonly string[]): Json | undefined {
  return path.reduce<Json | undefined>((at, step) => childAt(at, step), tree);
}

function itemStep(list: Json | undefined, token: string): string | typeof ABSENT | undefined {
  const items: readonly Json[] = Array.isArray(list) ? list : [];
  if (token.startsWith('i:')) return token.slice(2);
  const wanted = parseJson(token.slice(2));
  const found = items.flatMap((item, index) => (isItem(item, token, wanted) ? [String(index)] : []));
  if (found.length > 1) return undefined;
  return found[0] ?? ABSENT;
}

function isItem(item: Json, token: string, wanted: Json): boolean {
  if (token.startsWith('v:') || !isJsonObject(wanted)) return canonicalJson(item) === canonicalJson(wanted);
  const keys = Object.entries(wanted);
  const given = keys.filter(([key]) => member(item, key) !== undefined);
  return (
    given.length > 0 && given.every(([key, value]) => canonicalJson(member(item, key) ?? null) === canonicalJson(value))
  );
}

function childAt(value: Json | undefined, step: string): Json | undefined {
  if (Array.isArray(value)) return value[Number(step)] as Json | undefined;
  return member(value, step);
}

function endOf(list: Json | undefined): string {
  return String(Array.isArray(list) ? list.length : 0);
}
