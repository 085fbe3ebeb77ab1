import { recipientsOf } from '../coverage.ts';
import type { EncryptedDocuments } from './documents.ts';
import type { RecipientPair, RotationPlan } from './plan.ts';

/** Who can open a file, beside whoever holds the old or the new key. */
interface Readers {
  readonly groups: readonly (readonly string[])[];
  readonly threshold: number;
}

/** For whom files and rules are when a person says yes to a rotation. */
export interface SeenRecipients {
  readonly files: ReadonlyMap<string, Readers>;
  /** Of those that are encrypted anew. */
  readonly rotated: readonly Readers[];
  /** By the path of a .sops.yaml: all whom its rules for the old key name. */
  readonly rules: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Where somebody has come in. */
export interface Newcomer {
  /** A file, or a .sops.yaml. */
  readonly file: string;
  readonly finding: string;
}

/** Pure. */
export function seenRecipients(
  { policies, sops }: EncryptedDocuments,
  plan: RotationPlan,
  pair: RecipientPair,
): SeenRecipients {
  const planned = new Map(plan.sops.map((each) => [each.file.name, readersOf(each, pair)]));
  return {
    files: new Map(
      sops.map(({ file }) => [file.name, planned.get(file.name) ?? readersOf(recipientsOf(file), pair)] as const),
    ),
    rotated: [...planned.values()],
    rules: new Map(policies.map((policy) => [policy.path, namedIn(policy, pair)])),
  };
}

/**
 * Whom a rotation of another commit would let in whom nobody has looked at: a file that was there has to be for the same
 * people, in the same groups; a new one for nobody for whom not all are. Pure.
 */
export function newcomers(
  seen: SeenRecipients,
  { policies }: EncryptedDocuments,
  plan: RotationPlan,
  pair: RecipientPair,
): Newcomer[] {
  const found: Newcomer[] = [];
  for (const each of plan.sops) {
    const readers = readersOf(each, pair);
    const then = seen.files.get(each.file.name);
    const isSeen = then === undefined ? seen.rotated.every((one) => isWithin(readers, one)) : isEqual(readers, then);
    if (!isSeen) found.push({ file: each.file.name, finding: findingOf(readers, then, seen) });
  }
  const everybody = new Set([
    ...[...seen.rules.values()].flatMap((names) => [...names]),
    ...seen.rotated.flatMap(({ groups }) => groups.flat()),
  ]);
  for (const policy of policies) {
    const then = seen.rules.get(policy.path) ?? everybody;
    const fresh = [...namedIn(policy, pair)].filter((name) => !then.has(name));
    if (fresh.length > 0) found.push({ file: policy.path, finding: `names ${fresh.map(short).join(', ')}` });
  }
  return found;
}

function readersOf({ groups, threshold }: Readers, { old, made }: RecipientPair): Readers {
  const others = groups.map((group) => [...new Set(group)].filter((name) => name !== old && name !== made).toSorted());
  return { groups: others, threshold: groups.length > 1 ? threshold : 1 };
}

function isEqual(one: Readers, other: Readers): boolean {
  return JSON.stringify([one.groups, one.threshold]) === JSON.stringify([other.groups, other.threshold]);
}

function isWithin(fresh: Readers, seen: Readers): boolean {
  if (isEqual(fresh, seen)) return true;
  const names = fresh.groups.flat();
  return names.length === 0 || (seen.groups.length === 1 && names.every((name) => seen.groups[0]?.includes(name)));
}

function findingOf(readers: Readers, then: Readers | undefined, { rotated }: SeenRecipients): string {
  const known = then === undefined ? rotated : [then];
  const fresh = new Set(
    readers.groups.flat().filter((name) => !known.every(({ groups }) => groups.flat().includes(name))),
  );
  const who = fresh.size === 0 ? 'other recipients or groups than before' : [...fresh].map(short).join(', ');
  return then === undefined ? `is new, and for ${who}` : `is for ${who}`;
}

function namedIn(
  { policy }: EncryptedDocuments['policies'][number],
  { old, made }: RecipientPair,
): ReadonlySet<string> {
  const rules = policy.rules.map(({ groups }) => groups.flat()).filter((rule) => rule.includes(old));
  const names = new Set(rules.flat());
  names.delete(old);
  names.delete(made);
  return names;
}

/** Files may name anything. */
function short(name: string): string {
  return name.replaceAll(/\p{Cc}/gu, ' ').slice(0, 100);
}
