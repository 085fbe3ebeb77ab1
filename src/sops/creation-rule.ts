import { SottoError } from '../core/errors.ts';
import { arrayAt, isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import { type Manifest, readManifests } from '../yaml/manifest.ts';
import { LIMITS } from '../core/limits.ts';
import { compilePattern, type SharedWork } from './pattern.ts';
import { isPgpFingerprint } from './pgp.ts';
import { checkRecipients } from './recipients.ts';
import { SERVICE_FIELDS } from './service-recipient.ts';
import type { ServiceKey } from './service-key.ts';
import { badPattern, compileSelector, type Selector, SELECTOR_KINDS, selectorOf } from './selector.ts';
import { MAX_SHARES } from './shamir.ts';

/** What .sops.yaml says about a file. */
export interface CreationRule {
  /** For whom; empty when the rule names nobody, or when only its selector was asked for. */
  readonly groups: readonly (readonly RuleKey[])[];
  /** How many of several groups open the file. */
  readonly threshold: number;
  /** Undefined: the default of sops. */
  readonly selector: Selector | undefined;
  readonly macOnlyEncrypted: boolean;
}

/** A key as a rule names it. */
export type RuleKey =
  | { readonly kind: 'age'; readonly recipient: string }
  | { readonly kind: 'pgp'; readonly fingerprint: string }
  | ServiceKey;

const OTHER_KEYS = ['hckms'] as const;
const OWN_FIELDS = ['path_regex', 'age', 'pgp', 'key_groups', 'mac_only_encrypted', 'shamir_threshold'] as const;
const RULE_FIELDS: readonly string[] = [
  ...OWN_FIELDS,
  ...SELECTOR_KINDS,
  ...SERVICE_FIELDS.keys(),
  'aws_profile',
  ...OTHER_KEYS,
];

interface Config {
  readonly manifest: Manifest;
  readonly file: string;
  readonly selectorOnly: boolean;
  /** Of all its rules together. */
  readonly work: SharedWork;
}

export interface CreationRuleOptions {
  /** What errors call the config. */
  readonly file?: string;
  /** Recipients come from elsewhere and replace those of the rule, as in sops: its keys are not looked at. */
  readonly selectorOnly?: boolean;
}

/** No rules are the same as no config: what applies to a file that none speaks of. */
const NO_RULE: CreationRule = { groups: [], threshold: 1, selector: undefined, macOnlyEncrypted: false };

/**
 * The creation rule of a file: the first whose `path_regex` matches. `config` is the text of .sops.yaml, `path` the
 * file's path with the folder of .sops.yaml removed. Throws SottoError when there are rules and none matches, for
 * fields that are not known, and for keys that are not in this version.
 */
export function creationRule(config: string, path: string, options: CreationRuleOptions | string = {}): CreationRule {
  const { file = '.sops.yaml', selectorOnly = false } = typeof options === 'string' ? { file: options } : options;
  const [manifest] = readManifests(config, file);
  if (manifest === undefined) return NO_RULE;
  const read: Config = { manifest, file, selectorOnly, work: { left: LIMITS.maxLocalRuleWork } };
  if (!isJsonObject(manifest.value)) throw unusable(read, [], 'it is not a mapping');
  refuseUnknown(read, [], manifest.value, ['creation_rules', 'destination_rules', 'stores']);
  const rules = manifest.value['creation_rules'] ?? null;
  if (rules === null) return NO_RULE;
  if (!Array.isArray(rules)) throw unusable(read, ['creation_rules'], 'creation_rules is not a list');
  for (const [index, rule] of rules.entries()) {
    const at = ['creation_rules', String(index)];
    if (!isJsonObject(rule)) throw unusable(read, at, 'a rule is not a mapping');
    refuseUnknown(read, at, rule, RULE_FIELDS);
    if (matches(read, at, rule, path)) return readRule(read, at, rule);
  }
  throw new SottoError({
    code: 'SOTTO-SOPS-019',
    what: 'no creation rule matches the file',
    why: `no path_regex of ${file} matches ${path}`,
    next: `add a rule to ${file}, or name the recipients with --age`,
    file,
  });
}

function matches(config: Config, at: readonly string[], rule: JsonObject, path: string): boolean {
  const pattern = textOf(config, [...at, 'path_regex'], rule['path_regex']) ?? '';
  const place = placeOf(config, [...at, 'path_regex']);
  try {
    return compilePattern(pattern, config.work)(path);
  } catch (thrown) {
    throw badPattern(thrown, 'path_regex', place);
  }
}

function readRule(config: Config, at: readonly string[], rule: JsonObject): CreationRule {
  const place = placeOf(config, at);
  const selector = selectorOf((name) => textOf(config, [...at, name], rule[name]), place);
  if (selector !== undefined) compileSelector(selector, placeOf(config, [...at, selector.kind]));
  return {
    ...(config.selectorOnly ? { groups: [], threshold: 1 } : ruleKeys(config, at, rule)),
    selector,
    macOnlyEncrypted: flagOf(config, [...at, 'mac_only_encrypted'], rule['mac_only_encrypted']),
  };
}

function ruleKeys(config: Config, at: readonly string[], rule: JsonObject): Pick<CreationRule, 'groups' | 'threshold'> {
  const listed = arrayAt(rule, 'key_groups');
  if (listed.length === 0) {
    const keys = groupKeys(config, at, rule);
    return { groups: keys.length === 0 ? [] : [keys], threshold: 1 };
  }
  const groups = listed.map((group, index) => {
    const keys = keysOfGroup(config, [...at, 'key_groups', String(index)], group, 0);
    if (keys.length === 0) throw unusable(config, [...at, 'key_groups', String(index)], 'a key group names no key');
    return keys;
  });
  return { groups, threshold: thresholdOf(config, [...at, 'shamir_threshold'], rule, groups.length) };
}

/** 0 stands for all of them; with one group it says nothing. */
function thresholdOf(config: Config, at: readonly string[], rule: JsonObject, groups: number): number {
  if (groups === 1) return 1;
  const threshold = rule['shamir_threshold'] ?? 0;
  if (groups > MAX_SHARES) throw unusable(config, at, `there are more than ${MAX_SHARES} key groups`);
  if (threshold === 0) return groups;
  if (typeof threshold === 'number' && Number.isInteger(threshold) && threshold >= 2 && threshold <= groups) {
    return threshold;
  }
  throw unusable(config, at, `shamir_threshold is not from 2 to ${groups}`);
}

const MAX_MERGES = 10;

function keysOfGroup(config: Config, at: readonly string[], group: Json, depth: number): RuleKey[] {
  if (!isJsonObject(group)) throw unusable(config, at, 'a key group is not a mapping');
  refuseUnknown(config, at, group, ['age', 'pgp', 'merge', ...SERVICE_FIELDS.keys(), 'aws_profile', ...OTHER_KEYS]);
  const inner = arrayAt(group, 'merge');
  if (inner.length > 0 && depth === MAX_MERGES)
    throw unusable(config, [...at, 'merge'], 'groups are merged too deeply');
  const merged = inner.flatMap((each, index) => keysOfGroup(config, [...at, 'merge', String(index)], each, depth + 1));
  return distinct([...merged, ...groupKeys(config, at, group)]);
}

function groupKeys(config: Config, at: readonly string[], group: JsonObject): RuleKey[] {
  for (const kind of OTHER_KEYS) {
    const value = group[kind] ?? null;
    if (value !== null && value !== '') throw notYet(config, [...at, kind], kind);
  }
  const age = itemsOf(config, [...at, 'age'], group['age']);
  const pgp = itemsOf(config, [...at, 'pgp'], group['pgp']);
  for (const fingerprint of pgp) {
    if (isPgpFingerprint(fingerprint)) continue;
    throw unusable(config, [...at, 'pgp'], `${fingerprint} is no fingerprint: 40 hexadecimal digits`);
  }
  return distinct([
    ...checkedAge(config, at, age).map((recipient) => ({ kind: 'age' as const, recipient })),
    ...pgp.map((fingerprint) => ({ kind: 'pgp' as const, fingerprint: fingerprint.replaceAll(' ', '') })),
    ...servicesOf(config, at, group),
  ]);
}

function checkedAge(config: Config, at: readonly string[], recipients: readonly string[]): string[] {
  try {
    return recipients.length === 0 ? [] : checkRecipients(recipients);
  } catch (thrown) {
    if (!(thrown instanceof SottoError)) throw thrown;
    throw thrown.at(placeOf(config, at));
  }
}

function distinct(keys: readonly RuleKey[]): RuleKey[] {
  return [...new Map(keys.map((key) => [JSON.stringify(key), key])).values()];
}

/** A list, or texts with commas between them, or both. */
function itemsOf(config: Config, at: readonly string[], value: Json | undefined): string[] {
  return arrayOf(value)
    .flatMap((item) => (textOf(config, at, item) ?? '').split(','))
    .flatMap((item) => item.trim() || []);
}

function arrayOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [value ?? null];
}

