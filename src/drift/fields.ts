import type { Json, JsonObject } from '../core/json.ts';
import { canonicalJson, isJsonObject, parseJson } from '../core/json.ts';
import { LIMITS } from '../core/limits.ts';

/**
 * A set of field paths as fieldsV1 means it: `self` says that the node is a member, `children` go on below it.
 * Children stand in the order of their tokens, so equal sets walk alike. A node that is neither member nor parent
 * does not occur, except for the root of the empty set.
 */
export interface PathSet {
  readonly self: boolean;
  readonly children: ReadonlyMap<string, PathSet>;
}

/** Tokens from the root: `f:NAME`, `k:{json}`, `v:json`, `i:N`, each in its canonical form. */
export type FieldPath = readonly string[];

const NO_CHILDREN: ReadonlyMap<string, PathSet> = new Map();
export const EMPTY_SET: PathSet = { self: false, children: NO_CHILDREN };
/** One object for all leaves: a large set costs its maps only. */
const LEAF: PathSet = { self: true, children: NO_CHILDREN };

/**
 * Reads fieldsV1. Tokens of unknown kind are skipped with what is below them, as the server does; a node at the depth
 * cap counts as a leaf. Undefined when it is no object or has more nodes than the cap.
 */
export function parseFields(fieldsV1: Json | undefined): PathSet | undefined {
  if (!isJsonObject(fieldsV1)) return undefined;
  const budget = { nodes: LIMITS.maxNodesPerDocument };
  const root = parseNode(fieldsV1, 0, budget);
  return budget.nodes < 0 ? undefined : { self: false, children: root.children };
}

function parseNode(value: Json | undefined, depth: number, budget: { nodes: number }): PathSet {
  if (!isJsonObject(value) || depth >= LIMITS.maxDepth) return LEAF;
  let self = false;
  const children: [string, PathSet][] = [];
  for (const key of Object.keys(value)) {
    if (key === '.') {
      self = true;
      continue;
    }
    const token = canonicalToken(key);
    budget.nodes -= 1;
    if (token === undefined || budget.nodes < 0) continue;
    children.push([token, parseNode(value[key], depth + 1, budget)]);
  }
  return children.length === 0 ? LEAF : node(self, children);
}

function node(self: boolean, children: readonly (readonly [string, PathSet])[]): PathSet {
  if (children.length === 0) return self ? LEAF : EMPTY_SET;
  const sorted = children.toSorted(([a], [b]) => (a < b ? -1 : 1));
  const map = new Map<string, PathSet>();
  for (const [token, child] of sorted) {
    const twin = map.get(token);
    map.set(token, twin === undefined ? child : union(twin, child));
  }
  return { self, children: map };
}

/** Undefined for a token of unknown kind or with unreadable JSON. */
function canonicalToken(key: string): string | undefined {
  if (key.startsWith('f:')) return key;
  if (key.startsWith('i:')) return /^i:-?\d{1,10}$/.test(key) ? `i:${Number(key.slice(2))}` : undefined;
  if (!key.startsWith('k:') && !key.startsWith('v:')) return undefined;
  const value = parsedOrUndefined(key.slice(2));
  if (value === undefined || (key.startsWith('k:') && !isJsonObject(value))) return undefined;
  return key.slice(0, 2) + canonicalJson(value);
}

function parsedOrUndefined(text: string): Json | undefined {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

/** An item of a list: `k:`, `v:` or `i:`. */
export function isItemToken(token: string | undefined): boolean {
  return token !== undefined && !token.startsWith('f:');
}

/** fieldsV1 as text in one form: sorted, `.` spelled out where a member has children. Equal sets have equal text. */
export function fieldsText(set: PathSet): string {
  const parts = set.self && set.children.size > 0 ? ['".":{}'] : [];
  for (const [token, child] of set.children) parts.push(`${JSON.stringify(token)}:${fieldsText(child)}`);
  return `{${parts.join(',')}}`;
}

export function fieldsJson(set: PathSet): JsonObject {
  const json = JSON.parse(fieldsText(set)) as Json;
  return isJsonObject(json) ? json : {};
}

export function isEmptySet(set: PathSet): boolean {
  return !set.self && set.children.size === 0;
}

export function union(a: PathSet, b: PathSet): PathSet {
  if (a === b || isEmptySet(b)) return a;
  if (isEmptySet(a)) return b;
  const merged = new Map(a.children);
  for (const [token, child] of b.children) {
    const mine = merged.get(token);
    merged.set(token, mine === undefined ? child : union(mine, child));
  }
  return node(a.self || b.self, [...merged]);
}

/** Paths of `a` that are not members of `b`. */
export function difference(a: PathSet, b: PathSet): PathSet {
  if (isEmptySet(b)) return a;
  const rest: [string, PathSet][] = [];
  for (const [token, child] of a.children) {
    const other = b.children.get(token);
    const left = other === undefined ? child : difference(child, other);
    if (!isEmptySet(left)) rest.push([token, left]);
  }
  return node(a.self && !b.self, rest);
}

export function intersection(a: PathSet, b: PathSet): PathSet {
  return difference(a, difference(a, b));
}

export function pathsOf(set: PathSet): FieldPath[] {
  const paths: FieldPath[] = [];
  const walk = (at: PathSet, path: FieldPath): void => {
    if (at.self) paths.push(path);
    for (const [token, child] of at.children) walk(child, [...path, token]);
  };
  walk(set, []);
  return paths;
}

export function setOf(paths: Iterable<FieldPath>): PathSet {
  let set = EMPTY_SET;
  for (const path of paths)
    set = union(
      set,
      path.reduceRight<PathSet>((below, token) => node(false, [[token, below]]), LEAF),
    );
  return set;
}

/** The node at the path, member or not. */
export function nodeAt(set: PathSet, path: FieldPath): PathSet | undefined {
  let at: PathSet | undefined = set;
  for (const token of path) {
    at = at.children.get(token);
    if (at === undefined) return undefined;
  }
  return at;
}

export function isMember(set: PathSet, path: FieldPath): boolean {
  return nodeAt(set, path)?.self === true;
}

/** The part of the set at and below one path. */
export function subsetAt(set: PathSet, path: FieldPath): PathSet {
  const found = nodeAt(set, path);
  if (found === undefined) return EMPTY_SET;
  return path.reduceRight<PathSet>((below, token) => node(false, [[token, below]]), found);
}

/** The set without the paths that the test names; a named member takes everything below it along. */
export function without(set: PathSet, isLeftOut: (path: FieldPath) => boolean): PathSet {
  const walk = (at: PathSet, path: FieldPath): PathSet => {
    if (path.length > 0 && isLeftOut(path)) return EMPTY_SET;
    const rest = [...at.children].map(([token, child]) => [token, walk(child, [...path, token])] as const);
    return node(
      at.self,
      rest.filter(([, child]) => !isEmptySet(child)),
    );
  };
  return walk(set, []);
}
