import type { Json } from '../core/json.ts';
import { arrayAt, member, stringAt } from '../core/json.ts';
import { FIELD_MANAGER } from '../core/labels.ts';
import type { PathSet } from './fields.ts';
import { EMPTY_SET, parseFields } from './fields.ts';
import { managerName } from './pointer.ts';

export type Operation = 'Apply' | 'Update';

/** One entry of `metadata.managedFields`. The order of entries means nothing, nor does their time (spec/drift.md 1.1). */
export interface ManagedEntry {
  /** As the server has it: for comparison only. */
  readonly manager: string;
  readonly operation: Operation;
  /** `scale`, `status`, or empty for the main resource. */
  readonly subresource: string;
  readonly apiVersion: string;
  readonly time: string | undefined;
  /** The entry itself, for patches that keep it. */
  readonly raw: Json;
  /** Its paths, read when first asked for: most entries never are. Undefined when beyond the caps. */
  readonly fields: () => PathSet | undefined;
}

export interface ManagerRef {
  /** Printable. */
  readonly manager: string;
  readonly operation: Operation;
}

export function managedEntries(object: Json): ManagedEntry[] {
  return arrayAt(object, 'metadata', 'managedFields').map(toEntry);
}

function toEntry(raw: Json): ManagedEntry {
  let fields: PathSet | undefined | null = null;
  return {
    manager: stringAt(raw, 'manager') ?? '',
    operation: stringAt(raw, 'operation') === 'Apply' ? 'Apply' : 'Update',
    subresource: stringAt(raw, 'subresource') ?? '',
    apiVersion: stringAt(raw, 'apiVersion') ?? '',
    time: stringAt(raw, 'time'),
    raw,
    fields: () => {
      if (fields === null) fields = parseFields(member(raw, 'fieldsV1'));
      return fields;
    },
  };
}

export function isOwnEntry(entry: ManagedEntry): boolean {
  return entry.manager === FIELD_MANAGER && entry.operation === 'Apply' && entry.subresource === '';
}

export function ownEntry(entries: readonly ManagedEntry[]): ManagedEntry | undefined {
  return entries.find(isOwnEntry);
}

/** Paths of an entry; nothing when they are beyond the caps. */
export function entryFields(entry: ManagedEntry | undefined): PathSet {
  return entry?.fields() ?? EMPTY_SET;
}

/** Who did it, each once, in the order given. */
export function managerRefs(entries: Iterable<ManagedEntry>): ManagerRef[] {
  const refs = new Map<string, ManagerRef>();
  for (const { manager, operation } of entries) {
    const name = managerName(manager);
    refs.set(`${operation}/${name}`, { manager: name, operation });
  }
  return [...refs.values()];
}
