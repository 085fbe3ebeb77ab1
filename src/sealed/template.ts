import { SottoError } from '../core/errors.ts';
import type { Json, JsonObject } from '../core/json.ts';
import { memberAt, stringAt } from '../core/json.ts';
import { isEntryName } from './names.ts';
import type { Reading } from './reading.ts';

/** The shape of the resulting Secret, as `spec.template` gives it; checked. */
export interface SealedTemplate {
  readonly type: string | undefined;
  readonly immutable: boolean | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly finalizers: readonly string[];
  /** What the template's metadata calls the object: usually its name when it was sealed. Never applied. */
  readonly name: string | undefined;
  readonly namespace: string | undefined;
  /** Entries of `template.data` without a Go template: clear text. Null removes the item of that name (since 0.40). */
  readonly data: ReadonlyMap<string, string | null>;
}

const TEMPLATE = ['spec', 'template'] as const;

/** Fields besides type, immutable, metadata and data are ignored, as the stock controller does (spec section 1). */
export function parseTemplate(manifest: JsonObject, reading: Reading): SealedTemplate {
  reading.object(manifest, TEMPLATE);
  const metadata = reading.object(manifest, [...TEMPLATE, 'metadata']) ?? {};
  return {
    type: optional(manifest, 'type', isString, 'type is not text', reading),
    immutable: optional(manifest, 'immutable', isBoolean, 'immutable is not true or false', reading),
    labels: reading.stringMap(manifest, [...TEMPLATE, 'metadata', 'labels']),
    annotations: reading.stringMap(manifest, [...TEMPLATE, 'metadata', 'annotations']),
    finalizers: parseFinalizers(manifest, reading),
    name: stringAt(metadata, 'name'),
    namespace: stringAt(metadata, 'namespace'),
    data: parseData(manifest, reading),
  };
}

function optional<T extends Json>(
  manifest: JsonObject,
  field: string,
  is: (value: Json) => value is T,
  why: string,
  reading: Reading,
): T | undefined {
  const value = memberAt(manifest, ...TEMPLATE, field) ?? null;
  if (value === null) return undefined;
  if (!is(value)) throw reading.wrongShape([...TEMPLATE, field], why);
  return value;
}

function isString(value: Json): value is string {
  return typeof value === 'string';
}

function isBoolean(value: Json): value is boolean {
  return typeof value === 'boolean';
}

function parseFinalizers(manifest: JsonObject, reading: Reading): readonly string[] {
  const path = [...TEMPLATE, 'metadata', 'finalizers'];
  const value = memberAt(manifest, ...path) ?? [];
  if (!Array.isArray(value) || !value.every(isString))
    throw reading.wrongShape(path, 'finalizers is not a list of texts');
  return value;
}

function parseData(manifest: JsonObject, reading: Reading): ReadonlyMap<string, string | null> {
  const path = [...TEMPLATE, 'data'];
  const data = new Map<string, string | null>();
  for (const [key, value] of Object.entries(reading.object(manifest, path) ?? {})) {
    if (!isEntryName(key)) throw reading.wrongShape([...path, key], 'no entry of a Secret can have this name');
    if (value !== null && typeof value !== 'string') throw reading.wrongShape([...path, key], 'the entry is not text');
    if (value?.includes('{{') === true) throw goTemplate(reading, [...path, key]);
    data.set(key, value);
  }
  return data;
}

/** Go templates with Sprig cannot be rendered faithfully in JavaScript, and would turn values into strings (R1). */
function goTemplate(reading: Reading, path: readonly string[]): SottoError {
  return new SottoError({
    code: 'SOTTO-SEAL-009',
    what: 'template.data holds a Go template, which is not in this version',
    why: 'the entry contains {{, so the SealedSecrets controller would render it with the opened values',
    next: 'seal the finished value as an item: sotto seal --raw --cert CERTIFICATE, and remove the entry from template.data',
    ...reading.at(path),
  });
}
