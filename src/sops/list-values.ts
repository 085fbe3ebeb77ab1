import { LOCAL_LIMITS } from '../yaml/limits.ts';
import type { YamlNode } from '../yaml/tree.ts';
import type { EncType } from './enc.ts';
import { parseSopsTree } from './file.ts';
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

/** Every value with its place, in the order of the file. Throws SottoError. */
export function listValues(text: string, format: WholeFormat, file: string): ListedValue[] {
  if (format !== 'yaml' && format !== 'json') return flatValues(new SopsWhole(text, format, file));
  const { documents, walked } = parseSopsTree(text, format, file, LOCAL_LIMITS);
  const listed: ListedValue[] = [];
  const visit = (node: YamlNode, path: readonly string[], document: number): void => {
    if (node.kind === 'map') {
      for (const { key, value } of node.entries) visit(value, [...path, mapKey(key, format, file)], document);
    } else if (node.kind === 'seq') {
      const items = node.items.filter((item) => item.kind !== 'scalar' || !walked.comments.has(item));
      for (const [index, item] of items.entries()) visit(item, [...path, String(index)], document);
    } else {
      const sealed = walked.encrypted.get(node)?.enc.type;
      const type = sealed === undefined || sealed === 'comment' ? sopsScalar(node, format, file).type : sealed;
      listed.push({ document, path, line: node.line, encrypted: sealed !== undefined, type });
    }
  };
  for (const [index, { map }] of documents.entries()) if (map !== undefined) visit(map, [], index + 1);
  return listed;
}

function flatValues({ parsed, macItems }: SopsWhole): ListedValue[] {
  if (parsed.kind === 'dotenv') {
    return parsed.lines.flatMap(({ key, line, value }) =>
      key === undefined
        ? []
        : [{ document: 1, path: [key], line, encrypted: value !== undefined, type: 'str' as const }],
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
      })),
    );
  }
  return macItems.flatMap((item) =>
    item.kind === 'encrypted'
      ? [{ document: 1, path: item.value.path, line: item.value.line, encrypted: true, type: 'str' as const }]
      : [],
  );
}
