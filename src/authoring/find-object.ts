import { groupOf } from '../core/ids.ts';
import { arrayAt, type Json, stringAt } from '../core/json.ts';

export interface SoughtObject {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  /** Undefined: whatever the manifest says. */
  readonly namespace?: string | undefined;
}

/** Where a manifest stands in a file: document, and the path to it where it is an item of a List. */
export interface ManifestPlace {
  readonly document: number;
  readonly within: readonly string[];
  readonly manifest: Json;
}

/** All manifests of an object among the documents of a file: more than one, and nobody knows which one is meant. */
export function findObject(documents: readonly Json[], sought: SoughtObject): ManifestPlace[] {
  return documents.flatMap((manifest, document) => {
    const items = (stringAt(manifest, 'kind') ?? '').endsWith('List') ? arrayAt(manifest, 'items') : [];
    const inList = items.map((item, at) => ({ document, within: ['items', String(at)], manifest: item }));
    return [{ document, within: [], manifest }, ...inList].filter((place) => isSought(place.manifest, sought));
  });
}

function isSought(manifest: Json, { group, kind, name, namespace }: SoughtObject): boolean {
  if (stringAt(manifest, 'kind') !== kind || stringAt(manifest, 'metadata', 'name') !== name) return false;
  if (groupOf(stringAt(manifest, 'apiVersion') ?? '') !== group) return false;
  const own = stringAt(manifest, 'metadata', 'namespace');
  return namespace === undefined || own === undefined || own === namespace;
}
