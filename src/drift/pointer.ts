import type { Json } from '../core/json.ts';
import { canonicalJson, isJsonObject, parseJson } from '../core/json.ts';
import type { FieldPath } from './fields.ts';

const MAX_POINTER_CHARS = 512;
const MAX_MANAGER_CHARS = 128;
// Names of fields and managers are chosen by anybody with write access and go to terminals, Events and status.
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/**
 * A path for people and for `drift.ignore`: a JSON pointer whose list items are named by their keys,
 * `/spec/template/spec/containers[name=c]/image`, `/metadata/annotations/a.example~1b`.
 */
export function pointer(path: FieldPath): string {
  const text = path.map(segment).join('').replaceAll(UNPRINTABLE, '?');
  return text.length <= MAX_POINTER_CHARS ? text : `${text.slice(0, MAX_POINTER_CHARS - 1)}…`;
}

function segment(token: string): string {
  const rest = token.slice(2);
  if (token.startsWith('f:')) return `/${rest.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  if (token.startsWith('i:')) return `[${rest}]`;
  const value = parseJson(rest);
  if (token.startsWith('v:') || !isJsonObject(value)) return `[=${plain(value)}]`;
  const keys = Object.entries(value).map(([key, item]) => `${key}=${plain(item)}`);
  return `[${keys.join(',')}]`;
}

function plain(value: Json): string {
  return typeof value === 'string' ? value : canonicalJson(value);
}

/** Whether a pointer of `drift.ignore` names the path or something above it. */
export function coversPath(ignored: string, path: FieldPath): boolean {
  const text = pointer(path);
  if (!text.startsWith(ignored)) return false;
  const next = text.at(ignored.length);
  return next === undefined || next === '/' || next === '[';
}

/** A field manager's name, printable and at most as long as the server allows. */
export function managerName(name: string): string {
  const clean = name.replaceAll(UNPRINTABLE, '?').slice(0, MAX_MANAGER_CHARS);
  return clean === '' ? 'unknown' : clean;
}
