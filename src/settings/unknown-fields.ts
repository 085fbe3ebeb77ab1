import type { GenericSchema } from 'valibot';
import { isJsonObject } from '../core/json.ts';
import type { FieldPath } from './path.ts';

export interface UnknownField {
  readonly path: FieldPath;
  /** The fields that are known in its place. */
  readonly known: readonly string[];
}

/**
 * Every field of a document that a schema does not name, with what it could have been. The validator itself stops at
 * the first one of a mapping and does not say what is known there.
 */
export function unknownFields(schema: GenericSchema, value: unknown, path: FieldPath = []): UnknownField[] {
  return shapesOf(schema).flatMap((shape) => {
    if (shape.of === 'list') {
      if (!Array.isArray(value)) return [];
      return value.flatMap((item: unknown, index) => unknownFields(shape.item, item, [...path, index]));
    }
    if (!isJsonObject(value)) return [];
    return Object.keys(value).flatMap((key) => {
      const field = shape.fields.get(key);
      if (field === undefined) return [{ path: [...path, key], known: [...shape.fields.keys()] }];
      return unknownFields(field, value[key], [...path, key]);
    });
  });
}

type Shape =
  | { readonly of: 'list'; readonly item: GenericSchema }
  | { readonly of: 'mapping'; readonly fields: ReadonlyMap<string, GenericSchema> };

/** What a schema says about the inside of a value, through optional wrappers and pipes. */
function shapesOf(schema: GenericSchema): Shape[] {
  if ('pipe' in schema && Array.isArray(schema.pipe)) {
    // The first member of a pipe is a copy without the pipe's own steps, so that this ends.
    return schema.pipe.filter(isSchema).flatMap((member) => shapesOf(member));
  }
  if ('wrapped' in schema && isSchema(schema.wrapped)) return shapesOf(schema.wrapped);
  if ('item' in schema && isSchema(schema.item)) return [{ of: 'list', item: schema.item }];
  if ('entries' in schema && typeof schema.entries === 'object' && schema.entries !== null) {
    const fields = Object.entries(schema.entries).filter((entry): entry is [string, GenericSchema] =>
      isSchema(entry[1]),
    );
    return [{ of: 'mapping', fields: new Map(fields) }];
  }
  return [];
}

function isSchema(value: unknown): value is GenericSchema {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'schema';
}
