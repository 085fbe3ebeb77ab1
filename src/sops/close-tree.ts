import { PARSE_LIMITS } from '../yaml/limits.ts';
import { emitJson } from './emit-json.ts';
import { emitYaml } from './emit-yaml.ts';
import { parseSopsTree } from './file.ts';
import type { EncryptedValue } from './leaf.ts';
import { plainTree } from './plain-tree.ts';
import type { SopsFormat } from './scalar.ts';

/**
 * A SOPS file as it would be in clear, typed as sops types it, with text of the caller's in place of each encrypted
 * value. Comments and the sops block are left out.
 */
export function emitClosed(
  text: string,
  format: SopsFormat,
  file: string,
  textOf: (value: EncryptedValue, document: number) => string,
): Uint8Array {
  const { documents, walked } = parseSopsTree(text, format, file, PARSE_LIMITS);
  const trees = documents.flatMap(({ map }, index) => {
    if (map === undefined) return [];
    const tree = plainTree(map, [], {
      format,
      file,
      valueOf: (scalar) => {
        const value = walked.encrypted.get(scalar);
        if (value === undefined) return undefined;
        return { kind: 'scalar', type: 'str', bytes: Buffer.from(textOf(value, index), 'latin1') };
      },
      listComment: (scalar) => (walked.comments.has(scalar) ? 'dropped' : undefined),
      comment: () => ({ bytes: new Uint8Array(), wasEncrypted: false }),
    });
    return [tree];
  });
  const [first] = trees;
  return format === 'json' && first !== undefined ? emitJson(first, file) : emitYaml(trees, file);
}
