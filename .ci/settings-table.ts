import type { GenericSchema } from 'valibot';
import { NOT_BUILT } from '../src/settings/not-built.ts';
import { settingsSchema } from '../src/settings/schema.ts';
import { SETTINGS_MEANING, SETTINGS_PARTLY } from './settings-meaning.ts';

/** One field of sotto.yaml as docs/settings.md shows it. */
export interface SettingsField {
  /** `syncs[].source.git.url`. */
  readonly path: string;
  /** What its value must be, in the words of the error. */
  readonly form: string;
  /** As it is written in YAML; undefined: it must be given. */
  readonly byDefault: string | undefined;
  /** Undefined: built. Otherwise what is refused, and what to do instead. */
  readonly refused: string | undefined;
}

/** Every field of the schema that holds a value, in its order, read from the schema itself. */
export function settingsFields(schema: GenericSchema = settingsSchema, path = '', isOptional = false): SettingsField[] {
  const { inner, byDefault, isNullish } = unwrapped(schema);
  const optional = isOptional || isNullish;
  const shape = shapeOf(inner);
  const items = shape?.of === 'list' ? shapeOf(unwrapped(shape.item).inner) : undefined;
  if (shape?.of === 'list' && items?.of === 'mapping') return fieldsOf(items.fields, `${path}[]`);
  if (shape?.of === 'mapping' && shape.fields.length > 0) return fieldsOf(shape.fields, path);
  const value = isNullish ? shown(byDefault) : undefined;
  return [
    { path, form: formOf(inner), byDefault: value ?? (optional ? 'none' : undefined), refused: refusedOf(path, inner) },
  ];
}

function fieldsOf(fields: readonly (readonly [string, GenericSchema])[], path: string): SettingsField[] {
  return fields.flatMap(([name, field]) => settingsFields(field, path === '' ? name : `${path}.${name}`));
}

/** Rows of a Markdown table; throws for a field without a meaning and for a meaning without a field. */
export function settingsRows(): string[] {
  const fields = settingsFields();
  const paths = new Set(fields.map(({ path }) => path));
  const stray = Object.keys(SETTINGS_MEANING).filter((path) => !paths.has(path));
  if (stray.length > 0) throw new TypeError(`no such setting: ${stray.join(', ')}`);
  return fields.map(({ path, form, byDefault, refused }) => {
    const meaning = SETTINGS_MEANING[path];
    if (meaning === undefined) throw new TypeError(`SETTINGS_MEANING has no ${path}`);
    const built = refused === undefined ? 'yes' : refused;
    return `| \`${path}\` | ${cell(form)} | ${byDefault === undefined ? '*required*' : cell(byDefault)} | ${cell(meaning)} | ${cell(built)} |`;
  });
}

function refusedOf(path: string, schema: GenericSchema): string | undefined {
  const rules = NOT_BUILT.filter(({ field }) => isAtOrBelow(path, tablePath(field)));
  if (rules.length === 0) return undefined;
  const instead = [...new Set(rules.map((rule) => rule.instead))].join('; ');
  const isPartly = rules.every(({ field }) => tablePath(field) === path);
  const options = isPartly && 'options' in schema && Array.isArray(schema.options) ? schema.options : [];
  const words = options.filter((word: unknown) => rules.some(({ isOff }) => !isOff(word))).join(', ');
  const what = SETTINGS_PARTLY[path] ?? words;
  return what === '' ? `**not in this version**; ${instead}` : `**${what}: not in this version**; ${instead}`;
}

/** `syncs.*.render` as `syncs[].render`. */
export function tablePath(field: string): string {
  return field.replaceAll('.*', '[]');
}

function isAtOrBelow(path: string, field: string): boolean {
  return path === field || path.startsWith(`${field}.`) || path.startsWith(`${field}[`);
}

interface Unwrapped {
  readonly inner: GenericSchema;
  readonly byDefault: unknown;
  readonly isNullish: boolean;
}

/** Without the wrappers that say it may be left out. */
export function unwrapped(schema: GenericSchema): Unwrapped {
  const isNullish = schema.type === 'nullish';
  // A pipe looks like its first step: what counts is the schema at its end (`prune`, which may also be a boolean).
  const later = stepsOf(schema).slice(1).findLast(isSchema);
  if (later !== undefined) return { inner: unwrapped(later).inner, byDefault: undefined, isNullish };
  if (!isNullish || !('wrapped' in schema) || !isSchema(schema.wrapped)) {
    return { inner: schema, byDefault: undefined, isNullish };
  }
  const within = unwrapped(schema.wrapped);
  return { ...within, byDefault: ('default' in schema ? schema.default : undefined) ?? within.byDefault, isNullish };
}

type Shape =
  | { readonly of: 'list'; readonly item: GenericSchema }
  | { readonly of: 'mapping'; readonly fields: readonly (readonly [string, GenericSchema])[] };

export function shapeOf(schema: GenericSchema): Shape | undefined {
  if ('item' in schema && isSchema(schema.item)) return { of: 'list', item: schema.item };
  if ('entries' in schema && typeof schema.entries === 'object' && schema.entries !== null) {
    const fields = Object.entries(schema.entries).filter((entry): entry is [string, GenericSchema] =>
      isSchema(entry[1]),
    );
    return { of: 'mapping', fields };
  }
  return undefined;
}

/** The last message is the most exact one. */
export function formOf(schema: GenericSchema): string {
  const messages = [schema, ...stepsOf(schema)].flatMap((step) =>
    'message' in step && typeof step.message === 'string' ? [step.message] : [],
  );
  return messages.at(-1) ?? 'a mapping';
}

export function stepsOf(schema: GenericSchema): readonly { readonly kind: string; readonly type: string }[] {
  return 'pipe' in schema && Array.isArray(schema.pipe) ? schema.pipe : [];
}

function isSchema(value: unknown): value is GenericSchema {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'schema';
}

function shown(value: unknown): string | undefined {
  return value === undefined ? undefined : `\`${JSON.stringify(value).replace(/^"(.+)"$/, '$1')}\``;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
