import { type Json, stringifyJson } from '../../core/json.ts';

/**
 * A value as one line that every YAML reader reads as this value. JSON is nearly that: YAML folds the line breaks of
 * Unicode inside double quotes and takes no control characters, so those are written as escapes.
 */
export function canonicalYaml(value: Json): string {
  return stringifyJson(value).replace(UNSAFE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const UNSAFE = /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g;

/** Documents of one file. */
export function canonicalDocuments(values: readonly Json[]): string {
  return values.map((value) => `${canonicalYaml(value)}\n`).join('---\n');
}