function servicesOf(config: Config, at: readonly string[], group: JsonObject): ServiceKey[] {
  const profile = textOf(config, [...at, 'aws_profile'], group['aws_profile']) ?? '';
  return [...SERVICE_FIELDS].flatMap(([field, { ofText, ofMapping }]) => {
    const place = [...at, field];
    const items = arrayOf(group[field]);
    const mappings = ofMapping === undefined ? [] : items.filter(isJsonObject);
    const texts = ofMapping === undefined ? items : items.filter((item) => !isJsonObject(item));
    return [
      ...mappings.map((item) => ofMapping?.(item) ?? ''),
      ...itemsOf(config, place, texts).map((text) => ofText(text, profile)),
    ].map((key) => {
      if (typeof key !== 'string') return key;
      throw unusable(config, place, `an item of ${field} names no key: ${key}`);
    });
  });
}

function textOf(config: Config, at: readonly string[], value: Json | undefined): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  throw unusable(config, at, `${at.at(-1)} is not a string`);
}

function flagOf(config: Config, at: readonly string[], value: Json | undefined): boolean {
  if (value === undefined || value === null) return false;
  if (typeof value === 'boolean') return value;
  throw unusable(config, at, `${at.at(-1)} is neither true nor false`);
}

function refuseUnknown(config: Config, at: readonly string[], value: JsonObject, known: readonly string[]): void {
  for (const name of Object.keys(value)) {
    if (!known.includes(name)) throw unusable(config, [...at, name], `${name} is not a field that sops knows`);
  }
}

function placeOf(config: Config, at: readonly string[]) {
  return { file: config.file, line: config.manifest.lineAt(at) ?? config.manifest.line, key: at.join('.') };
}

function unusable(config: Config, at: readonly string[], why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-020',
    what: 'the .sops.yaml is not usable',
    why,
    next: `correct ${config.file}`,
    ...placeOf(config, at),
  });
}

function notYet(config: Config, at: readonly string[], kind: string): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-011',
    what: `${kind} in a creation rule is not in this version`,
    why: 'this version encrypts for age recipients, OpenPGP keys, and keys of Vault, AWS, Google Cloud and Azure',
    next: 'encrypt this file with sops, or use a rule with age recipients, OpenPGP keys, and keys of Vault, AWS, Google Cloud and Azure only',
    ...placeOf(config, at),
  });
}
