import { isJsonObject, type Json } from '../core/json.ts';
import { KNOWN_GROUPS } from '../core/known-groups.ts';
import type { FieldPath } from './fields.ts';
import type { HandField } from './undone-fields.ts';

/** Names under which people put secrets where none should be: in variables, ConfigMaps, annotations. */
const SECRET_NAME =
  /pass(?:word|wd|phrase)?|pwd|secret|token|credential|private|bearer|auth|(?:api|access|signing|encryption|license)[-_.]?key|conn(?:ection)?[-_.]?str|dsn|cookie|salt|cert|jwt|ssh|pgp|gpg|sentry/i;
/** In a resource of a kind that is not ours any word with `key` in it may be one. */
const SECRET_NAME_ANYWHERE = new RegExp(`${SECRET_NAME.source}|key`, 'i');
/** Places in custom resources that hold what somebody else's controller makes of them: a Secret, a whole manifest. */
const FREE_PLACES: ReadonlySet<string> = new Set(
  (
    'data stringData binaryData encryptedData template templates values valuesObject value config configuration args ' +
    'command env parameters params options inline content script manifest manifests annotations secrets'
  ).split(' '),
);
/** Holds the manifest as a whole. */
const LAST_APPLIED = 'f:kubectl.kubernetes.io/last-applied-configuration';
/** What stands between the slashes of a URL and its path. */
const AUTHORITY = /:\/\/([^/?#\s]*)/g;
/** What a line of a configuration sets. Words are taken whole, so that a long one is read once. */
const SET_WORD = /(?<![\w.-])([\w.-]+)["']?\s*[:=]/g;
const KEY_BLOCK = /-----BEGIN |AGE-SECRET-KEY-/;

/** What is certain not to hold a secret; `withheld` are the fields of which that cannot be said. */
export interface SortedFields {
  readonly shown: readonly HandField[];
  readonly withheld: readonly FieldPath[];
}

/** Of a Secret nothing is shown. */
export function sortFields(
  id: { readonly group: string; readonly kind: string },
  fields: readonly HandField[],
): SortedFields {
  const isSecret = id.kind === 'Secret';
  const shown = fields.filter((field) => !isSecret && !mayHoldSecret(id.group, field));
  return { shown, withheld: fields.filter((field) => !shown.includes(field)).map(({ field }) => field) };
}

/** That something was removed holds no value; but the keys of an item may. */
function mayHoldSecret(group: string, { field, value }: HandField): boolean {
  if (field.includes(LAST_APPLIED)) return true;
  const isCustom = !KNOWN_GROUPS.has(group);
  const names = field.map(nameOf);
  const text = [...texts(value)];
  if (text.some(({ value: each }) => KEY_BLOCK.test(each) || hasPassword(each) || setsSecret(each))) return true;
  if (isCustom) {
    const all = [...names, ...text.flatMap(({ path }) => path)];
    return all.some((name) => FREE_PLACES.has(name) || SECRET_NAME_ANYWHERE.test(name));
  }
  // In kinds we know a field called …secret… holds a name; what people have named themselves may hold anything.
  if (isOwnNamed(field) && names.some((name) => SECRET_NAME.test(name))) return true;
  return text.some(({ path, owner }) => path.at(-1) === 'value' && owner !== undefined && SECRET_NAME.test(owner));
}

function hasPassword(text: string): boolean {
  for (const [, authority = ''] of text.matchAll(AUTHORITY)) {
    const [colon, at] = [authority.indexOf(':'), authority.lastIndexOf('@')];
    if (colon !== -1 && colon < at) return true;
  }
  return false;
}

function setsSecret(text: string): boolean {
  for (const [, word = ''] of text.matchAll(SET_WORD)) if (SECRET_NAME.test(word)) return true;
  return false;
}

/** Below a map whose keys people choose, or an item that they have named. */
function isOwnNamed(field: FieldPath): boolean {
  return field.some((token, at) => {
    const above = nameOf(field[at - 1] ?? '');
    if (['data', 'binaryData', 'annotations', 'labels'].includes(above)) return true;
    return (
      above === 'env' && field.at(-1) !== 'f:valueFrom' && !field.includes('f:valueFrom') && token.startsWith('k:')
    );
  });
}

function nameOf(token: string): string {
  return token.slice(2);
}

interface Text {
  readonly path: readonly string[];
  readonly value: string;
  /** `name` of the object that it stands in. */
  readonly owner: string | undefined;
}

function* texts(value: Json | undefined, path: readonly string[] = [], owner?: string): Generator<Text> {
  if (typeof value === 'string') yield { path, value, owner };
  else if (Array.isArray(value)) for (const item of value) yield* texts(item as Json, path);
  else if (isJsonObject(value)) {
    const name = value['name'];
    for (const [key, item] of Object.entries(value)) {
      yield* texts(item, [...path, key], typeof name === 'string' ? name : undefined);
    }
  }
}
