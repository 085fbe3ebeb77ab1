import { groupOf } from '../../core/ids.ts';
import type { YamlDocument, YamlNode } from '../../yaml/tree.ts';
import { childOf, objectsOf, textOf } from './node-fields.ts';

/** Generated values that are secrets: which keys they get is known to kustomize alone. */
export const GENERATED_PATH = 'data.*';

/** Fields of the Secrets of a file that are encrypted: a token will stand for the whole of each. */
export function secretPaths(documents: readonly YamlDocument[]): string[] {
  return documents.flatMap(({ root }) => objectsOf(root).flatMap(pathsIn));
}

function pathsIn(node: YamlNode): string[] {
  const kind = textOf(childOf(node, 'kind'));
  if (kind === 'SealedSecret' && groupOf(textOf(childOf(node, 'apiVersion'))) === 'bitnami.com') {
    return keysIn(childOf(childOf(node, 'spec'), 'encryptedData'), 'data', () => true);
  }
  // A patch may be for a Secret whatever it calls itself.
  return ['data', 'stringData'].flatMap((field) =>
    keysIn(childOf(node, field), field, (value) => textOf(value).startsWith('ENC[AES256_GCM,')),
  );
}

function keysIn(node: YamlNode | undefined, field: string, isSecret: (value: YamlNode) => boolean): string[] {
  if (node?.kind !== 'map') return [];
  return node.entries.filter(({ value }) => isSecret(value)).map(({ key }) => `${field}.${textOf(key)}`);
}
