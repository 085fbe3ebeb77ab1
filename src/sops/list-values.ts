import { LOCAL_LIMITS } from '../yaml/limits.ts';
import type { YamlNode } from '../yaml/tree.ts';
import type { EncType } from './enc.ts';
import { parseSopsTree, type SopsTree } from './file.ts';
import type { EncryptedValue } from './leaf.ts';
import type { WholeFormat } from './scalar.ts';
import { sopsScalar } from './scalar.ts';
import { mapKey } from './walk.ts';
import { SopsWhole } from './whole.ts';

/** A value of a SOPS file, told without its key: nothing vouches for it. */
export interface ListedValue {
  /** 1-based. */
  readonly document: number;
  /** List elements as their number. */
  readonly path: readonly string[];
  readonly line: number;
  readonly encrypted: boolean;
  readonly type: Exclude<EncType, 'comment'> | 'null';
}

/** An encrypted one, with what opens. */
export interface SealedValue extends Pick<ListedValue, 'document' | 'path'> {
  readonly sealed: EncryptedValue;
}

type Found = ListedValue & { readonly sealed: EncryptedValue | undefined };

/** Every value with its place, in the order of the file. Throws SottoError. */
export function listValues(text: string, format: WholeFormat, file: string): ListedValue[] {
  const found =
    format === 'yaml' || format === 'json'
      ? treeValues(parseSopsTree(text, format, file, LOCAL_LIMITS), format, file)
      : flatValues(new SopsWhole(text, format, file));
  return found.map(({ sealed: _sealed, ...value }) => value);
}

/** The encrypted values of a file, in its order. Throws SottoError. */
export function sealedValues(whole: SopsWhole): SealedValue[] {
  const { parsed, format, file } = whole;
  const isTree = parsed.kind === 'tree' && (format === 'yaml' || format === 'json');
  const found = isTree ? treeValues(parsed.tree, format, file) : flatValues(whole);
  return found.flatMap(({ document, path, sealed }) => (sealed === undefined ? [] : [{ document, path, sealed }]));
}

function treeValues({ documents, walked }: SopsTree, format: 'yaml' | 'json', file: string): Found[] {
  const listed: Found[] = [];
  const visit = (node: YamlNode, path: readonly string[], document: number): void => {
    if (node.kind === 'map') {
      for (const { key, value } of node.entries) visit(value, [...path, mapKey(key, format, file)], document);
    } else if (node.kind === 'seq') {
      const items = node.items.filter((item) => item.kind !== 'scalar' || !walked.comments.has(item));
      for (const [index, item] of items.entries()) visit(item, [...path, String(index)], document);
    } else {
      const sealed = walked.encrypted.get(node);
      const known = sealed?.enc.type;
      const type = known === undefined || known === 'comment' ? sopsScalar(node, format, file).type : known;
      listed.push({ document, path, line: node.line, encrypted: sealed !== undefined, type, sealed });
    }
  };
  for (const [index, { map }] of documents.entries()) if (map !== undefined) visit(map, [], index + 1);
  return listed;
}

function flatValues({ parsed, macItems }: SopsWhole): Found[] {
  if (parsed.kind === 'dotenv') {
    return parsed.lines.flatMap(({ key, line, value }): Found[] =>
      key === undefined
        ? []
        : [{ document: 1, path: [key], line, encrypted: value !== undefined, type: 'str', sealed: value }],
    );
  }
  if (parsed.kind === 'ini') {
    return parsed.sections.flatMap(({ name, keys }) =>
      keys.map(({ name: key, line, sealed }) => ({
        document: 1,
        path: [name, key],
        line,
        encrypted: sealed !== undefined,
        type: sealed === undefined || sealed.enc.type === 'comment' ? 'str' : sealed.enc.type,
        sealed,
      })),
    );
  }
  return macItems.flatMap((item): Found[] => {
    if (item.kind !== 'encrypted') return [];
    const { value } = item;
    return [{ document: 1, path: value.path, line: value.line, encrypted: true, type: 'str', sealed: value }];
  });
}
