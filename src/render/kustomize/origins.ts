import { groupOf } from '../../core/ids.ts';
import type { YamlDocument } from '../../yaml/tree.ts';
import { childOf, objectsOf, textOf } from './node-fields.ts';
import type { Origin } from './scan-result.ts';

/** The objects of a file of resources. */
export function originsOf(file: string, documents: readonly YamlDocument[]): Origin[] {
  return documents.flatMap(({ root }) =>
    objectsOf(root).flatMap((node): Origin[] => {
      const group = groupOf(textOf(childOf(node, 'apiVersion')));
      const isSealed = group === 'bitnami.com' && textOf(childOf(node, 'kind')) === 'SealedSecret';
      const kind = isSealed ? 'Secret' : textOf(childOf(node, 'kind'));
      const name = textOf(childOf(childOf(node, 'metadata'), 'name'));
      if (kind === '' || name === '') return [];
      return [{ group: isSealed ? '' : group, kind, name, file, line: node.line }];
    }),
  );
}

/** Where people find a rendered object in the repository. */
export interface Source {
  readonly file: string;
  readonly line: number;
}

/**
 * Renderers add prefixes, suffixes and hashes to names and forget where an object came from, so it is told by kind and
 * by the longest name that the rendered one holds. Where several files could be meant it is the kustomization.
 */
export function findOrigin(
  rendered: { readonly group: string; readonly kind: string; readonly name: string },
  origins: readonly Origin[],
  kustomization: string,
): Source {
  const ofKind = origins.filter(({ group, kind }) => group === rendered.group && kind === rendered.kind);
  const exact = ofKind.filter(({ name }) => name === rendered.name);
  const alike = exact.length > 0 ? exact : ofKind.filter(({ name }) => rendered.name.includes(name));
  const longest = Math.max(0, ...alike.map(({ name }) => name.length));
  const [first, ...others] = alike.filter(({ name }) => name.length === longest);
  const isOne = first !== undefined && others.every(({ file, line }) => file === first.file && line === first.line);
  return isOne ? { file: first.file, line: first.line ?? 1 } : { file: kustomization, line: 1 };
}
