import { SottoError } from '../core/errors.ts';
import { columnOf, lineStart } from '../yaml/split.ts';
import type { YamlNode } from '../yaml/tree.ts';
import { formatKeyPath } from './key-path.ts';
import type { SopsFormat } from './scalar.ts';

/** One document of a clear text in which a value is set, unset or read. */
export interface ValueDocument {
  readonly format: SopsFormat;
  /** What errors call the text. */
  readonly file: string;
  readonly root: YamlNode;
}

export { columnOf, lineStart };

export function isBlankBefore(text: string, offset: number): boolean {
  return text.slice(lineStart(text, offset), offset).trim() === '';
}

export function noSuchValue(file: string, path: readonly string[]): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-051',
    what: 'there is no value at that path',
    why: 'the document has no such key or list element',
    next: `look what there is: sotto secret list ${file}`,
    file,
    key: formatKeyPath(path),
  });
}

export function noValueThere(file: string, node: YamlNode, path: readonly string[]): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-052',
    what: 'the path leads to a mapping or list',
    why: 'only single values are set and shown; a whole mapping would be lost by a typing error',
    next: `name one of its values (sotto secret list ${file}), or take it out first: sotto secret unset`,
    file,
    line: node.line,
    key: formatKeyPath(path),
  });
}

export function notAContainer(file: string, node: YamlNode, path: readonly string[]): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-053',
    what: 'the path leads through something that has no such part',
    why:
      node.kind === 'seq'
        ? `${formatKeyPath(path)} is a list of ${node.items.length}: the number of an element, or ${node.items.length} for a new one, is expected`
        : `${path.length === 0 ? 'the document' : formatKeyPath(path)} is a single value`,
    next: `look what there is: sotto secret list ${file}`,
    file,
    line: node.line,
    key: formatKeyPath(path),
  });
}
