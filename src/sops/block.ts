import type { Selector } from './selector.ts';
import { SERVICE_LISTS, type ServiceKey } from './service-key.ts';

/** A data key as a key service wrapped it. */
export interface WrappedKey {
  readonly key: ServiceKey;
  readonly enc: string;
  /** RFC 3339. */
  readonly createdAt: string;
}

/** What a written sops block holds. */
export interface BlockFields {
  readonly age: readonly { readonly recipient: string; readonly enc: string }[];
  /** Keys at key services, with what they wrapped. */
  readonly services?: readonly WrappedKey[];
  readonly lastModified: string;
  readonly mac: string;
  readonly macOnlyEncrypted: boolean;
  /** Undefined for binary files, where sops writes none. */
  readonly selector: Selector | undefined;
  readonly version: string;
}

/** The fields in alphabetical order, as sops writes them since 3.13. */
function orderedFields(fields: BlockFields): [string, string | boolean][] {
  const all: [string, string | boolean][] = [
    ['lastmodified', fields.lastModified],
    ['mac', fields.mac],
    ['version', fields.version],
  ];
  if (fields.selector !== undefined) all.push([fields.selector.kind, fields.selector.value]);
  if (fields.macOnlyEncrypted) all.push(['mac_only_encrypted', true]);
  return all.toSorted(([a], [b]) => (a < b ? -1 : 1));
}

/** The block as YAML at a column, ended by a line break. */
export function yamlBlock(fields: BlockFields, column: number, eol: string): string {
  const lines = ['sops:', ...(fields.age.length === 0 ? [] : ['    age:'])];
  for (const { recipient, enc } of fields.age) {
    lines.push('        - enc: |');
    for (const line of enc.trimEnd().split('\n')) lines.push(`            ${line}`);
    // The comment of an SSH recipient is anybody's text.
    const plain = /^[\w+/=@. -]+$/.test(recipient);
    lines.push(`          recipient: ${plain ? recipient : JSON.stringify(recipient)}`);
  }
  for (const [list, entries] of serviceLists(fields)) {
    lines.push(`    ${list}:`);
    for (const entry of entries) lines.push(...entryLines(entry));
  }
  const before = orderedFields(fields);
  for (const [name, value] of before) lines.push(`    ${name}: ${typeof value === 'string' ? yamlText(value) : value}`);
  const margin = ' '.repeat(column);
  return lines.map((line) => margin + line + eol).join('');
}

/** The fields of an entry below the dash of its list, a mapping in it indented once more. */
function entryLines(entry: EntryFields): string[] {
  const lines = Object.entries(entry).flatMap(([name, value]) => {
    if (typeof value === 'string') return [`${name}: ${JSON.stringify(value)}`];
    return [
      `${name}:`,
      ...Object.entries(value).map(([key, text]) => `    ${JSON.stringify(key)}: ${JSON.stringify(text)}`),
    ];
  });
  return lines.map((line, index) => `        ${index === 0 ? '- ' : '  '}${line}`);
}

type EntryFields = Readonly<Record<string, string | Readonly<Record<string, string>>>>;

/** The lists of services in alphabetical order, and so the fields of their entries. All come before `lastmodified`. */
function serviceLists({ services = [] }: BlockFields): [string, EntryFields[]][] {
  const lists = Object.values(SERVICE_LISTS).toSorted();
  return lists.flatMap((list): [string, EntryFields[]][] => {
    const entries = services.filter(({ key }) => SERVICE_LISTS[key.kind] === list).map(entryOf);
    return entries.length === 0 ? [] : [[list, entries]];
  });
}

function entryOf({ key, enc, createdAt }: WrappedKey): EntryFields {
  switch (key.kind) {
    case 'vault':
      return {
        created_at: createdAt,
        enc,
        engine_path: key.enginePath,
        key_name: key.keyName,
        vault_address: key.address,
      };
    case 'kms':
      return {
        arn: key.arn,
        aws_profile: key.profile,
        ...(Object.keys(key.context).length === 0 ? {} : { context: key.context }),
        created_at: createdAt,
        enc,
        ...(key.role === '' ? {} : { role: key.role }),
      };
    case 'gcp_kms':
      return { created_at: createdAt, enc, resource_id: key.resourceId };
    case 'azure_kv':
      return { created_at: createdAt, enc, name: key.name, vault_url: key.vaultUrl, version: key.version };
    default:
      return key satisfies never;
  }
}

/** Plain where no reader can take it for something else; `lastmodified` must be quoted (spec 6.1). */
function yamlText(text: string): string {
  const plain = /^(?:ENC\[[A-Za-z0-9+/=,:_]+\]|[A-Za-z_^(][\w^$()|.+*-]*|\d+\.\d+\.\d+)$/;
  return plain.test(text) ? text : JSON.stringify(text);
}

/** The block as a JSON member; `indent` of undefined means on one line. */
export function jsonMember(fields: BlockFields, indent: { unit: string; margin: string } | undefined): string {
  const block = {
    ...(fields.age.length === 0 ? {} : { age: fields.age.map(({ enc, recipient }) => ({ enc, recipient })) }),
    ...Object.fromEntries(serviceLists(fields)),
    ...Object.fromEntries(orderedFields(fields)),
  };
  if (indent === undefined) return `"sops": ${JSON.stringify(block)}`;
  return `"sops": ${JSON.stringify(block, null, indent.unit).replaceAll('\n', `\n${indent.margin}`)}`;
}

/** The fields with the names and texts that dotenv and INI files have them under (spec 6.4), in alphabetical order. */
export function flatBlock(fields: BlockFields): [string, string][] {
  const age = fields.age.flatMap(({ recipient, enc }, index): [string, string][] => [
    [`age__list_${index}__map_enc`, enc],
    [`age__list_${index}__map_recipient`, recipient],
  ]);
  const services = serviceLists(fields).flatMap(([list, entries]) =>
    entries.flatMap((entry, index) =>
      Object.entries(entry).flatMap(([name, value]): [string, string][] => {
        const at = `${list}__list_${index}__map_${name}`;
        if (typeof value === 'string') return [[at, value]];
        return Object.entries(value).map(([key, text]) => [`${at}__map_${key}`, text]);
      }),
    ),
  );
  return [
    ...age,
    ...services,
    ...orderedFields(fields).map(([name, value]): [string, string] => [name, String(value)]),
  ].toSorted(([a], [b]) => (a < b ? -1 : 1));
}
