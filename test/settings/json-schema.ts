import { arrayAt, isJsonObject, type Json, member, numberAt, stringAt } from '../../src/core/json.ts';

/** Where a value breaks a JSON Schema: the keywords that docs/settings.schema.json uses, and no others. */
export function schemaErrors(schema: Json, value: unknown, path = ''): string[] {
  if (!isJsonObject(schema)) return [`${path}: the schema is no mapping`];
  const unknown = Object.keys(schema).filter((keyword) => !KNOWN.has(keyword));
  if (unknown.length > 0) return [`${path}: unknown keywords ${unknown.join(', ')}`];
  const anyOf = arrayAt(schema, 'anyOf');
  return [
    ...(anyOf.length > 0 && anyOf.every((each) => schemaErrors(each, value, path).length > 0)
      ? [`${path}: anyOf`]
      : []),
    ...typeErrors(schema, value, path),
    ...('const' in schema && schema['const'] !== value ? [`${path}: const`] : []),
    ...('enum' in schema && !arrayAt(schema, 'enum').includes(value as Json) ? [`${path}: enum`] : []),
    ...(typeof value === 'number' ? rangeErrors(schema, value, path) : []),
    ...(Array.isArray(value) ? listErrors(schema, value, path) : []),
    ...(isJsonObject(value) ? fieldErrors(schema, value, path) : []),
  ];
}

const KNOWN = new Set(
  (
    '$schema title description default type properties required additionalProperties items ' +
    'enum const anyOf minimum maximum maxItems'
  ).split(' '),
);

function typeErrors(schema: Json, value: unknown, path: string): string[] {
  const one = stringAt(schema, 'type');
  const types = one === undefined ? arrayAt(schema, 'type') : [one];
  if (types.length === 0 || types.includes(typeOf(value))) return [];
  return [`${path}: type ${typeOf(value)} instead of ${JSON.stringify(types)}`];
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function rangeErrors(schema: Json, value: number, path: string): string[] {
  const isLow = value < (numberAt(schema, 'minimum') ?? value);
  const isHigh = value > (numberAt(schema, 'maximum') ?? value);
  return isLow || isHigh ? [`${path}: range`] : [];
}

function listErrors(schema: Json, value: readonly unknown[], path: string): string[] {
  const items = member(schema, 'items');
  const tooMany = value.length > (numberAt(schema, 'maxItems') ?? value.length) ? [`${path}: maxItems`] : [];
  if (items === undefined) return tooMany;
  return [...tooMany, ...value.flatMap((item, index) => schemaErrors(items, item, `${path}[${index}]`))];
}

function fieldErrors(schema: Json, value: Readonly<Record<string, unknown>>, path: string): string[] {
  const properties = member(schema, 'properties');
  if (properties === undefined) return [];
  const missing = arrayAt(schema, 'required').filter((name) => typeof name === 'string' && !Object.hasOwn(value, name));
  return [
    ...missing.map((name) => `${path}: ${JSON.stringify(name)} is missing`),
    ...Object.entries(value).flatMap(([name, field]) => {
      const known = member(properties, name);
      return known === undefined ? [`${path}: unknown ${name}`] : schemaErrors(known, field, `${path}.${name}`);
    }),
  ];
}
