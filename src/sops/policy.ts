import { type ErrorPlace, SottoError } from '../core/errors.ts';
import { arrayAt, isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import { LIMITS } from '../core/limits.ts';
import { type Manifest, readManifests } from '../yaml/manifest.ts';
import { keyName, type KeyList } from './key-name.ts';
import { compilePattern, type SharedWork } from './pattern.ts';
import { badPattern } from './selector.ts';

/**
 * What .sops.yaml says about recipients, of every kind of key, whether this version encrypts for it or not: to compare
 * it with files. Who encrypts uses `creationRule`, which refuses what it cannot do.
 */
export interface Policy {
  readonly file: string;
  readonly rules: readonly PolicyRule[];
}

export interface PolicyRule {
  /** Counted from 1, as it is shown. */
  readonly number: number;
  readonly line: number;
  /** Empty: every file. */
  readonly pathRegex: string;
  /** The path of a file from the folder of .sops.yaml on. */
  matches(path: string): boolean;
  /** Its recipients stand in key_groups, be it in one alone. */
  readonly hasKeyGroups: boolean;
  /** Names of keys; none where the rule names nobody. */
  readonly groups: readonly (readonly string[])[];
  /** How many groups open a file. */
  readonly threshold: number;
}

/** Reads the rules of a .sops.yaml; `work`: of these and others together, else of these alone. Throws SottoError. */
export function readPolicy(text: string, file: string, work: SharedWork = { left: LIMITS.maxLocalRuleWork }): Policy {
  const [manifest] = readManifests(text, file);
  if (manifest === undefined) return { file, rules: [] };
  if (!isJsonObject(manifest.value)) throw unusable(file, manifest.line, 'it is not a mapping');
  return {
    file,
    rules: arrayAt(manifest.value, 'creation_rules').map((rule, index) => ruleOf(rule, index, manifest, file, work)),
  };
}

/** The first rule that speaks of a file, as in sops. */
export function ruleFor(policy: Policy, path: string): PolicyRule | undefined {
  return policy.rules.find((rule) => rule.matches(path));
}

function ruleOf(rule: Json, index: number, manifest: Manifest, file: string, work: SharedWork): PolicyRule {
  const line = manifest.lineAt(['creation_rules', String(index)]) ?? manifest.line;
  if (!isJsonObject(rule)) throw unusable(file, line, 'a rule is not a mapping');
  const pattern = rule['path_regex'] ?? '';
  if (typeof pattern !== 'string') throw unusable(file, line, 'path_regex is not a string');
  const listed = arrayAt(rule, 'key_groups');
  const groups = groupsOf(rule, listed, (why) => unusable(file, line, why));
  const threshold = rule['shamir_threshold'];
  return {
    number: index + 1,
    line,
    pathRegex: pattern,
    matches: matcherOf(pattern, { file, line, key: 'path_regex' }, work),
    hasKeyGroups: listed.length > 0,
    groups,
    threshold: groups.length < 2 ? 1 : typeof threshold === 'number' && threshold > 0 ? threshold : groups.length,
  };
}

/** Each file is compared with them, so they are counted before anything is made of them. */
function groupsOf(rule: JsonObject, listed: readonly Json[], problem: (why: string) => SottoError): string[][] {
  const { maxRuleKeys, maxKeyNameLength } = LIMITS;
  let room = maxRuleKeys;
  const take = (group: Json): string[] => {
    const keys = keysOf(group, 0, room);
    room -= keys.length;
    if (room < 0) throw problem(`a rule names more than ${maxRuleKeys} keys`);
    if (keys.some((key) => key.length > maxKeyNameLength))
      throw problem(`the name of a key has more than ${maxKeyNameLength} characters`);
    return keys;
  };
  if (listed.length > maxRuleKeys) throw problem(`a rule has more than ${maxRuleKeys} key groups`);
  if (listed.length > 0) return listed.map(take);
  const top = take(rule);
  return top.length > 0 ? [top] : [];
}

function matcherOf(pattern: string, place: ErrorPlace, work: SharedWork): (path: string) => boolean {
  const matches = usable(() => compilePattern(pattern, work), place);
  return (path) => usable(() => matches(path), place);
}

function usable<Result>(task: () => Result, place: ErrorPlace): Result {
  try {
    return task();
  } catch (thrown) {
    throw badPattern(thrown, 'path_regex', place);
  }
}

/** The field of a rule or group, and the list of a sops block that it becomes. */
const FIELDS: Readonly<Record<string, KeyList>> = {
  age: 'age',
  pgp: 'pgp',
  kms: 'kms',
  gcp_kms: 'gcp_kms',
  azure_keyvault: 'azure_kv',
  hc_vault_transit_uri: 'hc_vault',
  hc_vault: 'hc_vault',
  hckms: 'hckms',
};

const MAX_MERGES = 10;

/** Where there are more than `most`, one more than that is enough to tell it. */
function keysOf(group: Json, depth: number, most: number): string[] {
  if (!isJsonObject(group) || depth > MAX_MERGES) return [];
  const keys = new Set<string>();
  for (const each of arrayAt(group, 'merge')) {
    for (const key of keysOf(each, depth + 1, most)) keys.add(key);
    if (keys.size > most) return [...keys];
  }
  for (const [field, list] of Object.entries(FIELDS)) {
    if (!Object.hasOwn(group, field)) continue;
    for (const item of itemsOf(group[field])) {
      keys.add(nameOf(list, item));
      if (keys.size > most) return [...keys];
    }
  }
  return [...keys];
}

/** A list, or texts with commas between them. */
function* itemsOf(value: Json | undefined): Generator<string | JsonObject> {
  for (const item of Array.isArray(value) ? value : [value ?? null]) {
    if (typeof item === 'string') yield* listedIn(item);
    else if (isJsonObject(item)) yield item;
  }
}

/** One at a time: who reads them stops when there are too many. */
function* listedIn(text: string): Generator<string> {
  for (let at = 0; at <= text.length; ) {
    const comma = text.indexOf(',', at);
    const end = comma === -1 ? text.length : comma;
    const item = text.slice(at, end).trim();
    if (item !== '') yield item;
    at = end + 1;
  }
}

/** Fields of keys in groups that are called otherwise in the block. */
const CALLED: Readonly<Record<string, string>> = { vault_url: 'vaultUrl', name: 'key' };

function nameOf(list: KeyList, item: string | JsonObject): string {
  if (typeof item !== 'string') {
    return keyName(list, (field) => textOf(item[field] ?? item[CALLED[field] ?? field]));
  }
  if (list === 'age') return item;
  if (list === 'pgp') return keyName('pgp', () => item);
  return `${list} ${item.replace(/\/+$/, '')}`;
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}

function unusable(file: string, line: number, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-020',
    what: 'the .sops.yaml is not usable',
    why,
    next: `correct ${file}`,
    file,
    line,
  });
}

