import { isJsonObject, type Json } from '../../core/json.ts';
import type { YamlDocument, YamlNode } from '../../yaml/tree.ts';
import type { PatchTarget } from './findings.ts';
import { childOf, objectsOf, textOf } from './node-fields.ts';
import type { Place, PlaintextSource } from './scan-result.ts';

/** Secrets of a file that is not encrypted, resources and patches: the first value in clear of each. */
export function plainSecrets(file: string, documents: readonly YamlDocument[]): PlaintextSource[] {
  return documents.flatMap(({ root }) =>
    objectsOf(root).flatMap((node): PlaintextSource[] => {
      const found = clearValue(node);
      return found === undefined ? [] : [{ file, line: found.line, key: found.key, what: 'manifest' }];
    }),
  );
}

/** A patch that stands in the kustomization as text. */
export function plainPatch(documents: readonly YamlDocument[], place: Place): PlaintextSource[] {
  const isPlain = documents.some(({ root }) => clearValue(root) !== undefined);
  return isPlain ? [{ ...place, what: 'manifest' }] : [];
}

/** Operations of a JSON6902 patch that put a value into a Secret. */
export function plainOperations(value: Json, target: PatchTarget | undefined, place: Place): PlaintextSource[] {
  if (!Array.isArray(value) || target?.kind !== 'Secret') return [];
  const isPlain = value.some((operation: Json) => isJsonObject(operation) && putsValue(operation));
  return isPlain ? [{ ...place, what: 'manifest' }] : [];
}

function putsValue({ op, path, value }: { readonly [key: string]: Json }): boolean {
  const isPut = (op === 'add' || op === 'replace') && typeof path === 'string';
  const isFull = isJsonObject(value)
    ? Object.keys(value).length > 0
    : value !== undefined && value !== null && value !== '';
  return isPut && isFull && /^\/(?:data|stringData)(?:\/|$)/.test(path);
}

function clearValue(node: YamlNode): { readonly line: number; readonly key: string } | undefined {
  if (textOf(childOf(node, 'apiVersion')) !== 'v1' || textOf(childOf(node, 'kind')) !== 'Secret') return undefined;
  for (const field of ['data', 'stringData']) {
    const values = childOf(node, field);
    if (values?.kind !== 'map') continue;
    const entry = values.entries.find(({ value }) => !isEmpty(value));
    if (entry !== undefined) return { line: entry.value.line, key: `${field}.${textOf(entry.key)}` };
  }
  return undefined;
}

function isEmpty(node: YamlNode): boolean {
  return node.kind === 'scalar' && (node.text === '' || (node.style === 'plain' && /^(?:~|null)$/i.test(node.text)));
}
