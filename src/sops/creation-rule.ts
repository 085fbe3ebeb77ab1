import { SottoError } from '../core/errors.ts';
import { arrayAt, isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import { type Manifest, readManifests } from '../yaml/manifest.ts';
import { compilePattern } from './pattern.ts';
import { checkRecipients } from './recipients.ts';
import { type ServiceKey, serviceKeyName } from './service-key.ts';
import { SERVICE_FIELDS, serviceKeyOf } from './service-recipient.ts';
import { badPattern, compileSelector, type Selector, selectorOf } from './selector.ts';

/** What .sops.yaml says about a file. */
export interface CreationRule {
  /** age recipients; empty when the rule names none, or when only its selector was asked for. */
  readonly recipients: readonly string[];
  /** Keys at key services; empty as the recipients are. */
  readonly services: readonly ServiceKey[];
  /** Undefined: the default of sops. */
  readonly selector: Selector | undefined;
  readonly macOnlyEncrypted: boolean;
}

const SELECTOR_FIELDS = [
  'unencrypted_suffix',
  'encrypted_suffix',
  'unencrypted_regex',
  'encrypted_regex',
  'unencrypted_comment_regex',
  'encrypted_comment_regex',
] as const;
const OTHER_KEYS = ['pgp', 'kms', 'gcp_kms', 'azure_keyvault', 'hckms', 'merge'] as const;
const OWN_FIELDS = [
  'path_regex',
  'age',
  'aws_profile',
  'key_groups',
  'mac_only_encrypted',
  'shamir_threshold',
] as const;
const RULE_FIELDS: readonly string[] = [...OWN_FIELDS, ...SELECTOR_FIELDS, ...SERVICE_FIELDS, ...OTHER_KEYS];

interface Config {
  readonly manifest: Manifest;
  readonly file: string;
  readonly selectorOnly: boolean;
}

export interface CreationRuleOptions {
  /** What errors call the config. */
  readonly file?: string;
  /** Recipients come from elsewhere and replace those of the rule, as in sops: its keys are not looked at. */
  readonly selectorOnly?: boolean;
}

/** No rules are the same as no config: what applies to a file that none speaks of. */
const NO_RULE: CreationRule = { recipients: [], services: [], selector: undefined, macOnlyEncrypted: false };

/**
 * The creation rule of a file: the first whose `path_regex` matches. `config` is the text of .sops.yaml, `path` the
 * file's path with the folder of .sops.yaml removed. Throws SottoError when there are rules and none matches, for
 * fields that are not known, and for keys that are not in this version.
 */
export function creationRule(config: string, path: string, options: CreationRuleOptions | string = {}): CreationRule {
  const { file = '.sops.yaml', selectorOnly = false } = typeof options === 'string' ? { file: options } : options;
  const [manifest] = readManifests(config, file);
  if (manifest === undefined) return NO_RULE;
  const read: Config = { manifest, file, selectorOnly };
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
    return compilePattern(pattern)(path);
  } catch (thrown) {
    throw badPattern(thrown, 'path_regex', place);
  }
}

function readRule(config: Config, at: readonly string[], rule: JsonObject): CreationRule {
  const place = placeOf(config, at);
  const selector = selectorOf((name) => textOf(config, [...at, name], rule[name]), place);
  if (selector !== undefined) compileSelector(selector, placeOf(config, [...at, selector.kind]));
  return {
    recipients: config.selectorOnly ? [] : ruleRecipients(config, at, rule),
    services: config.selectorOnly ? [] : ruleServices(config, at, rule),
    selector,
    macOnlyEncrypted: flagOf(config, [...at, 'mac_only_encrypted'], rule['mac_only_encrypted']),
  };
}

function ruleRecipients(config: Config, at: readonly string[], rule: JsonObject): string[] {
  const groups = arrayAt(rule, 'key_groups');
  const recipients = groups.length === 0 ? groupRecipients(config, at, rule) : groupOf(config, at, groups);
  try {
    return recipients.length === 0 ? [] : checkRecipients(recipients);
  } catch (thrown) {
    if (!(thrown instanceof SottoError)) throw thrown;
    throw thrown.at(placeOf(config, at));
  }
}

function groupOf(config: Config, at: readonly string[], groups: readonly Json[]): string[] {
  const [group] = groups;
  const inGroups = [...at, 'key_groups'];
  if (groups.length > 1) throw notYet(config, inGroups, 'more than one key group');
  if (!isJsonObject(group)) throw unusable(config, inGroups, 'a key group is not a mapping');
  refuseUnknown(config, [...inGroups, '0'], group, ['age', ...SERVICE_FIELDS, ...OTHER_KEYS]);
  return groupRecipients(config, [...inGroups, '0'], group);
}

function groupRecipients(config: Config, at: readonly string[], group: JsonObject): string[] {
  for (const kind of OTHER_KEYS) {
    const value = group[kind] ?? null;
    if (value !== null && value !== '') throw notYet(config, [...at, kind], kind);
  }
  const age = group['age'] ?? null;
  const items = Array.isArray(age) ? age : [age];
  return items
    .flatMap((item) => (textOf(config, [...at, 'age'], item) ?? '').split(','))
    .flatMap((item) => item.trim() || []);
}

/** Of the rule itself, or of its one key group. */
function ruleServices(config: Config, at: readonly string[], rule: JsonObject): ServiceKey[] {
  const [group] = arrayAt(rule, 'key_groups');
  const [from, place] = isJsonObject(group) ? [group, [...at, 'key_groups', '0']] : [rule, at];
  const keys = SERVICE_FIELDS.flatMap((field) => {
    const value = from[field] ?? null;
    const items = Array.isArray(value) ? value : [value];
    // Texts are lists with commas as well.
    const each = items.flatMap((item) =>
      typeof item === 'string' ? item.split(',').map((part) => part.trim()) : item,
    );
    return each
      .filter((item) => item !== null && item !== '')
      .map((item) => {
        const key = serviceKeyOf(item);
        if (typeof key === 'string')
          throw unusable(config, [...place, field], `an item of ${field} names no key: ${key}`);
        return key;
      });
  });
  const seen = new Set<string>();
  return keys.filter((key) => !seen.has(serviceKeyName(key)) && seen.add(serviceKeyName(key)));
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
    why: 'this version encrypts for age recipients and keys of Vault',
    next: 'encrypt this file with sops, or use a rule with age recipients only',
    ...placeOf(config, at),
  });
}
