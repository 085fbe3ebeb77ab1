import { isJsonObject, type Json, parseJson } from '../core/json.ts';
import { placeOf, valueAtPlace } from '../drift/field-place.ts';
import { isItemToken } from '../drift/fields.ts';
import { pointer } from '../drift/pointer.ts';
import type { HandField } from '../drift/undone-fields.ts';
import { type ManifestEdit, stepsOf, withSteps } from './edit.ts';

export type MappedEdits =
  /** In the order in which they are done. None: the manifest says all of it already. */
  | { readonly kind: 'edits'; readonly edits: readonly ManifestEdit[] }
  /** `why` as a clause that follows “because”. */
  | { readonly kind: 'unmapped'; readonly path: string; readonly why: string };

/** The edits of a manifest after which it says what somebody had made of the object. */
export function keepEdits(
  manifest: Json,
  fields: readonly HandField[],
  { hasVariables }: { readonly hasVariables: boolean },
): MappedEdits {
  const edits: ManifestEdit[] = [];
  let tree = manifest;
  for (const field of fields) {
    const edit = editFor(tree, field);
    if (edit === 'nothing') continue;
    const why = typeof edit === 'string' ? edit : hasVariables ? whyVariable(tree, field, edit) : undefined;
    const steps = typeof edit === 'string' ? undefined : stepsOf(tree, edit);
    if (why !== undefined || steps === undefined || typeof edit === 'string') {
      return { kind: 'unmapped', path: pointer(field.field), why: why ?? 'the manifest has no such place' };
    }
    if (steps.length > 0) edits.push(edit);
    tree = withSteps(tree, steps);
  }
  return { kind: 'edits', edits };
}

/** The edit, `nothing` where there is nothing to do, or why there is none. */
function editFor(tree: Json, { field, value }: HandField): ManifestEdit | string {
  const place = placeOf(tree, field);
  if (place === undefined) return 'several items of a list could be meant';
  const { path, missing } = place;
  if (value === undefined) return missing > 0 ? 'nothing' : { kind: 'remove', path };
  if (missing === 0) return { kind: 'set', path, value };
  const depth = field.length - missing;
  const rest = field.slice(depth);
  const isDeepInItem = isItemToken(rest[0]) && rest.length > 1;
  if (isDeepInItem) return 'the item of the list is not in the manifest';
  const below = rest.slice(1).reduceRight<Json>(nested, value);
  return { kind: 'set', path: path.slice(0, depth + 1), value: below };
}

/** What a missing part of the way is made of. */
function nested(below: Json, token: string): Json {
  if (token.startsWith('f:')) return { [token.slice(2)]: below };
  const keys = token.startsWith('k:') ? parseJson(token.slice(2)) : null;
  return [isJsonObject(keys) && isJsonObject(below) ? { ...keys, ...below } : below];
}

/** Variables of `postBuild` are replaced after the file was read: what it says is not what is applied. */
function whyVariable(tree: Json, { field, value }: HandField, { path }: ManifestEdit): string | undefined {
  const before = valueAtPlace(tree, path);
  if (before !== undefined && JSON.stringify(text(before)).includes('${')) {
    return 'the manifest has a variable of postBuild there';
  }
  if (value === undefined || !JSON.stringify(text(value)).includes('${')) return undefined;
  return `the value of ${pointer(field)} would be read as a variable of postBuild`;
}

/** Integers beyond 2^53 have no text in JSON.stringify. */
function text(value: Json): unknown {
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return value.map((item: Json) => text(item));
  return isJsonObject(value) ? Object.entries(value).map(([key, item]) => [key, text(item)]) : value;
}
