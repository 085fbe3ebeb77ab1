import { isJsonObject, type Json } from '../../core/json.ts';
import type { YamlDocument, YamlNode } from '../../yaml/tree.ts';
import type { PatchTarget } from './findings.ts';
import { childOf, objectsOf, textOf } from './node-fields.ts';
import type { Place, PlaintextSource } from './scan-result.ts';

/** Secrets of a file that is not encrypted, resources and patches: the first value in clear of each. */
export function plainSecrets(
  file: string,
  documents: readonly YamlDocument[],
  target?: PatchTarget,
): PlaintextSource[] {
  return documents.flatMap(({ root }) =>
    objectsOf(root).flatMap((node): PlaintextSource[] => {
      const found = clearValue(node, target);
      return found === undefined ? [] : [{ file, line: found.line, key: found.key, what: 'manifest' }];
    }),
  );
}

/** A patch that stands in the kustomization as text. */
export function plainPatch(
  documents: readonly YamlDocument[],
  target: PatchTarget | undefined,
  place: Place,
): PlaintextSource[] {
  const isPlain = documents.some(({ root }) => clearValue(root, target) !== undefined);
  return isPlain ? [{ ...place, what: 'manifest' }] : [];
}

/** Operations of a JSON6902 patch that put a value into a Secret. */
export function plainOperations(value: Json, target: PatchTarget | undefined, place: Place): PlaintextSource[] {
  if (!Array.isArray(value) || target === undefined) return [];
  const fields = fieldsOf(target);
  const isPlain = value.some((operation: Json) => isJsonObject(operation) && putsValue(operation, fields));
  return isPlain ? [{ ...place, what: 'manifest' }] : [];
}

/** Fields of the target that are those of a Secret: nothing but a Secret has `stringData`. */
function fieldsOf({ kind = '' }: PatchTarget): readonly string[] {
  const [letters = ''] = /^[A-Za-z]*/.exec(kind) ?? [];
  const isBegun = letters !== '' && letters !== kind && 'Secret'.startsWith(letters);
  if (kind.includes('Secret') || isBegun) return ['data', 'stringData'];
  return kind === '' || letters !== kind ? ['stringData'] : [];
}

function putsValue({ op, path, value }: { readonly [key: string]: Json }, fields: readonly string[]): boolean {
  const isPut = (op === 'add' || op === 'replace') && typeof path === 'string';
  const isFull = isJsonObject(value)
    ? Object.keys(value).length > 0
    : value !== undefined && value !== null && value !== '';
  return isPut && isFull && fields.includes(path.split('/')[1] ?? '');
}

function clearValue(
  node: YamlNode,
  target: PatchTarget | undefined,
): { readonly line: number; readonly key: string } | undefined {
  const isSecret = textOf(childOf(node, 'apiVersion')) === 'v1' && textOf(childOf(node, 'kind')) === 'Secret';
  // With a target, what a patch calls itself counts for nothing.
  const fields = isSecret ? ['data', 'stringData'] : target === undefined ? [] : fieldsOf(target);
  for (const field of fields) {
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
