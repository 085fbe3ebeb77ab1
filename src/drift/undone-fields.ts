import type { Json } from '../core/json.ts';
import { placeOf, valueAtPlace } from './field-place.ts';
import { type FieldPath, isMember, setOf } from './fields.ts';
import type { Drifted } from './verdict.ts';

/** What somebody had made of a field. Without a value it was removed. */
export interface HandField {
  readonly field: FieldPath;
  readonly value?: Json | undefined;
}

/** The fields of an object as they were before a correction, each once and none below another one. */
export function handFields(drift: Drifted, live: Json): HandField[] {
  if (drift.ghost) return [];
  const paths = [...drift.lost, ...drift.additions].map(({ path }) => path);
  const found = new Map<string, HandField>();
  for (const path of [...paths, ...drift.changed, ...drift.gained]) {
    const place = placeOf(live, path);
    if (place === undefined) continue;
    const value = place.missing === 0 ? valueAtPlace(live, place.path) : undefined;
    // Of what is gone, the outermost part that is gone.
    const field = value === undefined ? path.slice(0, path.length - place.missing + 1) : path;
    found.set(JSON.stringify(field), value === undefined ? { field } : { field, value });
  }
  return outermost([...found.values()]);
}

function outermost(fields: readonly HandField[]): HandField[] {
  const set = setOf(fields.map(({ field }) => field));
  return fields.filter(({ field }) => !field.some((_token, at) => at > 0 && isMember(set, field.slice(0, at))));
}