/** How the recipients of a file differ from those of its rule. */
export interface PolicyDifference {
  /** In the file, and not in the rule: nothing vouches for them. */
  readonly planted: readonly string[];
  /** In the rule, and not in the file. */
  readonly missing: readonly string[];
  /** Said of the groups as such; undefined when they agree. */
  readonly layout: string | undefined;
}

export interface FileRecipients {
  readonly groups: readonly (readonly string[])[];
  readonly threshold: number;
}

/** Groups are compared by their place where there are as many, as sops does; else all of them together. Pure. */
export function compareWithRule(
  file: FileRecipients,
  rule: Pick<PolicyRule, 'groups' | 'threshold'>,
): PolicyDifference {
  const isAlike = file.groups.length === rule.groups.length;
  const pairs = isAlike
    ? file.groups.map((group, index) => [group, rule.groups[index] ?? []] as const)
    : [[file.groups.flat(), rule.groups.flat()] as const];
  const planted = pairs.flatMap(([has, wants]) => without(has, wants, isSame));
  const missing = pairs.flatMap(([has, wants]) => without(wants, has, (want, name) => isSame(name, want)));
  return { planted: [...new Set(planted)], missing: [...new Set(missing)], layout: layoutOf(file, rule) };
}

/** Equal names, which nearly all are, are found at once; only for the others each is looked at. */
function without(
  names: readonly string[],
  others: readonly string[],
  isLike: (name: string, other: string) => boolean,
): string[] {
  const equal = new Set(others);
  return names.filter((name) => !equal.has(name) && !others.some((other) => isLike(name, other)));
}

/** A rule may leave the version of an Azure key away: the file has the one that was newest then. */
function isSame(name: string, want: string): boolean {
  if (name === want) return true;
  return want.startsWith('azure_kv ') && name.startsWith(`${want}/`) && !name.slice(want.length + 1).includes('/');
}

function layoutOf(file: FileRecipients, rule: Pick<PolicyRule, 'groups' | 'threshold'>): string | undefined {
  if (file.groups.length !== rule.groups.length)
    return `the file has ${groupCount(file.groups.length)}, the rule ${groupCount(rule.groups.length)}`;
  if (file.groups.length < 2 || file.threshold === rule.threshold) return undefined;
  return `${file.threshold} of ${file.groups.length} key groups open the file, the rule wants ${rule.threshold}`;
}

function groupCount(count: number): string {
  return count === 1 ? 'one group of keys' : `${count} key groups`;
}

export function isAsRule({ planted, missing, layout }: PolicyDifference): boolean {
  return planted.length === 0 && missing.length === 0 && layout === undefined;
}
