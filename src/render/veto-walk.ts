import { type Closed, type ClosedObject, isClosedObject } from '../core/closed.ts';

/** One member of an object, or one item of a list, at any depth. */
export interface Member {
  readonly path: readonly string[];
  /** Of an item its position. */
  readonly key: string;
  readonly value: Closed;
}

/** Every member and item of a tree, outer ones first. */
export function* membersOf(tree: Closed, path: readonly string[] = []): Generator<Member> {
  if (!Array.isArray(tree) && !isClosedObject(tree)) return;
  for (const [key, value] of Object.entries(tree as ClosedObject)) {
    yield { path: [...path, key], key, value };
    yield* membersOf(value, [...path, key]);
  }
}

/** Names that a reference holds: itself, its `name` or `secretName`, or those of its items. */
export function namesIn(value: Closed): string[] {
  if (typeof value === 'string') return [value];
  if (Array.isArray(value)) return value.flatMap((item: Closed) => namesIn(item));
  if (!isClosedObject(value)) return [];
  return ['name', 'secretName'].flatMap((key) => textAt(value, key) ?? []);
}

export function textAt(value: Closed | undefined, ...path: readonly string[]): string | undefined {
  const found = valueAt(value, ...path);
  return typeof found === 'string' ? found : undefined;
}

/** Own members only: `constructor` in a manifest is data. */
export function valueAt(value: Closed | undefined, ...path: readonly string[]): Closed | undefined {
  return path.reduce<Closed | undefined>(
    (at, key) => (isClosedObject(at) && Object.hasOwn(at, key) ? at[key] : undefined),
    value,
  );
}

/** The items of a list of objects; of anything else none. */
export function objectsAt(value: Closed | undefined, ...path: readonly string[]): ClosedObject[] {
  const found = valueAt(value, ...path);
  return Array.isArray(found) ? found.filter((item: Closed) => isClosedObject(item)) : [];
}

export function textsAt(value: Closed | undefined, ...path: readonly string[]): string[] {
  const found = valueAt(value, ...path);
  return Array.isArray(found) ? found.filter((item: Closed) => typeof item === 'string') : [];
}
