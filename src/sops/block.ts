import type { Selector } from './selector.ts';

/** What a written sops block holds. */
export interface BlockFields {
  readonly age: readonly { readonly recipient: string; readonly enc: string }[];
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
  const lines = ['sops:', '    age:'];
  for (const { recipient, enc } of fields.age) {
    lines.push('        - enc: |');
    for (const line of enc.trimEnd().split('\n')) lines.push(`            ${line}`);
    // The comment of an SSH recipient is anybody's text.
    const plain = /^[\w+/=@. -]+$/.test(recipient);
    lines.push(`          recipient: ${plain ? recipient : JSON.stringify(recipient)}`);
  }
  const before = orderedFields(fields);
  for (const [name, value] of before) lines.push(`    ${name}: ${typeof value === 'string' ? yamlText(value) : value}`);
  const margin = ' '.repeat(column);
  return lines.map((line) => margin + line + eol).join('');
}

/** Plain where no reader can take it for something else; `lastmodified` must be quoted (spec 6.1). */
function yamlText(text: string): string {
  const plain = /^(?:ENC\[[A-Za-z0-9+/=,:_]+\]|[A-Za-z_^(][\w^$()|.+*-]*|\d+\.\d+\.\d+)$/;
  return plain.test(text) ? text : JSON.stringify(text);
}

/** The block as a JSON member; `indent` of undefined means on one line. */
export function jsonMember(fields: BlockFields, indent: { unit: string; margin: string } | undefined): string {
  const block = {
    age: fields.age.map(({ enc, recipient }) => ({ enc, recipient })),
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
  return [...age, ...orderedFields(fields).map(([name, value]): [string, string] => [name, String(value)])].toSorted(
    ([a], [b]) => (a < b ? -1 : 1),
  );
}
