import { type Closed, type ClosedObject, isClosedObject } from '../core/closed.ts';
import { isJsonObject, type JsonObject, parseJson } from '../core/json.ts';

/**
 * The tree without the fields at these paths of managedFields tokens (`f:spec`, `f:replicas`,
 * `k:{"name":"web"}`). An item of a list stays, with the fields that name it: only what it has besides can be left out.
 */
export function withoutFields(tree: ClosedObject, paths: readonly (readonly string[])[]): ClosedObject {
  return paths.reduce((result, path) => withoutField(result, path), tree);
}

function withoutField(tree: ClosedObject, path: readonly string[]): ClosedObject {
  const [token, ...rest] = path;
  if (token === undefined || !token.startsWith('f:')) return tree;
  const key = token.slice(2);
  const value: Closed | undefined = Object.hasOwn(tree, key) ? tree[key] : undefined;
  if (value === undefined) return tree;
  if (rest.length === 0) return Object.fromEntries(Object.entries(tree).filter(([name]) => name !== key));
  if (Array.isArray(value)) return { ...tree, [key]: withoutInItem(value, rest) };
  return isClosedObject(value) ? { ...tree, [key]: withoutField(value, rest) } : tree;
}

function withoutInItem(list: readonly Closed[], [token = '', ...rest]: readonly string[]): readonly Closed[] {
  const keys = token.startsWith('k:') ? parseJson(token.slice(2)) : undefined;
  if (!isJsonObject(keys) || rest.length === 0 || Object.hasOwn(keys, (rest[0] ?? '').slice(2))) return list;
  return list.map((item) => (isClosedObject(item) && isNamed(item, keys) ? withoutField(item, rest) : item));
}

function isNamed(item: ClosedObject, keys: JsonObject): boolean {
  return Object.entries(keys).every(([key, value]) => Object.hasOwn(item, key) && item[key] === value);
}
