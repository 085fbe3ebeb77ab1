import { type ErrorPlace, SottoError } from '../core/errors.ts';
import { goTimestamp } from '../yaml/go-scalars.ts';
import type { YamlNode } from '../yaml/tree.ts';
import type { AgeEntry, KeyEntry, KeyGroup } from './key-entry.ts';
import { DEFAULT_SELECTOR, type Selector, selectorOf } from './selector.ts';
import { MAX_SHARES } from './shamir.ts';
import { type SopsFormat, type SopsValue, sopsScalar } from './scalar.ts';
import type { SERVICE_LISTS, ServiceKey } from './service-key.ts';

/** The sops block. Only `lastModified` is authenticated, and only by the MAC. */
export interface SopsMetadata {
  readonly age: readonly AgeEntry[];
  /** Kinds of keys, besides age, for which the data key is wrapped: `pgp`, `kms`, `key_groups`, … */
  readonly otherKeys: readonly string[];
  /** One, whose entries wrap the data key itself, or several, each of which wraps a share of it. */
  readonly groups: readonly KeyGroup[];
  /** How many shares give the data key; counts only with several groups. */
  readonly threshold: number;
  /** RFC 3339 in whole seconds: the additional data of the MAC. */
  readonly lastModified: string;
  /** `ENC[…]`; empty when the file has none. */
  readonly mac: string;
  readonly selector: Selector;
  readonly macOnlyEncrypted: boolean;
  readonly version: string;
  readonly line: number;
}

const OTHER_KEYS = ['pgp', 'kms', 'gcp_kms', 'azure_kv', 'hc_vault', 'hckms'] as const;

/** Each may have to be tried with every identity. */
const MAX_KEYS = 500;

interface Block {
  readonly node: YamlNode;
  readonly format: SopsFormat;
  readonly file: string;
}

/** Reads a sops block as sops does: names in any case, unknown ones ignored. Throws SottoError. */
export function parseMetadata(node: YamlNode, format: SopsFormat, file: string): SopsMetadata {
  const block: Block = { node, format, file };
  const place: ErrorPlace = { file, line: node.line, key: 'sops' };
  if (node.kind !== 'map') throw unusable(place, 'it is not a mapping');
  const version = stringField(block, 'version') ?? '';
  if (!/^\d+\.\d+\.\d+(?:[-+].*)?$/.test(version)) {
    throw unusable({ ...place, key: 'sops.version' }, 'version is not of the form 3.13.3');
  }
  const groups = fieldOf(block.node, 'key_groups', block);
  const lists = [node, ...groupNodes(groups)];
  if (lists.reduce((sum, list) => sum + keysIn(list, block), 0) > MAX_KEYS) {
    throw unusable(place, `it names more than ${MAX_KEYS} keys`);
  }
  const age = ageEntries(block);
  const otherKeys: string[] = OTHER_KEYS.filter((name) => hasItems(fieldOf(node, name, block)));
  if (age.length === 0 && otherKeys.length === 0 && hasItems(groups)) otherKeys.push('key_groups');
  const keyGroups = age.length + otherKeys.length > 0 && !otherKeys.includes('key_groups') ? [] : groupNodes(groups);
  return {
    age,
    otherKeys,
    groups: keyGroups.length === 0 ? [groupOf(block)] : keyGroups.map((group) => groupOf({ ...block, node: group })),
    threshold: thresholdOf(block, keyGroups.length),
    lastModified: lastModified(block),
    mac: stringField(block, 'mac') ?? '',
    selector: selectorOf((name) => stringField(block, name), place) ?? DEFAULT_SELECTOR,
    macOnlyEncrypted: booleanField(block, 'mac_only_encrypted'),
    version,
    line: node.line,
  };
}

function ageEntries(block: Block): AgeEntry[] {
  const list = fieldOf(block.node, 'age', block);
  if (list === undefined || list.kind === 'scalar') return [];
  if (list.kind === 'map') throw unusable({ file: block.file, line: list.line, key: 'sops.age' }, 'it is not a list');
  return list.items.map((item) => {
    const entry = { ...block, node: item };
    const recipient = stringField(entry, 'recipient') ?? '';
    const enc = stringField(entry, 'enc');
    if (enc !== undefined) return { recipient, enc, line: item.line };
    throw unusable({ file: block.file, line: item.line, key: 'sops.age' }, 'an entry has no enc');
  });
}

function keysIn(node: YamlNode, block: Block): number {
  const lists = ['age', ...OTHER_KEYS].map((name) => fieldOf(node, name, block));
  return lists.reduce((sum, list) => sum + (list?.kind === 'seq' ? list.items.length : 0), 0);
}

function groupNodes(groups: YamlNode | undefined): readonly YamlNode[] {
  return groups?.kind === 'seq' ? groups.items : [];
}

function groupOf(block: Block): KeyEntry[] {
  return [
    ...OTHER_KEYS.flatMap((name) => entriesOf(block, name)),
    ...ageEntries(block).map((entry) => ({ kind: 'age' as const, ...entry })),
  ];
}

