import type { webcrypto } from 'node:crypto';
import type { YamlComment, YamlDocument, YamlMap } from '../yaml/tree.ts';
import { openEnc, pathAad } from './cipher.ts';
import { commentPaths } from './comment-path.ts';
import { placeComments } from './comment-place.ts';
import { type DataKey, wrongPlace } from './data-key.ts';
import { parseEnc } from './enc.ts';
import type { SopsTree } from './file.ts';
import type { EncryptedValue } from './leaf.ts';
import { unknownForm } from './plain-scalar.ts';
import { type Opened, type PlainMap, type PlainScalar, plainTree } from './plain-tree.ts';
import type { SopsFormat, WholeFormat } from './scalar.ts';

/** The caller wipes it. Throws SottoError. */
export async function openValue(
  value: EncryptedValue,
  file: string,
  key: webcrypto.CryptoKey,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await openEnc(value.enc, pathAad(value.path), key);
  if (bytes === undefined) throw wrongPlace(file, value);
  return bytes;
}

interface TreeSource {
  readonly text: string;
  readonly format: WholeFormat;
  readonly file: string;
  /** Their places are looked for, and a doubtful one is refused. */
  readonly withComments: boolean;
}

/** The documents of a tree as sops holds them; what is opened of it goes to `values` and `comments`. */
export async function openDocuments(
  { text, format, file, withComments }: TreeSource,
  tree: SopsTree,
  values: Map<EncryptedValue, Uint8Array<ArrayBuffer>>,
  comments: Map<YamlComment, Uint8Array<ArrayBuffer>>,
  dataKey: DataKey,
): Promise<PlainMap[]> {
  for (const value of tree.walked.comments.values()) {
    values.set(value, await openValue(value, file, dataKey.key));
  }
  if (withComments) {
    for (const { document } of tree.documents) await openComments(text, document, comments, dataKey);
  }
  const reading = readingOf(tree, format === 'json' ? 'json' : 'yaml', file, values, (comment) => {
    const bytes = comments.get(comment) ?? Buffer.from(text.slice(comment.start + 1, comment.end), 'utf8');
    return { bytes, wasEncrypted: comments.has(comment) };
  });
  return tree.documents.map(({ document, map = EMPTY_MAP }) =>
    plainTree(map, withComments ? placeComments(text, document, map, file) : [], reading),
  );
}

const EMPTY_MAP: YamlMap = { kind: 'map', tag: undefined, flow: false, entries: [], start: 0, end: 0, line: 1 };

function readingOf(
  tree: SopsTree,
  format: SopsFormat,
  file: string,
  values: ReadonlyMap<EncryptedValue, Uint8Array>,
  comment: Opened['comment'],
): Opened {
  const { walked } = tree;
  return {
    format,
    file,
    valueOf: (scalar) => {
      const value = walked.encrypted.get(scalar);
      return value === undefined ? undefined : plainScalar(value, values, file);
    },
    listComment: (scalar) => {
      const value = walked.comments.get(scalar);
      return value === undefined ? undefined : (values.get(value) ?? 'dropped');
    },
    comment,
  };
}

export function plainScalar(
  value: EncryptedValue,
  values: ReadonlyMap<EncryptedValue, Uint8Array>,
  file: string,
): PlainScalar {
  const bytes = values.get(value);
  const { type } = value.enc;
  if (bytes === undefined || type === 'comment') throw unknownForm(file, 'a comment stands where a value is');
  return { kind: 'scalar', type: type === 'bytes' ? 'str' : type, bytes };
}

/** The comments of a document that are encrypted and open; one that does not is kept as it is, as sops does. */
async function openComments(
  text: string,
  document: YamlDocument,
  into: Map<YamlComment, Uint8Array<ArrayBuffer>>,
  dataKey: DataKey,
): Promise<void> {
  const paths = commentPaths(text, document);
  for (const [index, comment] of document.comments.entries()) {
    const enc = parseEnc(text.slice(comment.start + 1, comment.end));
    if (enc?.type !== 'comment') continue;
    for (const path of paths[index] ?? []) {
      const bytes = await openEnc(enc, pathAad(path), dataKey.key);
      if (bytes === undefined) continue;
      into.set(comment, bytes);
      break;
    }
  }
}
