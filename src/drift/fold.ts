import type { Json, JsonObject } from '../core/json.ts';
import { isJsonObject, stringAt } from '../core/json.ts';
import { FIELD_MANAGER } from '../core/labels.ts';
import type { ManagedEntry } from './entries.ts';
import { entryFields, isOwnEntry, managedEntries } from './entries.ts';
import type { PathSet } from './fields.ts';
import { difference, fieldsJson, isEmptySet, union } from './fields.ts';
import { BEFORE_FIRST_APPLY } from './policy.ts';

// Type aliases, not interfaces: they are Json too and can be written as it.
export type JsonPatchOperation = { readonly op: 'replace'; readonly path: string; readonly value: Json };
export type JsonPatch = readonly JsonPatchOperation[];

/** Paths that go from somebody's entry into ours. */
export interface Move {
  readonly entry: ManagedEntry;
  readonly fields: PathSet;
}

/**
 * Takes ownership without touching a value: the moved paths are united into our entry, made if it is gone, and leave
 * theirs, which goes when nothing is left. The resourceVersion makes a race a 409.
 */
export function foldPatch(object: Json, moves: readonly Move[], apiVersion: string): JsonPatch {
  const entries = managedEntries(object);
  const own = entries.find(isOwnEntry);
  const moved = new Map(moves.map(({ entry, fields }) => [entryIdentity(entry), fields]));
  const ours = moves.reduce((set, { fields }) => union(set, fields), entryFields(own));
  const rest = entries.filter((entry) => !isOwnEntry(entry)).flatMap((entry) => remaining(entry, moved));
  return managedFieldsPatch(object, [ourEntry(own, ours, apiVersion), ...rest]);
}

function remaining(entry: ManagedEntry, moved: ReadonlyMap<string, PathSet>): Json[] {
  const fields = moved.get(entryIdentity(entry));
  if (fields === undefined) return [entry.raw];
  const left = difference(entryFields(entry), fields);
  return isEmptySet(left) ? [] : [withFields(entry.raw, left)];
}

function ourEntry(own: ManagedEntry | undefined, fields: PathSet, apiVersion: string): Json {
  if (own !== undefined) return withFields(own.raw, fields);
  const manager = FIELD_MANAGER;
  return { manager, operation: 'Apply', apiVersion, fieldsType: 'FieldsV1', fieldsV1: fieldsJson(fields) };
}

function withFields(raw: Json, fields: PathSet): JsonObject {
  return { ...(isJsonObject(raw) ? raw : {}), fieldsV1: fieldsJson(fields) };
}

/** What the server tells entries apart by (spec/drift.md 1.1). */
function entryIdentity({ manager, operation, subresource, apiVersion }: ManagedEntry): string {
  return JSON.stringify([manager, operation, subresource, operation === 'Update' ? apiVersion : '']);
}

function managedFieldsPatch(object: Json, entries: readonly Json[]): JsonPatch {
  const resourceVersion = stringAt(object, 'metadata', 'resourceVersion') ?? '';
  return [
    { op: 'replace', path: '/metadata/managedFields', value: entries },
    { op: 'replace', path: '/metadata/resourceVersion', value: resourceVersion },
  ];
}

/**
 * After managedFields had been wiped and our apply brought them back: removes the entry that the server made for
 * everything that was there. Nothing of it becomes ours: it holds what controllers own too, and the next apply would
 * prune that. Undefined when there is no such entry.
 */
export function dropBeforeFirstApply(object: Json): JsonPatch | undefined {
  const entries = managedEntries(object);
  const kept = entries.filter(({ manager, operation }) => manager !== BEFORE_FIRST_APPLY || operation !== 'Update');
  if (kept.length === entries.length) return undefined;
  return managedFieldsPatch(
    object,
    kept.map(({ raw }) => raw),
  );
}

/**
 * Moves every entry to one served version: an apply fails with HTTP 500 as long as an entry names a version that is not
 * served or lacks a field (spec/drift.md 3.6, flux2#5715). Undefined when all have it already.
 */
export function rewriteVersions(object: Json, apiVersion: string): JsonPatch | undefined {
  const entries = managedEntries(object);
  if (entries.every((entry) => entry.apiVersion === apiVersion)) return undefined;
  const merged = new Map<string, { entry: ManagedEntry; fields: PathSet }>();
  for (const entry of entries) {
    // Update entries that differed by version only are one entry afterwards.
    const identity = entryIdentity({ ...entry, apiVersion });
    const twin = merged.get(identity);
    const fields = entryFields(entry);
    merged.set(identity, {
      entry: twin?.entry ?? entry,
      fields: twin === undefined ? fields : union(twin.fields, fields),
    });
  }
  const rewritten = [...merged.values()].map(({ entry, fields }) => ({ ...withFields(entry.raw, fields), apiVersion }));
  return managedFieldsPatch(object, rewritten);
}
