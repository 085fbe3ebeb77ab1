import { isJsonObject } from '../core/json.ts';
import type { FieldPath } from './path.ts';
import { showPath } from './path.ts';

/**
 * Fields that are known and do nothing yet. Each is refused by name unless its value says "off"; written defaults
 * are always fine. A line leaves this table in the commit that builds its feature.
 */
interface NotBuilt {
  /** `*` stands for every item of a list. */
  readonly field: string;
  readonly isOff: (value: unknown) => boolean;
  /** What to do instead, in this version. */
  readonly instead: string;
}

const never = (): boolean => false;
const isOneOf =
  (...off: readonly unknown[]) =>
  (value: unknown): boolean =>
    off.includes(value);
const isNotSsh = (value: unknown): boolean => typeof value !== 'string' || !/^(ssh:|[^/:]+@[^/:]+:)/i.test(value);
const isNotHttp = (value: unknown): boolean => typeof value !== 'string' || !/^http:/i.test(value);

const REMOVE = 'remove the field';

export const NOT_BUILT: readonly NotBuilt[] = [
  { field: 'sealing.renewEvery', isOff: isOneOf(''), instead: REMOVE },
  {
    field: 'hooks.listen',
    isOff: isOneOf(''),
    instead: 'remove the field; source.git.interval sets how often Git is asked',
  },
  { field: 'syncs.*.source.oci', isOff: never, instead: 'use source.git' },
  { field: 'syncs.*.source.folder', isOff: never, instead: 'use source.git' },
  { field: 'syncs.*.source.git.url', isOff: isNotSsh, instead: 'use the https URL of the repository' },
  { field: 'syncs.*.source.git.url', isOff: isNotHttp, instead: 'use the https URL of the repository' },
  { field: 'syncs.*.source.git.allowInsecure', isOff: isOneOf(false), instead: 'use https and remove the field' },
  { field: 'syncs.*.source.git.ref.tag', isOff: never, instead: 'use ref: { branch: … }' },
  { field: 'syncs.*.source.git.ref.semver', isOff: never, instead: 'use ref: { branch: … }' },
  { field: 'syncs.*.source.git.ref.commit', isOff: never, instead: 'use ref: { branch: … }' },
  { field: 'syncs.*.source.git.ref.name', isOff: never, instead: 'use ref: { branch: … }' },
  { field: 'syncs.*.source.git.verify', isOff: never, instead: REMOVE },
  { field: 'syncs.*.render.helm', isOff: never, instead: 'commit the rendered manifests and remove the field' },
];

export interface NotBuiltUse {
  readonly path: FieldPath;
  readonly instead: string;
}

/** The uses of features that are not built, in the order of the table. */
export function notBuiltUses(document: unknown): NotBuiltUse[] {
  return NOT_BUILT.flatMap(({ field, isOff, instead }) =>
    placesOf(field.split('.'), document, [])
      .filter(({ value }) => value !== null && value !== undefined && !isOff(value))
      .map(({ path }) => ({ path, instead })),
  );
}

/** For the documentation: `syncs[].render.helm`. */
export function notBuiltFields(): string[] {
  return NOT_BUILT.map(({ field }) => showPath(field.split('.')).replaceAll('["*"]', '[]'));
}

interface Place {
  readonly path: FieldPath;
  readonly value: unknown;
}

function placesOf(parts: readonly string[], value: unknown, path: FieldPath): Place[] {
  const [part, ...rest] = parts;
  if (part === undefined) return [{ path, value }];
  if (part === '*') {
    return Array.isArray(value) ? value.flatMap((item: unknown, index) => placesOf(rest, item, [...path, index])) : [];
  }
  if (!isJsonObject(value) || !Object.hasOwn(value, part)) return [];
  return placesOf(rest, value[part], [...path, part]);
}
