import { type Closed, type ClosedObject, isClosedObject } from '../core/closed.ts';

/**
 * The tree without the fields at these paths of managedFields tokens (`f:spec`, `f:replicas`). Only paths of plain
 * fields are left out; one that leads through a list is sent, because a part of an item cannot be yielded by leaving
 * the item out.
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
  return isClosedObject(value) ? { ...tree, [key]: withoutField(value, rest) } : tree;
}
