import { SottoError } from '../core/errors.ts';
import type { Json, JsonObject } from '../core/json.ts';
import { memberAt, stringAt } from '../core/json.ts';
import { isEntryName } from './names.ts';
import type { Reading } from './reading.ts';
import type { SealedItem } from './sealed-item.ts';
import { parseTemplateText, type TemplatePart } from './template-text.ts';

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
  /** Entries of `template.data`: what each is put together of. Null removes the item of that name (since 0.40). */
  readonly data: ReadonlyMap<string, readonly FilledPart[] | null>;
}

/** A part of an entry with its names resolved. The item is a sealed value; all else is clear text. */
export type FilledPart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'item'; readonly item: SealedItem }
  | { readonly kind: 'base64'; readonly of: FilledPart };

const TEMPLATE = ['spec', 'template'] as const;

/** Fields besides type, immutable, metadata and data are ignored, as the stock controller does (spec section 1). */
export function parseTemplate(manifest: JsonObject, items: readonly SealedItem[], reading: Reading): SealedTemplate {
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
    data: parseData(manifest, items, reading),
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

function parseData(
  manifest: JsonObject,
  items: readonly SealedItem[],
  reading: Reading,
): ReadonlyMap<string, readonly FilledPart[] | null> {
  const path = [...TEMPLATE, 'data'];
  const texts = new Map<string, string>();
  const data = new Map<string, readonly FilledPart[] | null>();
  const entries = Object.entries(reading.object(manifest, path) ?? {});
  for (const [key, value] of entries) {
    if (!isEntryName(key)) throw reading.wrongShape([...path, key], 'no entry of a Secret can have this name');
    if (value !== null && typeof value !== 'string') throw reading.wrongShape([...path, key], 'the entry is not text');
    if (value !== null) texts.set(key, value);
  }
  const byName = new Map(items.map((item) => [item.key, item]));
  for (const [key, value] of entries) {
    if (typeof value !== 'string') {
      data.set(key, null);
      continue;
    }
    const parsed = parseTemplateText(value);
    if (!parsed.ok) throw outsideSubset(reading, [...path, key], parsed.why);
    const parts = parsed.parts.map((part) => filled(part, byName, texts));
    const missing = parts.find((part) => typeof part === 'string');
    if (missing !== undefined)
      throw outsideSubset(reading, [...path, key], `there is no entry ${JSON.stringify(missing)}`);
    data.set(
      key,
      parts.filter((part) => typeof part !== 'string'),
    );
  }
  return data;
}

/**
 * A sealed item, or the text of another entry as it stands there, not rendered (0.37 and later; the sealed one counts).
 * The name itself where there is neither: Go would put nothing in its place without a word.
 */
function filled(
  part: TemplatePart,
  items: ReadonlyMap<string, SealedItem>,
  texts: ReadonlyMap<string, string>,
): FilledPart | string {
  if (part.kind === 'text') return part;
  if (part.kind === 'base64') {
    const of = filled(part.of, items, texts);
    return typeof of === 'string' ? of : { kind: 'base64', of };
  }
  const item = items.get(part.name);
  if (item !== undefined) return { kind: 'item', item };
  const text = texts.get(part.name);
  return text === undefined ? part.name : { kind: 'text', text };
}

/** Go templates with Sprig cannot be rendered faithfully in JavaScript, and would turn values into strings (R1). */
function outsideSubset(reading: Reading, path: readonly string[], why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-SEAL-009',
    what: 'an entry of template.data is not in the subset of Go templates that is rendered here',
    why,
    next: 'use {{ .name }}, {{ index . "name" }} and b64enc only, or seal the finished value: sotto seal --raw --cert CERTIFICATE',
    ...reading.at(path),
  });
}
