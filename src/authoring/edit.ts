import { canonicalJson, isJsonObject, type Json, type JsonObject } from '../core/json.ts';

/** Keys and, in lists, positions in decimal, from the root of a document. */
export type EditPath = readonly string[];

/** One change of a document, at a place of it. Missing mappings on the way are made. */
export type ManifestEdit =
  | { readonly kind: 'set'; readonly path: EditPath; readonly value: Json }
  | { readonly kind: 'remove'; readonly path: EditPath };

/** What a text is changed by, one after the other: each path holds when those before it are done. */
export type Step =
  | { readonly kind: 'replace' | 'add' | 'insert'; readonly path: EditPath; readonly value: Json }
  | { readonly kind: 'remove'; readonly path: EditPath };

/** The smallest steps for an edit of a tree: what is equal in both stays untouched. Undefined: there is no such place. */
export function stepsOf(tree: Json, edit: ManifestEdit): Step[] | undefined {
  if (edit.kind === 'remove') {
    const isThere = edit.path.length > 0 && valueAt(tree, edit.path) !== undefined;
    return isThere ? [{ kind: 'remove', path: edit.path }] : undefined;
  }
  for (let depth = 0; depth < edit.path.length; depth += 1) {
    const path = edit.path.slice(0, depth + 1);
    if (valueAt(tree, path) !== undefined) continue;
    const rest = nested(edit.path.slice(depth + 1), edit.value);
    const parent = valueAt(tree, path.slice(0, -1));
    if (isJsonObject(parent)) return [{ kind: 'add', path, value: rest }];
    if (parent === null && depth > 0) {
      return [{ kind: 'replace', path: path.slice(0, -1), value: nested(path.slice(-1), rest) }];
    }
    const isEnd = Array.isArray(parent) && path.at(-1) === String(parent.length);
    return isEnd ? [{ kind: 'insert', path, value: rest }] : undefined;
  }
  return difference(valueAt(tree, edit.path) ?? null, edit.value, edit.path);
}

/** The tree as it should be after the steps. */
export function withSteps(tree: Json, steps: readonly Step[]): Json {
  return steps.reduce((at, step) => changed(at, step.path, step), tree);
}

export function valueAt(tree: Json, path: EditPath): Json | undefined {
  let at: Json | undefined = tree;
  for (const step of path) {
    if (Array.isArray(at)) at = /^(?:0|[1-9]\d{0,8})$/.test(step) ? (at[Number(step)] as Json | undefined) : undefined;
    else at = isJsonObject(at) && Object.hasOwn(at, step) ? at[step] : undefined;
  }
  return at;
}

function nested(path: EditPath, value: Json): Json {
  return path.reduceRight<Json>((below, key) => ({ [key]: below }), value);
}

function difference(before: Json, after: Json, path: EditPath): Step[] {
  if (canonicalJson(before) === canonicalJson(after)) return [];
  if (isJsonObject(before) && isJsonObject(after)) return mapDifference(before, after, path);
  if (Array.isArray(before) && Array.isArray(after)) return listDifference(before, after, path);
  return [{ kind: 'replace', path, value: after }];
}

function mapDifference(before: JsonObject, after: JsonObject, path: EditPath): Step[] {
  const steps: Step[] = [];
  for (const [key, value] of Object.entries(after)) {
    const old = Object.hasOwn(before, key) ? before[key] : undefined;
    if (old === undefined) steps.push({ kind: 'add', path: [...path, key], value });
    else steps.push(...difference(old, value, [...path, key]));
  }
  // Last, so that a mapping does not become empty on the way.
  const gone = Object.keys(before).filter((key) => !Object.hasOwn(after, key));
  return [...steps, ...gone.map((key): Step => ({ kind: 'remove', path: [...path, key] }))];
}

/** What is equal at both ends stays; between them items are changed in place, then added or removed. */
function listDifference(before: readonly Json[], after: readonly Json[], path: EditPath): Step[] {
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && isSame(before[head], after[head])) head += 1;
  let tail = 0;
  while (tail < shorter - head && isSame(before.at(-1 - tail), after.at(-1 - tail))) tail += 1;
  const both = shorter - tail;
  const steps: Step[] = [];
  for (let at = head; at < both; at += 1) {
    steps.push(...difference(before[at] ?? null, after[at] ?? null, [...path, String(at)]));
  }
  for (let at = both; at < after.length - tail; at += 1) {
    steps.push({ kind: 'insert', path: [...path, String(at)], value: after[at] ?? null });
  }
  for (let at = before.length - tail - 1; at >= both; at -= 1) {
    steps.push({ kind: 'remove', path: [...path, String(at)] });
  }
  return steps;
}

function isSame(a: Json | undefined, b: Json | undefined): boolean {
  return canonicalJson(a ?? null) === canonicalJson(b ?? null);
}

function changed(tree: Json, [first, ...rest]: EditPath, step: Step): Json {
  if (first === undefined) return step.kind === 'remove' ? null : step.value;
  if (Array.isArray(tree)) {
    const items: Json[] = [...(tree as readonly Json[])];
    const at = Number(first);
    if (rest.length > 0 || step.kind === 'replace') items[at] = changed(items[at] ?? null, rest, step);
    else if (step.kind === 'remove') items.splice(at, 1);
    else items.splice(at, 0, step.value);
    return items;
  }
  const entries = isJsonObject(tree) ? Object.entries(tree) : [];
  const others = entries.filter(([key]) => key !== first);
  if (rest.length === 0 && step.kind === 'remove') return Object.fromEntries(others);
  const old = entries.find(([key]) => key === first)?.[1] ?? null;
  return Object.fromEntries([...others, [first, changed(old, rest, step)]]);
}
