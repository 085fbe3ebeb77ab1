import type { YamlNode } from '../../yaml/tree.ts';

/** The value of a key; undefined where the node is no mapping or has no such key. */
export function childOf(node: YamlNode | undefined, key: string): YamlNode | undefined {
  if (node?.kind !== 'map') return undefined;
  return node.entries.find((entry) => entry.key.kind === 'scalar' && entry.key.text === key)?.value;
}

export function textOf(node: YamlNode | undefined): string {
  return node?.kind === 'scalar' ? node.text : '';
}

/** The objects of a document: the items of a list, or the document itself. */
export function objectsOf(root: YamlNode): YamlNode[] {
  const items = childOf(root, 'items');
  const isList = textOf(childOf(root, 'kind')).endsWith('List') && items?.kind === 'seq';
  return isList ? items.items.flatMap(objectsOf) : [root];
}
