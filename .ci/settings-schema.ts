import type { GenericSchema } from 'valibot';
import type { JsonObject, Json } from '../src/core/json.ts';
import { NOT_BUILT } from '../src/settings/not-built.ts';
import { settingsSchema } from '../src/settings/schema.ts';
import { SETTINGS_MEANING } from './settings-meaning.ts';
import { formOf, shapeOf, stepsOf, tablePath, unwrapped } from './settings-table.ts';

/**
 * docs/settings.schema.json: what an editor needs to complete and check sotto.yaml while it is written. Made from the
 * schema that the agent itself uses; forms that only code can check (durations, names) are told in words.
 */
export function settingsJsonSchema(): string {
  const schema: JsonObject = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'sotto.yaml',
    ...nodeOf(settingsSchema, ''),
  };
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

function nodeOf(schema: GenericSchema, path: string): JsonObject {
  const { inner, byDefault, isNullish } = unwrapped(schema);
  const words = wordsOf(inner, path);
  const common: JsonObject = {
    ...(words === '' ? {} : { description: words }),
    ...(isNullish && byDefault !== undefined ? { default: asJson(byDefault) } : {}),
  };
  const form = narrowed(path, formNode(inner, path));
  // A field without a value (`sealing:`) reads as null, which means its default.
  return isNullish ? { ...common, ...orNull(form) } : { ...common, ...form };
}

function formNode(inner: GenericSchema, path: string): JsonObject {
  const shape = shapeOf(inner);
  if (shape?.of === 'list') return { type: 'array', items: nodeOf(shape.item, `${path}[]`) };
  if (shape?.of === 'mapping') {
    const fields = shape.fields.map(([name, field]) => [name, nodeOf(field, path === '' ? name : `${path}.${name}`)]);
    const required = shape.fields.filter(([, field]) => !unwrapped(field).isNullish).map(([name]) => name);
    const mapping: JsonObject = {
      type: 'object',
      properties: Object.fromEntries(fields) as JsonObject,
      ...(required.length === 0 ? {} : { required }),
      additionalProperties: false,
    };
    return SHORT_FORMS.has(path) ? { anyOf: [{ type: 'boolean' }, mapping] } : mapping;
  }
  return valueNode(inner);
}

/** `prune: false` stands for the section. */
const SHORT_FORMS: ReadonlySet<string> = new Set(['syncs[].prune']);

function valueNode(inner: GenericSchema): JsonObject {
  if ('options' in inner && Array.isArray(inner.options)) return { enum: inner.options.map(asJson) };
  if ('literal' in inner) return { const: asJson(inner.literal) };
  if (inner.type === 'boolean') return { type: 'boolean' };
  if (inner.type === 'record') return { type: 'object', additionalProperties: { type: 'string' } };
  if (inner.type === 'custom') return { type: 'object' };
  if (inner.type === 'number')
    return { type: 'integer', ...bound(inner, 'min_value', 'minimum'), ...bound(inner, 'max_value', 'maximum') };
  return { type: 'string' };
}

function bound(inner: GenericSchema, step: string, name: string): JsonObject {
  const found = stepsOf(inner).find(({ type }) => type === step);
  return found !== undefined && 'requirement' in found && typeof found.requirement === 'number'
    ? { [name]: found.requirement }
    : {};
}

/** What is not built is refused by the agent, so an editor says so too. */
function narrowed(path: string, node: JsonObject): JsonObject {
  const rules = NOT_BUILT.filter(({ field }) => tablePath(field) === path);
  const isOff = (value: unknown): boolean => rules.every((rule) => rule.isOff(value));
  if (rules.length === 0) return node;
  if (Array.isArray(node['enum'])) return { enum: node['enum'].filter(isOff) };
  if (node['type'] === 'boolean') return { enum: [true, false].filter(isOff) };
  if (node['type'] === 'array') return isOff(['x']) ? node : { ...node, maxItems: 0 };
  // Values that only their own text tells (the scheme of a URL) are told in words.
  if (node['type'] === 'string' && isOff('https://x')) return node;
  return node['type'] === 'string' && isOff('') ? { const: '' } : { not: {} };
}

function orNull(node: JsonObject): JsonObject {
  if (typeof node['type'] === 'string') return { ...node, type: [node['type'], 'null'] };
  if (Array.isArray(node['enum'])) return { ...node, enum: [...node['enum'], null] };
  if (Array.isArray(node['anyOf'])) return { ...node, anyOf: [...node['anyOf'], { type: 'null' }] };
  return 'const' in node ? { enum: [node['const'] ?? null, null] } : { type: 'null' };
}

function wordsOf(inner: GenericSchema, path: string): string {
  const meaning = SETTINGS_MEANING[path]?.replaceAll('`', '') ?? '';
  const rules = NOT_BUILT.filter(({ field }) => tablePath(field) === path);
  const instead = [...new Set(rules.map((rule) => rule.instead))].join('; ');
  const form = shapeOf(inner)?.of === 'mapping' ? '' : `Must be ${formOf(inner)}.`;
  return [
    meaning === '' ? '' : `${meaning.charAt(0).toUpperCase()}${meaning.slice(1)}.`,
    form,
    rules.length === 0 ? '' : `Not, or not wholly, in this version: ${instead}.`,
  ]
    .filter((part) => part !== '')
    .join(' ');
}

/** Defaults and words of the schema are plain data. */
function asJson(value: unknown): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}
