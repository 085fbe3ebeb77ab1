import { arrayAt, isJsonObject, type Json, type JsonObject, stringAt } from '../../core/json.ts';
import { diffTrees, type FieldChange } from '../../plan/tree-diff.ts';

export const INSTALL_MANAGER = 'sotto-install';

/** Whether the live object already is what is wanted, whatever else it has. */
export function isAsWanted(wanted: Json, live: Json | undefined): boolean {
  if (live === undefined) return false;
  if (Array.isArray(wanted)) {
    const items: readonly Json[] = wanted;
    return Array.isArray(live) && live.length === items.length && items.every((item, at) => isAsWanted(item, live[at]));
  }
  if (isJsonObject(wanted))
    return isJsonObject(live) && Object.entries(wanted).every(([key, value]) => isAsWanted(value, live[key]));
  return wanted === live;
}

const NOT_OURS = ['managedFields', 'resourceVersion', 'generation', 'creationTimestamp', 'uid'];

/** What an apply would change, by the answer of its dry run. */
export function changesBetween(live: JsonObject, answer: JsonObject): readonly FieldChange[] {
  return diffTrees(withoutServerFields(live), withoutServerFields(answer));
}

function withoutServerFields({ status: _status, metadata, ...rest }: JsonObject): JsonObject {
  const kept = Object.entries(isJsonObject(metadata) ? metadata : {}).filter(([field]) => !NOT_OURS.includes(field));
  return { ...rest, metadata: Object.fromEntries(kept) };
}

export function isInstalledByUs(live: JsonObject): boolean {
  return arrayAt(live, 'metadata', 'managedFields').some((entry) => stringAt(entry, 'manager') === INSTALL_MANAGER);
}

/** Lines that differ, as `diff` writes them; for settings, which hold no secret. */
export function lineDifference(before: string, after: string): readonly string[] {
  const [old, young] = [before.split('\n'), after.split('\n')];
  let start = 0;
  while (start < Math.min(old.length, young.length) && old[start] === young[start]) start++;
  let end = 0;
  while (end < Math.min(old.length, young.length) - start && old.at(-1 - end) === young.at(-1 - end)) end++;
  const lines = (all: readonly string[], sign: string): string[] =>
    all.slice(start, all.length - end).map((line) => `${sign} ${line}`);
  return [...lines(old, '-'), ...lines(young, '+')];
}
