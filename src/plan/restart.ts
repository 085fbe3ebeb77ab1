import { type ClosedObject, withoutSecrets } from '../core/closed.ts';
import { sourceDigest } from '../core/digest.ts';
import { type ObjectKey, objectIdOf, type SourceDigest } from '../core/ids.ts';
import { canonicalJson, member, memberAt, stringAt } from '../core/json.ts';
import { STAMP_ANNOTATION } from '../core/labels.ts';
import type { DesiredObject } from '../render/desired.ts';
import type { InventoryRow, RestartMark } from './inventory.ts';
import { podUses } from './pod-uses.ts';

/** Kinds whose Pods are replaced when the template changes. A Job cannot be changed; a CronJob reads anew each time. */
const RESTARTED: ReadonlySet<string> = new Set(['apps/Deployment', 'apps/StatefulSet', 'apps/DaemonSet']);

const ANNOTATION = 'sotto.dev/restart-on-change';

/** What is wrong with the wish, if anything; a workload without the wish has none. */
export function restartTrouble({ id, tree }: Pick<DesiredObject, 'id' | 'tree'>): string | undefined {
  const word = wishOf(tree);
  if (word === undefined || word === 'false') return undefined;
  if (word !== 'true') return 'its value is neither "true" nor "false"';
  if (!isRestarted({ id })) return 'only Deployments, StatefulSets and DaemonSets are restarted';
  const declared = stringAt(tree, 'spec', 'template', 'metadata', 'annotations', STAMP_ANNOTATION);
  return declared === undefined
    ? undefined
    : `Git declares ${STAMP_ANNOTATION} in the Pod template, which is the agent's`;
}

function wishOf(tree: ClosedObject): string | undefined {
  return stringAt(tree, 'metadata', 'annotations', ANNOTATION);
}

export function isWished(object: DesiredObject): boolean {
  return wishOf(object.tree) === 'true' && restartTrouble(object) === undefined;
}

export type RestartCase =
  | { readonly kind: 'nothing' }
  /** The wish is gone: a later one begins anew. */
  | { readonly kind: 'forget' }
  /** Git has other bytes than the values we know of: only opening tells whether a value changed. */
  | { readonly kind: 'open'; readonly uses: readonly DesiredObject[]; readonly seen: Omit<RestartMark, 'values'> };

export interface RestartInput {
  readonly row: (key: ObjectKey) => InventoryRow | undefined;
  /** What the sync wants, by key. */
  readonly wanted: ReadonlyMap<ObjectKey, DesiredObject>;
  /** The digests known are of another key: equal sources say nothing of them. */
  readonly isKeyChanging: boolean;
}

/** Whether the values that the Pods of a workload read have to be looked at. Nothing is opened for this. */
export function restartCase(object: DesiredObject, { row, wanted, isKeyChanging }: RestartInput): RestartCase {
  const known = row(object.key)?.restart;
  if (!isWished(object)) return { kind: known === undefined ? 'nothing' : 'forget' };
  const uses = usesOf(object).flatMap((key) => wanted.get(key) ?? []);
  // Pods must not start before everything that they read is there.
  if (![object, ...uses].every((each) => isApplied(each, row(each.key)))) return { kind: 'nothing' };
  const sources = sourceDigest(...uses.flatMap(({ key, digest }) => [key, digest]));
  if (known?.sources === sources && !isKeyChanging) return { kind: 'nothing' };
  return { kind: 'open', uses, seen: { sources, template: templateDigest(object) } };
}

/** The account that Pods run as gives them no values: a change of it replaces nothing. */
function usesOf({ id, tree }: DesiredObject): ObjectKey[] {
  const named = podUses(memberAt(tree, 'spec', 'template', 'spec'), id.namespace);
  const used = named.map(({ key }) => key).filter((key) => objectIdOf(key).kind !== 'ServiceAccount');
  return [...new Set(used)].toSorted();
}

function isApplied({ digest }: DesiredObject, row: InventoryRow | undefined): boolean {
  return row !== undefined && row.uid !== '' && row.digest === digest;
}

/** Whether Pods are replaced when the template changes. */
export function isRestarted({ id }: Pick<DesiredObject, 'id'>): boolean {
  return RESTARTED.has(`${id.group}/${id.kind}`);
}

/** What Pods start from, values left out. */
export function templateDigest({ tree }: Pick<DesiredObject, 'tree'>): SourceDigest {
  const template = member(withoutSecrets(tree, ''), 'spec');
  return sourceDigest(canonicalJson(member(template, 'template') ?? null));
}

/**
 * Whether Pods have to be told. Not of the first values that are seen: Pods that run are not stopped for a wish. And
 * not when this pass applied another template: its Pods start with what was applied before them.
 */
export function mustRestart(known: RestartMark | undefined, now: RestartMark, isAppliedNow: boolean): boolean {
  if (known === undefined || known.values === now.values) return false;
  return !(isAppliedNow && known.template !== now.template);
}
