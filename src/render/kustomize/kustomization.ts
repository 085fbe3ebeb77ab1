import { isJsonObject, type Json, type JsonObject, stringAt } from '../../core/json.ts';
import {
  GENERATOR_FIELDS,
  HELM_FIELDS,
  foldedName,
  KUSTOMIZATION_FIELDS,
  OPENAPI_FIELDS,
  PATCH_FIELDS,
} from './fields.ts';
import {
  asMap,
  listAt,
  mapAt,
  mapsAt,
  type PatchTarget,
  type Path,
  placeAt,
  type PluginField,
  type Reading,
  type Reference,
  refuseUnknown,
  textAt,
  textsAt,
} from './findings.ts';
import { malformed, startsHelm } from './refusals.ts';
import { readReplacements } from './replacements.ts';
import type { Place } from './scan-result.ts';

/** Everything a kustomization names or holds. What kustomize would read and this does not know is refused. */
export function readKustomization(value: Json, reading: Reading): void {
  const map = asMap(reading, value, []);
  if (map === undefined) return;
  refuseHelm(reading, map);
  const known = new Set([...KUSTOMIZATION_FIELDS, ...Object.keys(map).filter(isHelmField)]);
  refuseUnknown(reading, map, [], known);
  for (const field of ['resources', 'bases']) addAll(reading, map, [field], { kind: 'resource' });
  addAll(reading, map, ['components'], { kind: 'component' });
  for (const field of ['crds', 'configurations']) addAll(reading, map, [field], { kind: 'file', role: 'config' });
  readOpenApi(reading, map);
  for (const field of ['configMapGenerator', 'secretGenerator'] as const) {
    for (const { map: args, path } of mapsAt(reading, map, [field], GENERATOR_FIELDS)) {
      readGenerator(reading, args, path, field === 'secretGenerator');
    }
  }
  for (const field of ['patches', 'patchesJson6902']) {
    for (const { map: patch, path } of mapsAt(reading, map, [field], PATCH_FIELDS)) {
      readPatch(reading, patch, path, 'patch');
    }
  }
  readMergePatches(reading, map, ['patchesStrategicMerge']);
  readReplacements(reading, map, ['replacements']);
  for (const field of ['generators', 'transformers', 'validators'] as const) readPlugins(reading, map, field);
}

/** `literals`, `files` and `envs` of a generator, in a kustomization or as a plugin. */
export function readGenerator(reading: Reading, args: JsonObject, path: Path, isSecret: boolean): void {
  const { references, plaintext, origins } = reading.findings;
  const place = placeAt(reading, [...path, 'name']);
  const name = stringAt(args, 'name') ?? stringAt(args, 'metadata', 'name') ?? '';
  if (name !== '') origins.push({ group: '', kind: isSecret ? 'Secret' : 'ConfigMap', name, ...fileAndLine(place) });
  for (const { path: at } of listAt(reading, args, [...path, 'literals'])) {
    if (isSecret) plaintext.push({ ...placeAt(reading, at), what: 'literal' });
  }
  for (const { text, path: at } of textsAt(reading, args, [...path, 'files'])) {
    const { key, file } = keyAndFile(text);
    if (key !== undefined && !KEY.test(key))
      reading.findings.refusals.push(malformed(placeAt(reading, at), SOURCE_FORM));
    else references.push({ ...placeAt(reading, at), text: file, as: sourceOf('generator-file', isSecret) });
  }
  const env = textAt(reading, args, [...path, 'env']);
  const envs = textsAt(reading, args, [...path, 'envs']);
  for (const { text, path: at } of env === undefined ? envs : [...envs, { text: env, path: [...path, 'env'] }]) {
    references.push({ ...placeAt(reading, at), text, as: sourceOf('env-file', isSecret) });
  }
}

function fileAndLine({ file, line }: Place): { file: string; line: number | undefined } {
  return { file, line };
}

/** What the API server takes for a key of a ConfigMap or Secret. */
const KEY = /^[-._A-Za-z0-9]+$/;
const SOURCE_FORM = 'a path or key=path, with letters, digits, -, _ and . in the key,';

function keyAndFile(source: string): { key: string | undefined; file: string } {
  const at = source.indexOf('=');
  return at === -1 ? { key: undefined, file: source } : { key: source.slice(0, at), file: source.slice(at + 1) };
}

function sourceOf(role: 'generator-file' | 'env-file', isSecret: boolean): Reference['as'] {
  return isSecret ? { kind: 'secret-file', role } : { kind: 'file', role };
}

/** A patch by path or in place; `textField` is where a plugin has the text. */
export function readPatch(reading: Reading, patch: JsonObject, path: Path, textField: 'patch' | 'jsonOp'): void {
  const target = targetOf(patch['target']);
  const file = textAt(reading, patch, [...path, 'path']);
  if (file !== undefined) {
    const as = { kind: 'file', role: 'document', content: 'patch' } as const;
    reading.findings.references.push({ ...placeAt(reading, [...path, 'path']), text: file, as, target });
  }
  const text = textAt(reading, patch, [...path, textField]);
  if (text !== undefined) {
    reading.findings.inline.push({ ...placeAt(reading, [...path, textField]), what: 'patch', text, target });
  }
}

/** Each is a document if it can be read as one, else a path. */
export function readMergePatches(reading: Reading, parent: JsonObject, path: Path): void {
  for (const { text, path: at } of textsAt(reading, parent, path)) {
    const place = placeAt(reading, at);
    if (isInline(text)) reading.findings.inline.push({ ...place, what: 'patch', text });
    else reading.findings.references.push({ ...place, text, as: { kind: 'file', role: 'document', content: 'patch' } });
  }
}

/**
 * Whether a text is a document or a path. An object needs two keys, so on one line it needs braces; and a text with
 * either of these at its front or a line break is no address to kustomize when it turns out to be no document.
 */
export function isInline(text: string): boolean {
  return /[\n\r]/.test(text) || text.trimStart().startsWith('{');
}

function readPlugins(reading: Reading, map: JsonObject, field: PluginField): void {
  for (const { text, path } of textsAt(reading, map, [field])) {
    const place = placeAt(reading, path);
    reading.findings.references.push({ ...place, text, as: { kind: 'plugin', field } });
  }
}

function readOpenApi(reading: Reading, map: JsonObject): void {
  const openApi = mapAt(reading, map, ['openapi']);
  if (openApi === undefined) return;
  refuseUnknown(reading, openApi, ['openapi'], OPENAPI_FIELDS);
  const text = textAt(reading, openApi, ['openapi', 'path']);
  if (text === undefined) return;
  reading.findings.references.push({
    ...placeAt(reading, ['openapi', 'path']),
    text,
    as: { kind: 'file', role: 'config' },
  });
}

function refuseHelm(reading: Reading, map: JsonObject): void {
  for (const name of Object.keys(map)) {
    if (isHelmField(name)) reading.findings.refusals.push(startsHelm(placeAt(reading, [name])));
  }
}

function isHelmField(name: string): boolean {
  return [...HELM_FIELDS].some((field) => foldedName(field) === foldedName(name));
}

function addAll(reading: Reading, map: JsonObject, path: Path, as: Reference['as']): void {
  for (const { text, path: at } of textsAt(reading, map, path)) {
    reading.findings.references.push({ ...placeAt(reading, at), text, as });
  }
}

function targetOf(target: Json | undefined): PatchTarget {
  return { kind: isJsonObject(target) ? stringAt(target, 'kind') : undefined };
}
