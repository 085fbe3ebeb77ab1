import { MAX_CONTESTED } from '../../apply/dry-run.ts';
import { type ClosedObject, isClosedObject, isOpenTree } from '../../core/closed.ts';
import type { Json } from '../../core/json.ts';
import { entryFields, isOwnEntry, type ManagedEntry, managedEntries } from '../../drift/entries.ts';
import { EMPTY_SET, nodeAt, type PathSet, union } from '../../drift/fields.ts';
import { diffTrees, type FieldChange } from '../../plan/tree-diff.ts';
import { comparable, mapAt, without } from './comparable.ts';
import type { KeyChange } from './previewed.ts';

/** Who owns what of a live Secret: public, and all that is known of its data. */
export interface SecretOwners {
  readonly ours: PathSet;
  readonly others: PathSet;
  /** Without any entry nothing tells which keys are there. */
  readonly areKnown: boolean;
}

export function secretOwners(metadata: Json): SecretOwners {
  const entries = managedEntries(metadata);
  return {
    ours: fieldsOf(entries.filter((entry) => isOwnEntry(entry))),
    others: fieldsOf(entries.filter((entry) => !isOwnEntry(entry))),
    areKnown: entries.length > 0,
  };
}

function fieldsOf(entries: readonly ManagedEntry[]): PathSet {
  return entries.map(entryFields).reduce((all, fields) => union(all, fields), EMPTY_SET);
}

/** What a trial apply under a foreign name was refused for; undefined where no key at hand opens the values. */
export type Contested = readonly string[] | undefined;

/** What a forced apply would do to each key. */
export function keyChanges(tree: ClosedObject, owners: SecretOwners, contested: Contested): KeyChange[] {
  const wanted = isClosedObject(tree['data']) ? Object.keys(tree['data']) : [];
  const removed = leftKeys(owners, ['f:data']).filter((key) => !wanted.includes(key));
  return [
    ...wanted.map((key) => ({ key, change: wantedChange(key, owners, contested) })),
    ...removed.map((key) => ({ key, change: 'removed' as const })),
  ];
}

function wantedChange(key: string, owners: SecretOwners, contested: Contested): KeyChange['change'] {
  if (!owners.areKnown) return 'unknown';
  if (!isOwned(owners, ['f:data', `f:${key}`])) return 'added';
  if (contested === undefined) return 'unknown';
  if (contested.includes(`.data.${key}`)) return 'changed';
  // The answer names so many fields and no more, and leaves out names that it does not trust.
  return contested.length >= MAX_CONTESTED || contested.includes('') ? 'unknown' : 'same';
}

function isOwned({ ours, others }: SecretOwners, path: readonly string[]): boolean {
  return nodeAt(ours, path) !== undefined || nodeAt(others, path) !== undefined;
}

/** Public fields beside the metadata: `immutable`. Its other value is the only one it can have had. */
export function immutableChange(tree: ClosedObject, owners: SecretOwners, contested: Contested): FieldChange[] {
  const path = '/immutable';
  const after = tree['immutable'];
  if (typeof after !== 'boolean') {
    // The server refuses to let go of `true`, so what goes is `false`.
    const goes = after === undefined && leftKeys(owners, []).includes('immutable');
    return goes ? [{ path, before: false, after: undefined }] : [];
  }
  if (contested?.includes('.immutable') === true) return [{ path, before: !after, after }];
  return !owners.areKnown || isOwned(owners, ['f:immutable']) ? [] : [{ path, before: undefined, after }];
}

const PUBLIC_MAPS = ['labels', 'annotations'] as const;

/** Labels and annotations that an apply would change, told without one: where the values cannot be opened. */
export function metadataChanges(tree: ClosedObject, live: Json, owners: SecretOwners): FieldChange[] {
  if (!isOpenTree(tree['metadata'] ?? null)) return [];
  const [before, wanted] = [live, { metadata: tree['metadata'] as Json }].map((side) =>
    mapAt(comparable(side), 'metadata'),
  );
  return PUBLIC_MAPS.flatMap((map) => {
    const [present, named] = [mapAt(before ?? {}, map), mapAt(wanted ?? {}, map)];
    const left = leftKeys(owners, ['f:metadata', `f:${map}`]).filter((key) => !Object.hasOwn(named, key));
    return diffTrees(present, { ...without(present, left), ...named }, `/metadata/${map}`);
  });
}

/** Keys below a path that only we own: they go when Git does not name them, and others stay. */
function leftKeys({ ours, others }: SecretOwners, path: readonly string[]): string[] {
  const tokens = [...(nodeAt(ours, path)?.children.keys() ?? [])];
  return tokens.filter((token) => nodeAt(others, [...path, token]) === undefined).map((token) => token.slice(2));
}
