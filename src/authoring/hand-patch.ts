import { isJsonObject, type Json, type JsonObject, member, parseJson } from '../core/json.ts';
import type { FieldPath } from '../drift/fields.ts';
import { pointer } from '../drift/pointer.ts';
import type { HandField } from '../drift/undone-fields.ts';
import { blockText } from './block-text.ts';

export interface PatchedObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
}

/**
 * A change as text that can be put in by hand: a strategic merge patch as kustomize takes it. What has no form in one is
 * told in comments above it.
 */
export function handPatch({ apiVersion, kind, name }: PatchedObject, fields: readonly HandField[]): string {
  let patch: JsonObject = { apiVersion, kind, metadata: { name } };
  const notes: string[] = [];
  for (const { field, value } of fields) {
    const isPart = field.some((token) => token.startsWith('i:') || token.startsWith('v:'));
    if (isPart) notes.push(`# ${value === undefined ? 'removed' : 'added'}: ${pointer(field)}\n`);
    else patch = { ...patch, ...(merged(patch, field, value) as JsonObject) };
  }
  return `${notes.join('')}${blockText(patch)}`;
}

function merged(tree: Json | undefined, [first, ...rest]: FieldPath, value: Json | undefined): Json {
  if (first === undefined) return value ?? null;
  if (first.startsWith('f:')) {
    const key = first.slice(2);
    return { ...(isJsonObject(tree) ? tree : {}), [key]: merged(member(tree, key), rest, value) };
  }
  const keys = parseJson(first.slice(2));
  const named: JsonObject = isJsonObject(keys) ? keys : {};
  const items: readonly Json[] = Array.isArray(tree) ? tree : [];
  const at = items.findIndex((item) => Object.entries(named).every(([key, each]) => member(item, key) === each));
  const item = rest.length === 0 ? (value ?? { $patch: 'delete' }) : merged(items[at], rest, value);
  const whole: Json = isJsonObject(item) ? { ...named, ...item } : item;
  return at === -1 ? [...items, whole] : items.with(at, whole);
}
