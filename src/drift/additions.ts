import type { ManagedEntry } from './entries.ts';
import { entryFields, isOwnEntry } from './entries.ts';
import type { FieldPath, PathSet } from './fields.ts';
import { isItemToken, isMember, nodeAt } from './fields.ts';
import type { DriftPolicy } from './policy.ts';
import { isAllowedAddition, isInteractive } from './policy.ts';

/** Something that exists in our object by another manager's doing: a field, a map key, or a whole list item. */
export interface Addition {
  readonly path: FieldPath;
  readonly entry: ManagedEntry;
}

export interface ForeignScan {
  readonly entries: readonly ManagedEntry[];
  /** What we own now and what we owned at the baseline: a path that was just taken from us is a loss, no addition. */
  readonly ours: PathSet;
  readonly accepted: PathSet;
  readonly policy: DriftPolicy;
}

/** Foreign additions that the policy does not suffer (spec/drift.md 2.4). Key names only: it works on metadata. */
export function findAdditions(scan: ForeignScan): Addition[] {
  const { ownership, ignoreManagers } = scan.policy;
  if (ownership.kind === 'fields' || ownership.kind === 'ignore') return [];
  const found = new Map<string, Addition>();
  for (const entry of scan.entries) {
    if (isOwnEntry(entry) || ignoreManagers.includes(entry.manager)) continue;
    const roots = isInteractive(entry) ? [[]] : ownership.kind === 'exact' ? ownership.roots : [];
    for (const root of roots) {
      for (const path of additionsBelow(entry, root, scan)) {
        const key = JSON.stringify(path);
        if (!found.has(key)) found.set(key, { path, entry });
      }
    }
  }
  return [...found.values()];
}

function additionsBelow(entry: ManagedEntry, root: FieldPath, scan: ForeignScan): FieldPath[] {
  const start = nodeAt(entryFields(entry), root);
  if (start === undefined) return [];
  const found: FieldPath[] = [];
  const collect = (node: PathSet, ours: PathSet | undefined, path: FieldPath): void => {
    const foreign = path.length > root.length && node.self && ours?.self !== true && !stays(path, scan);
    if (foreign && isItemToken(path.at(-1))) {
      // The item as such is foreign: what is below it goes with it.
      found.push(path);
      return;
    }
    if (foreign && node.children.size === 0 && !isContainer(path, ours, scan)) found.push(path);
    for (const [token, child] of node.children) collect(child, ours?.children.get(token), [...path, token]);
  };
  collect(start, nodeAt(scan.ours, root), root);
  return found;
}

/** A map or list that somebody has fields in: owned alone it is nobody's addition (spec/drift.md 1.2). */
function isContainer(path: FieldPath, ours: PathSet | undefined, scan: ForeignScan): boolean {
  if (ours !== undefined && ours.children.size > 0) return true;
  return scan.entries.some((entry) => (nodeAt(entryFields(entry), path)?.children.size ?? 0) > 0);
}

function stays(path: FieldPath, scan: ForeignScan): boolean {
  if (isMember(scan.accepted, path) || isAllowedAddition(path, scan.policy)) return true;
  // Written as stringData by another applier: the same key of data may be ours.
  return path[0] === 'f:stringData' && isMember(scan.ours, ['f:data', ...path.slice(1)]);
}

/** Items of lists cannot be removed by a merge patch: only by taking them over and applying without them. */
export function isInList(path: FieldPath): boolean {
  return path.some((token) => isItemToken(token));
}

/** Who owns a path now: the entry that has it, or something below it, or an item or atomic value that holds it. */
export function takerOf(path: FieldPath, entries: readonly ManagedEntry[]): ManagedEntry | undefined {
  const others = entries.filter((entry) => !isOwnEntry(entry));
  return (
    others.find((entry) => isMember(entryFields(entry), path)) ??
    others.find((entry) => nodeAt(entryFields(entry), path) !== undefined) ??
    others.find((entry) => holdsFromAbove(entryFields(entry), path))
  );
}

function holdsFromAbove(set: PathSet, path: FieldPath): boolean {
  let at: PathSet | undefined = set;
  for (const token of path) {
    at = at.children.get(token);
    if (at === undefined) return false;
    if (at.self && at.children.size === 0) return true;
  }
  return false;
}
