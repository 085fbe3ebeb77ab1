import { asSottoError, SottoError } from '../core/errors.ts';
import type { Json, JsonObject } from '../core/json.ts';
import { isJsonObject } from '../core/json.ts';
import { readManifests } from '../yaml/manifest.ts';
import type { FieldPath } from './path.ts';

/** The document as written, and where its fields stand. */
export interface SettingsText {
  readonly document: JsonObject;
  /** 1-based; undefined for a path that is not there. */
  lineOf(path: FieldPath): number | undefined;
}

export type ReadSettingsText =
  | { readonly ok: true; readonly text: SettingsText }
  | { readonly ok: false; readonly problem: SottoError };

/** Reads sotto.yaml as kubectl reads manifests: exactly one document, a mapping. */
export function readSettingsText(text: string, file: string): ReadSettingsText {
  try {
    const [first, second] = readManifests(text, file);
    if (second !== undefined)
      return { ok: false, problem: notOneMapping(file, second.line, 'there is a second document') };
    if (first === undefined) return { ok: false, problem: notOneMapping(file, 1, 'there is no document') };
    if (!isMapping(first.value))
      return { ok: false, problem: notOneMapping(file, first.line, 'the top level is no mapping') };
    const lineOf = (path: FieldPath): number | undefined => first.lineAt(path.map(String));
    return { ok: true, text: { document: first.value, lineOf } };
  } catch (thrown) {
    return { ok: false, problem: asSottoError(thrown) };
  }
}

function isMapping(value: Json): value is JsonObject {
  return isJsonObject(value);
}

function notOneMapping(file: string, line: number, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CONF-008',
    what: 'the settings are not one YAML mapping',
    file,
    line,
    why,
    next: 'begin the file with "apiVersion: sotto.dev/v1alpha1" and "kind: Config", and keep one document',
  });
}
