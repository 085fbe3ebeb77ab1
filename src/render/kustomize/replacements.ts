import { isJsonObject, type Json, type JsonObject, stringAt } from '../../core/json.ts';
import { OPTION_FIELDS, REPLACEMENT_FIELDS, SOURCE_FIELDS, TARGET_FIELDS } from './fields.ts';
import {
  asMap,
  listAt,
  type Path,
  placeAt,
  type Reading,
  type ReplacementTarget,
  refuseMisspelt,
  textAt,
} from './findings.ts';

/** A list of replacements: in place, or each by the path of a file that holds one or a list of them. */
export function readReplacements(reading: Reading, parent: JsonObject, path: Path): void {
  for (const { item, path: at } of listAt(reading, parent, path)) {
    const map = asMap(reading, item, at);
    if (map !== undefined) readReplacement(reading, map, at);
  }
}

/** The document of a file that `replacements[].path` names. */
export function readReplacementFile(reading: Reading, value: Json): void {
  const items = Array.isArray(value) ? value.map((item: Json, index) => ({ item, path: [String(index)] })) : undefined;
  for (const { item, path } of items ?? [{ item: value, path: [] as Path }]) {
    const map = asMap(reading, item, path);
    if (map !== undefined) readReplacement(reading, map, path);
  }
}

function readReplacement(reading: Reading, map: JsonObject, path: Path): void {
  refuseMisspelt(reading, map, path, REPLACEMENT_FIELDS);
  const file = textAt(reading, map, [...path, 'path']);
  if (file !== undefined) {
    const as = { kind: 'file', role: 'document', content: 'replacements' } as const;
    reading.findings.references.push({ ...placeAt(reading, [...path, 'path']), text: file, as });
  }
  const source = map['source'];
  if (!isJsonObject(source)) return;
  refuseMisspelt(reading, source, [...path, 'source'], SOURCE_FIELDS);
  const options = source['options'];
  if (isJsonObject(options)) refuseMisspelt(reading, options, [...path, 'source', 'options'], OPTION_FIELDS);
  const delimiter = isJsonObject(options) ? options['delimiter'] : undefined;
  reading.findings.replacements.push({
    ...placeAt(reading, delimiter === undefined ? path : [...path, 'source', 'options', 'delimiter']),
    from: { kind: stringAt(source, 'kind'), isName: isName(source['fieldPath']) },
    splitsSource: delimiter !== undefined && delimiter !== '',
    targets: targetsOf(reading, map, [...path, 'targets']),
  });
}

/** The name and namespace of an object are no secrets; the default of fieldPath is the name. */
function isName(fieldPath: Json | undefined): boolean {
  return fieldPath === undefined || fieldPath === 'metadata.name' || fieldPath === 'metadata.namespace';
}

const ANYWHERE = { kind: undefined, paths: [], splits: false } as const;

function targetsOf(reading: Reading, map: JsonObject, path: Path): ReplacementTarget[] {
  return listAt(reading, map, path).map(({ item, path: at }) => {
    if (!isJsonObject(item)) return ANYWHERE;
    refuseMisspelt(reading, item, at, TARGET_FIELDS);
    const { select, fieldPaths, options } = item;
    if (isJsonObject(options)) refuseMisspelt(reading, options, [...at, 'options'], OPTION_FIELDS);
    const delimiter = stringAt(options, 'delimiter') ?? '';
    const paths = Array.isArray(fieldPaths) ? fieldPaths.filter((each: Json) => typeof each === 'string') : [];
    if (isJsonObject(select)) refuseMisspelt(reading, select, [...at, 'select'], SOURCE_FIELDS);
    return { kind: stringAt(select, 'kind'), paths: paths.map(String), splits: delimiter !== '' };
  });
}
