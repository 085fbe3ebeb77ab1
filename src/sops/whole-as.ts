import { Sensitive } from '../core/sensitive.ts';
import type { YamlComment } from '../yaml/tree.ts';
import type { DataKey } from './data-key.ts';
import { emitAs } from './emit-as.ts';
import type { SealedIniText } from './ini-file.ts';
import type { EncryptedValue } from './leaf.ts';
import { verifyMac } from './mac.ts';
import { openDocuments, plainScalar } from './open-documents.ts';
import { openIniComments } from './open-ini.ts';
import { type FlatItem, flatMap, iniMap, plainText } from './plain-flat.ts';
import type { PlainMap, PlainScalar } from './plain-tree.ts';
import type { WholeFormat } from './scalar.ts';
import { BINARY_KEY } from './sops-key.ts';
import { binaryContent, openedValues, openEnvComments, type OpenLine, type SopsWhole } from './whole.ts';

/** The clear text in another format; the MAC is checked. */
export async function openWholeAs(whole: SopsWhole, dataKey: DataKey, to: WholeFormat): Promise<Sensitive> {
  const { parsed, file, text, format } = whole;
  const values = await openedValues(whole, dataKey);
  const comments = new Map<YamlComment, Uint8Array<ArrayBuffer>>();
  let binary: Uint8Array<ArrayBuffer> | undefined;
  const scalarOf = ({ text: clear, sealed }: SealedIniText): PlainScalar =>
    sealed === undefined ? plainText(Buffer.from(clear)) : plainScalar(sealed, values, file);
  try {
    await verifyMac(whole, dataKey, values);
    let documents: readonly PlainMap[];
    if (parsed.kind === 'dotenv') {
      await openEnvComments(parsed.lines, values, dataKey);
      documents = [flatMap(parsed.lines.map((line) => flatLine(line, values, file)))];
    } else if (parsed.kind === 'ini') {
      await openIniComments(parsed.sections, values, dataKey);
      const commentOf = (comment: SealedIniText | undefined): Uint8Array | undefined =>
        comment && ((comment.sealed && values.get(comment.sealed)) ?? Buffer.from(comment.text));
      const sections = parsed.sections.map(({ name, comment, keys }) => ({
        name,
        comment: commentOf(comment),
        keys: keys.map((key) => ({ name: key.name, value: scalarOf(key), comment: commentOf(key.comment) })),
      }));
      documents = [iniMap(sections)];
    } else if (format === 'binary') {
      binary = binaryContent(parsed.tree, values, file);
      documents = [flatMap([{ key: BINARY_KEY, value: plainText(binary) }])];
    } else {
      const withComments = format === 'yaml' && to !== 'json';
      documents = await openDocuments({ text, format, file, withComments }, parsed.tree, values, comments, dataKey);
    }
    return Sensitive.adopt(emitAs(documents, to, file));
  } finally {
    for (const bytes of [...values.values(), ...comments.values()]) bytes.fill(0);
    binary?.fill(0);
  }
}

function flatLine(line: OpenLine, values: ReadonlyMap<EncryptedValue, Uint8Array>, file: string): FlatItem {
  const { key, text, value, comment } = line;
  if (key === undefined) return { key, comment: (comment && values.get(comment)) ?? Buffer.from(text) };
  const clear = (): PlainScalar => plainText(Buffer.from(text.replaceAll('\\n', '\n')));
  return { key, value: value === undefined ? clear() : plainScalar(value, values, file) };
}
