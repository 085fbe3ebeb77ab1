/** JSON with exact integers: whole numbers beyond 2^53 are bigints (Kubernetes has 64-bit integers). */
export type Json = null | boolean | number | bigint | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Own property or undefined: `constructor` and `__proto__` in foreign data are data. */
export function member(value: unknown, key: string): Json | undefined {
  if (!isJsonObject(value)) return undefined;
  return Object.hasOwn(value, key) ? value[key] : undefined;
}

export function memberAt(value: unknown, ...path: readonly string[]): Json | undefined {
  let at: unknown = value;
  for (const key of path) at = member(at, key);
  return at as Json | undefined;
}

export function stringAt(value: unknown, ...path: readonly string[]): string | undefined {
  const found = memberAt(value, ...path);
  return typeof found === 'string' ? found : undefined;
}

export function numberAt(value: unknown, ...path: readonly string[]): number | undefined {
  const found = memberAt(value, ...path);
  return typeof found === 'number' ? found : undefined;
}

export function arrayAt(value: unknown, ...path: readonly string[]): readonly Json[] {
  const found = memberAt(value, ...path);
  return Array.isArray(found) ? found : [];
}

/** JSON text with keys in the order they have; bigints are written as digits. */
export function stringifyJson(value: Json): string {
  return write(value, (keys) => keys);
}

/** JSON text with sorted keys: equal values have equal text, so it can be digested. */
export function canonicalJson(value: Json): string {
  return write(value, (keys) => keys.toSorted());
}

function write(value: Json, order: (keys: string[]) => string[]): string {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item: Json) => write(item, order)).join(',')}]`;
  const object = value as JsonObject;
  const members = order(Object.keys(object)).map(
    (key) => `${JSON.stringify(key)}:${write(object[key] ?? null, order)}`,
  );
  return `{${members.join(',')}}`;
}

const EXACT_INTEGER = /^-?\d{16,19}$/;

/** JSON.parse that keeps integers beyond 2^53 exact. Throws SyntaxError as JSON.parse does. */
export function parseJson(text: string): Json {
  return JSON.parse(text, exactInteger) as Json;
}

function exactInteger(_key: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source;
  if (typeof value !== 'number' || Number.isSafeInteger(value) || source === undefined) return value;
  return EXACT_INTEGER.test(source) ? BigInt(source) : value;
}
