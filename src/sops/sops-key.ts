import type { YamlNode } from '../yaml/tree.ts';

/** The top-level key of the metadata. */
export function isSopsKey(key: YamlNode): boolean {
  return key.kind === 'scalar' && key.text === 'sops';
}

/** Under which sops puts the content of a binary file. */
export const BINARY_KEY = 'data';
