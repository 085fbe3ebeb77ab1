import { LOCAL_LIMITS } from '../yaml/limits.ts';
import { isNullScalar } from '../yaml/tree.ts';
import { textOfBytes } from './changeable.ts';
import { placeComments } from './comment-place.ts';
import { emitAs } from './emit-as.ts';
import { parseEnvText } from './env-text.ts';
import { notAMapping, parseDocuments } from './file.ts';
import { parseIni } from './ini.ts';
import { flatMap, type FlatItem, iniMap, plainText } from './plain-flat.ts';
import { type PlainMap, plainTree } from './plain-tree.ts';
import type { SopsFormat, WholeFormat } from './scalar.ts';
import { BINARY_KEY } from './sops-key.ts';

/** A clear file in another format. The caller wipes the result. Throws SottoError. */
export function convertClear(
  clear: Uint8Array,
  from: WholeFormat,
  to: WholeFormat,
  file: string,
): Uint8Array<ArrayBuffer> {
  return emitAs(documentsOf(clear, from, to, file), to, file);
}

function documentsOf(clear: Uint8Array, from: WholeFormat, to: WholeFormat, file: string): readonly PlainMap[] {
  switch (from) {
    case 'yaml':
    case 'json':
      return treesOf(textOfBytes(clear, file), from, to, file);
    case 'dotenv':
      return [envMap(textOfBytes(clear, file), file)];
    case 'ini':
      return [iniMap(clearSections(textOfBytes(clear, file), file))];
    case 'binary':
      return [flatMap([{ key: BINARY_KEY, value: plainText(clear) }])];
    default:
      return from satisfies never;
  }
}

function treesOf(text: string, format: SopsFormat, to: WholeFormat, file: string): PlainMap[] {
  return parseDocuments(text, format, file, LOCAL_LIMITS).map((document): PlainMap => {
    const { root } = document;
    if (isNullScalar(root)) return flatMap([]);
    if (root.kind !== 'map') throw notAMapping({ file, line: root.line });
    // JSON has no place for comments, so that their place in YAML does not matter.
    const places = format === 'json' || to === 'json' ? [] : placeComments(text, document, root, file);
    return plainTree(root, places, {
      format,
      file,
      valueOf: () => undefined,
      listComment: () => undefined,
      comment: ({ start, end }) => ({ bytes: Buffer.from(text.slice(start + 1, end)), wasEncrypted: false }),
    });
  });
}

function envMap(text: string, file: string): PlainMap {
  return flatMap(
    parseEnvText(text, file).flatMap((line): FlatItem[] => {
      if (line.kind === 'blank') return [];
      if (line.kind === 'comment') return [{ key: undefined, comment: Buffer.from(line.text) }];
      return [{ key: line.key, value: plainText(Buffer.from(line.value.replaceAll('\\n', '\n'))) }];
    }),
  );
}

function clearSections(text: string, file: string) {
  return parseIni(text, file).map(({ name, comment, keys }) => ({
    name,
    comment: comment === undefined ? undefined : Buffer.from(comment),
    keys: keys.map((key) => ({
      name: key.name,
      value: plainText(Buffer.from(key.value)),
      comment: key.comment === undefined ? undefined : Buffer.from(key.comment),
    })),
  }));
}
