import type { SottoError } from '../../core/errors.ts';
import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import { foldedName } from './fields.ts';
import { malformed, unknownField } from './refusals.ts';
import type { InlineDocument, Origin, Place, PlaintextSource, Role } from './scan-result.ts';

/** A text that kustomize takes for a path, an address or a folder. */
export interface Reference extends Place {
  readonly text: string;
  readonly as:
    | { readonly kind: 'resource' | 'component' }
    | { readonly kind: 'plugin'; readonly field: PluginField }
    | { readonly kind: 'file'; readonly role: Role; readonly content?: 'patch' | 'replacements' | undefined }
    | { readonly kind: 'secret-file'; readonly role: 'generator-file' | 'env-file' };
  /** Who a JSON6902 patch in that file is for. */
  readonly target?: PatchTarget | undefined;
}

export type PluginField = 'generators' | 'transformers' | 'validators';

/** Kind of the objects that a patch is for; undefined is any. */
export interface PatchTarget {
  readonly kind: string | undefined;
}

/** One replacement, as far as a secret can pass through it. Kinds are undefined where any kind fits. */
export interface ReplacementRule extends Place {
  readonly from: { readonly kind: string | undefined; readonly isName: boolean };
  readonly splitsSource: boolean;
  readonly targets: readonly ReplacementTarget[];
}

/** Where a replacement writes; what cannot be told is undefined, or no path. */
export interface ReplacementTarget {
  readonly kind: string | undefined;
  readonly paths: readonly string[];
  /** Only a piece of the text there, between delimiters, is replaced. */
  readonly splits: boolean;
}

/** What the reading of one folder's configuration brings up; filled while it is read. */
export interface Findings {
  readonly references: Reference[];
  readonly inline: (InlineDocument & { readonly target?: PatchTarget | undefined })[];
  readonly plaintext: PlaintextSource[];
  readonly replacements: ReplacementRule[];
  readonly refusals: SottoError[];
  readonly origins: Origin[];
  /** Fields of Secrets for which a token will stand. */
  readonly secretPaths: string[];
}

export function noFindings(): Findings {
  return { references: [], inline: [], plaintext: [], replacements: [], refusals: [], origins: [], secretPaths: [] };
}

/** A document that is being read: where it stands, and where what is found goes. */
export interface Reading {
  readonly file: string;
  readonly lineAt: (path: readonly string[]) => number | undefined;
  readonly findings: Findings;
}

export type Path = readonly string[];

export function placeAt(reading: Reading, path: Path): Place {
  return { file: reading.file, line: reading.lineAt(path), key: path.length === 0 ? undefined : path.join('.') };
}

/** The items of a list with the path of each; what is no list is refused, null and nothing are the empty list. */
export function listAt(reading: Reading, parent: JsonObject, path: Path): { item: Json; path: Path }[] {
  const value = own(parent, path);
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value.map((item: Json, index) => ({ item, path: [...path, String(index)] }));
  reading.findings.refusals.push(malformed(placeAt(reading, path), 'a list'));
  return [];
}

/** The mappings of a list, their fields checked. */
export function mapsAt(
  reading: Reading,
  parent: JsonObject,
  path: Path,
  fields: ReadonlySet<string>,
): { map: JsonObject; path: Path }[] {
  return listAt(reading, parent, path).flatMap(({ item, path: at }) => {
    const map = asMap(reading, item, at);
    if (map === undefined) return [];
    refuseUnknown(reading, map, at, fields);
    return [{ map, path: at }];
  });
}

export function textsAt(reading: Reading, parent: JsonObject, path: Path): { text: string; path: Path }[] {
  return listAt(reading, parent, path).flatMap(({ item, path: at }) => {
    const text = asText(reading, item, at);
    return text === undefined ? [] : [{ text, path: at }];
  });
}

/** Undefined when there is none; the empty text counts as none, as for kustomize. */
export function textAt(reading: Reading, parent: JsonObject, path: Path): string | undefined {
  const value = own(parent, path);
  if (value === undefined || value === null) return undefined;
  const text = asText(reading, value, path);
  return text === '' ? undefined : text;
}

export function mapAt(reading: Reading, parent: JsonObject, path: Path): JsonObject | undefined {
  const value = own(parent, path);
  return value === undefined || value === null ? undefined : asMap(reading, value, path);
}

export function asMap(reading: Reading, value: Json, path: Path): JsonObject | undefined {
  if (isJsonObject(value)) return value;
  reading.findings.refusals.push(malformed(placeAt(reading, path), 'a mapping'));
  return undefined;
}

function asText(reading: Reading, value: Json, path: Path): string | undefined {
  if (typeof value === 'string') return value;
  reading.findings.refusals.push(malformed(placeAt(reading, path), 'text'));
  return undefined;
}

export function refuseUnknown(reading: Reading, map: JsonObject, path: Path, fields: ReadonlySet<string>): void {
  for (const name of Object.keys(map)) {
    if (!fields.has(name)) reading.findings.refusals.push(unknownField(placeAt(reading, [...path, name]), fields));
  }
}

/** Where other fields are nobody's business: refuses only what kustomize would take for one of these. */
export function refuseMisspelt(reading: Reading, map: JsonObject, path: Path, fields: ReadonlySet<string>): void {
  const folded = new Set([...fields].map(foldedName));
  for (const name of Object.keys(map)) {
    if (fields.has(name) || !folded.has(foldedName(name))) continue;
    reading.findings.refusals.push(unknownField(placeAt(reading, [...path, name]), fields));
  }
}

/** The last step of a path is the key in its parent. */
function own(parent: JsonObject, path: Path): Json | undefined {
  const key = path.at(-1) ?? '';
  return Object.hasOwn(parent, key) ? parent[key] : undefined;
}