function entriesOf(block: Block, name: (typeof OTHER_KEYS)[number]): KeyEntry[] {
  const list = fieldOf(block.node, name, block);
  if (list?.kind !== 'seq') return [];
  return list.items.map((item) => {
    const entry = { ...block, node: item };
    const text = (field: string): string => stringField(entry, field) ?? '';
    const { line } = item;
    if (name === 'pgp') return { kind: 'pgp', fingerprint: text('fp').replaceAll(' ', ''), enc: text('enc'), line };
    if (name === 'hckms') return { kind: 'other', name, key: text('key_id'), line };
    return { ...serviceKeyOf(name, text, () => contextOf(entry)), enc: text('enc'), line };
  });
}

function serviceKeyOf(
  name: (typeof SERVICE_LISTS)[ServiceKey['kind']],
  text: (field: string) => string,
  context: () => Readonly<Record<string, string>>,
): ServiceKey {
  switch (name) {
    case 'hc_vault':
      return {
        kind: 'vault',
        address: text('vault_address'),
        enginePath: text('engine_path'),
        keyName: text('key_name'),
      };
    case 'kms':
      return {
        kind: 'kms',
        arn: text('arn'),
        role: text('role'),
        context: context(),
        profile: text('aws_profile'),
      };
    case 'gcp_kms':
      return { kind: 'gcp_kms', resourceId: text('resource_id') };
    case 'azure_kv':
      return { kind: 'azure_kv', vaultUrl: text('vault_url'), name: text('name'), version: text('version') };
    default:
      return name satisfies never;
  }
}

/** The encryption context of an entry for AWS. */
function contextOf(entry: Block): Readonly<Record<string, string>> {
  const node = fieldOf(entry.node, 'context', entry);
  if (node === undefined || node.kind !== 'map') return {};
  const pairs = node.entries.map(({ key, value }): [string, string] => {
    const text = value.kind === 'scalar' ? sopsScalar(value, entry.format, entry.file) : undefined;
    if (key.kind === 'scalar' && text !== undefined && text.type !== 'null') return [key.text, text.text];
    throw unusable({ file: entry.file, line: key.line, key: 'sops.kms' }, 'its context is not a mapping of texts');
  });
  return Object.fromEntries(pairs);
}

/** 0 stands for all groups. */
function thresholdOf(block: Block, groups: number): number {
  const text = stringField(block, 'shamir_threshold') ?? '0';
  const threshold = /^\d{1,3}$/.test(text) ? Number(text) : -1;
  if (groups < 2) return 1;
  if (threshold === 0) return groups;
  if (threshold >= 2 && threshold <= groups && groups <= MAX_SHARES) return threshold;
  throw unusable(placeOf(block, 'shamir_threshold'), `shamir_threshold is not from 2 to ${groups}`);
}

function hasItems(node: YamlNode | undefined): boolean {
  return node?.kind === 'seq' && node.items.length > 0;
}

/** Go drops the fraction and writes the zone anew, so the additional data is not always the text of the file. */
function lastModified(block: Block): string {
  const place = placeOf(block, 'lastmodified');
  const value = valueOf(block, 'lastmodified');
  if (value?.type === 'time') throw unusable(place, 'lastmodified is not quoted; sops takes it only as a string');
  const text = value?.type === 'str' ? value.text : '';
  const time = /^\d{4}-\d{2}-\d{2}T/.test(text) ? goTimestamp(text) : undefined;
  if (time === undefined) throw unusable(place, 'lastmodified is not an RFC 3339 time');
  return time.replace(/\.\d+/, '');
}

function stringField(block: Block, name: string): string | undefined {
  const value = valueOf(block, name);
  if (value === undefined || value.type === 'null') return undefined;
  return value.text;
}

function booleanField(block: Block, name: string): boolean {
  const text = stringField(block, name);
  if (text === undefined || text === '' || text === '0') return false;
  if (/^(?:1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(?:f|F|false|FALSE|False)$/.test(text)) return false;
  throw unusable(placeOf(block, name), `${name} is neither true nor false`);
}

function valueOf(block: Block, name: string): SopsValue | undefined {
  const node = fieldOf(block.node, name, block);
  if (node === undefined) return undefined;
  if (node.kind !== 'scalar') throw unusable(placeOf(block, name), `${name} is not a single value`);
  return sopsScalar(node, block.format, block.file);
}

function fieldOf(node: YamlNode, name: string, block: Block): YamlNode | undefined {
  if (node.kind !== 'map')
    throw unusable({ file: block.file, line: node.line, key: 'sops' }, 'an entry is not a mapping');
  const found = node.entries.filter(({ key }) => key.kind === 'scalar' && key.text.toLowerCase() === name);
  const [first, second] = found;
  if (second !== undefined) {
    throw unusable({ file: block.file, line: second.key.line, key: `sops.${name}` }, `${name} occurs twice`);
  }
  return first?.value;
}

function placeOf(block: Block, name: string): ErrorPlace {
  const line = fieldOf(block.node, name, block)?.line ?? block.node.line;
  return { file: block.file, line, key: `sops.${name}` };
}

export function unusable(place: ErrorPlace, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-003',
    what: 'the sops block is not usable',
    why,
    next: 'restore the sops block from Git history',
    ...place,
  });
}
