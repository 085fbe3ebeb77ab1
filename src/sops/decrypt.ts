import { LOCAL_LIMITS } from '../yaml/limits.ts';
import { SottoError } from '../core/errors.ts';
import { copySecret, ownedBytes, Sensitive } from '../core/sensitive.ts';
import { columnOf, endOfLine } from '../yaml/split.ts';
import type { YamlDocument, YamlMap, YamlNode, YamlScalar } from '../yaml/tree.ts';
import { ByteWriter } from './byte-writer.ts';
import { bytesOf, openEnc, pathAad } from './cipher.ts';
import { commentPaths } from './comment-path.ts';
import { type DataKey, unwrapDataKey, wrongPlace } from './data-key.ts';
import { parseEnc } from './enc.ts';
import { parseSopsTree, type SopsTree } from './file.ts';
import type { Identity } from './identity.ts';
import { isSopsKey } from './sops-key.ts';
import type { KnownEntries } from './known.ts';
import { verifyMac } from './mac.ts';
import { commentText, jsonValue, yamlValue } from './quote.ts';
import type { SopsFormat } from './scalar.ts';

/** Replace `text[start, end)` by bytes, which are wiped when the text is put together. */
interface SecretSplice {
  readonly start: number;
  readonly end: number;
  readonly by: ByteWriter;
}

/**
 * A file in clear: every encrypted value in its place, the sops block gone, every other character as it was. The MAC
 * is checked first. The caller wipes the result. Throws SottoError.
 */
export async function decryptSops(
  text: string,
  format: SopsFormat,
  file: string,
  identities: readonly Identity[],
): Promise<Sensitive> {
  const tree = parseSopsTree(text, format, file, LOCAL_LIMITS);
  using dataKey = await unwrapDataKey({ file, metadata: tree.metadata }, identities);
  return (await openTree({ text, format, file, tree }, dataKey)).clear;
}

/** A parsed file with its text. */
export interface SopsText {
  readonly text: string;
  readonly format: SopsFormat;
  readonly file: string;
  readonly tree: SopsTree;
}

export interface OpenedText {
  /** The caller wipes it. */
  readonly clear: Sensitive;
  /** Where the sops block of each document stood, as a character offset of the clear text. */
  readonly blocksAt: readonly (number | undefined)[];
}

/** The same with the data key in hand. What is opened is added to `known`. Throws SottoError. */
export async function openTree(
  { text, format, file, tree }: SopsText,
  dataKey: DataKey,
  known?: KnownEntries,
): Promise<OpenedText> {
  const { metadata, walked } = tree;
  await verifyMac({ file, format, metadata, macItems: walked.macItems }, dataKey);
  const splices: SecretSplice[] = [];
  const blocks: (SecretSplice | undefined)[] = [];
  try {
    for (const { document, map } of tree.documents) {
      const block = map === undefined ? undefined : blockSplice(text, document);
      blocks.push(block);
      if (map === undefined) continue;
      await openValues({ text, format, file, walked, dataKey, splices, known }, map);
      await openComments({ text, dataKey, splices, known }, document, block);
      if (block !== undefined) splices.push(block);
    }
    const used = withoutNested(splices);
    const blocksAt = blocks.map((block) => (block === undefined ? undefined : clearOffset(block, used)));
    return { clear: assemble(text, used), blocksAt };
  } finally {
    for (const splice of splices) splice.by.wipe();
  }
}

/** Of a splice in the assembled text, in characters. */
function clearOffset(splice: SecretSplice, splices: readonly SecretSplice[]): number {
  let offset = splice.start;
  for (const { start, end, by } of splices) {
    if (start >= splice.start) break;
    offset += charactersOf(by.written) - (end - start);
  }
  return offset;
}

/** UTF-16 units of a text in UTF-8, counted in its bytes: a value must not become a string for that. */
export function charactersOf(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) {
    if (byte < 0x80 || byte >= 0xc0) count += 1;
    if (byte >= 0xf0) count += 1;
  }
  return count;
}

interface ValueContext {
  readonly text: string;
  readonly format: SopsFormat;
  readonly file: string;
  readonly walked: SopsTree['walked'];
  readonly dataKey: DataKey;
  readonly splices: SecretSplice[];
  readonly known: KnownEntries | undefined;
}

async function openValues(context: ValueContext, root: YamlMap): Promise<void> {
  const open: { node: YamlNode; column: number | undefined }[] = [{ node: root, column: undefined }];
  const seen = new Set<YamlNode>();
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { node, column } = next;
    if (seen.has(node)) continue;
    seen.add(node);
    if (node.kind === 'scalar') await openScalar(context, node, column);
    else if (node.kind === 'seq') {
      for (const item of node.items) open.push({ node: item, column: dashColumn(context.text, item) });
    } else {
      for (const { key, value } of node.entries) open.push({ node: value, column: columnOf(context.text, key.start) });
    }
  }
}

/** `parentColumn` is where the key or dash of the value stands: what a block scalar must be indented beyond. */
async function openScalar(context: ValueContext, scalar: YamlScalar, parentColumn: number | undefined): Promise<void> {
  const { text, format, file, walked, dataKey, splices, known } = context;
  const value = walked.encrypted.get(scalar) ?? walked.comments.get(scalar);
  if (value === undefined) return;
  const opened = await openEnc(value.enc, pathAad(value.path), dataKey.key);
  if (opened === undefined) throw wrongPlace(file, value);
  try {
    if (value.enc.type === 'comment') {
      const splice = listComment(context, scalar, opened);
      splices.push(splice);
      const token = text.slice(splice.start, splice.end);
      known?.add(splice.start, token, [known.keyOf('comment', value.path, opened)]);
      return;
    }
    let by: ByteWriter;
    if (format === 'json') by = jsonValue(opened, value.enc.type);
    else {
      const endsLine = /^[ \t]*(?:[\r\n]|$)/.test(text.slice(scalar.end, endOfLine(text, scalar.end)));
      const blockColumn = parentColumn === undefined || !endsLine || scalar.inFlow ? undefined : parentColumn + 2;
      by = yamlValue(opened, value.enc.type, { inFlow: scalar.inFlow, blockColumn });
    }
    splices.push({ start: scalar.start, end: scalar.end, by });
    const token = text.slice(scalar.start, scalar.end);
    known?.add(scalar.start, /[\r\n]/.test(token) ? value.text : token, [
      known.keyOf('source', value.path, by.written),
      known.keyOf(`value ${value.enc.type}`, value.path, opened),
    ]);
  } finally {
    opened.fill(0);
  }
}

/** sops keeps the comments of a list as its elements: they become comments again. */
function listComment(context: ValueContext, scalar: YamlScalar, opened: Uint8Array): SecretSplice {
  const dash = dashBefore(context.text, scalar.start);
  if (context.format === 'yaml' && !scalar.inFlow && dash !== undefined) {
    return { start: dash, end: scalar.end, by: commentText(opened) };
  }
  throw new SottoError({
    code: 'SOTTO-SOPS-021',
    what: 'a decrypted value cannot be written in this format',
    why: 'an encrypted comment stands inside a list in brackets, where no comment can be',
    next: 'remove the element from the list with sops edit',
    file: context.file,
    line: scalar.line,
  });
}

async function openComments(
  context: Pick<ValueContext, 'text' | 'dataKey' | 'splices' | 'known'>,
  document: YamlDocument,
  block: SecretSplice | undefined,
): Promise<void> {
  const { text, dataKey, splices, known } = context;
  if (document.comments.length === 0) return;
  const paths = commentPaths(text, document);
  for (const [index, { start, end }] of document.comments.entries()) {
    if (block !== undefined && start >= block.start && start < block.end) continue;
    const comment = text.slice(start + 1, end);
    const enc = parseEnc(comment);
    let isOpen = false;
    for (const path of enc?.type === 'comment' ? (paths[index] ?? []) : []) {
      const opened = enc === undefined ? undefined : await openEnc(enc, pathAad(path), dataKey.key);
      if (opened === undefined) continue;
      splices.push({ start, end, by: commentText(opened) });
      known?.add(start, `#${comment}`, [known.keyOf('comment', path, opened)]);
      opened.fill(0);
      isOpen = true;
      break;
    }
    // In clear, whatever the selector says of it: it stays so, for it is no secret any more.
    if (!isOpen) known?.add(start, `#${comment}`, [known.keyOf('comment', paths[index]?.[0] ?? [], bytesOf(comment))]);
  }
}

function nothing(start: number, end: number): SecretSplice {
  return { start, end, by: new ByteWriter(0) };
}

/** Takes the sops block out; a document of nothing else becomes an empty mapping. */
function blockSplice(text: string, document: YamlDocument): SecretSplice | undefined {
  const { root } = document;
  if (root.kind !== 'map') return undefined;
  const index = root.entries.findIndex(({ key }) => isSopsKey(key));
  const block = root.entries[index];
  if (block === undefined) return undefined;
  const { start } = block.key;
  const { end } = block.value;
  if (root.flow) {
    const before = root.entries[index - 1];
    const after = root.entries[index + 1];
    if (before !== undefined) return nothing(before.value.end, end);
    return nothing(start, after?.key.start ?? end);
  }
  const lineEnd = /[\r\n]/.test(text.charAt(end - 1)) ? end : endOfLine(text, end);
  if (root.entries.length > 1) return nothing(start - columnOf(text, start), lineEnd);
  return { start, end: lineEnd, by: new ByteWriter(3).ascii('{}\n') };
}

/** The dash of a list element that stands on the element's line with blanks between. */
function dashBefore(text: string, offset: number): number | undefined {
  let at = offset - 1;
  while (at >= 0 && (text.charAt(at) === ' ' || text.charAt(at) === '\t')) at -= 1;
  return text.charAt(at) === '-' && at < offset - 1 ? at : undefined;
}

function dashColumn(text: string, item: YamlNode): number | undefined {
  const dash = dashBefore(text, item.start);
  return dash === undefined ? undefined : columnOf(text, dash);
}

/** In order, and without what lies inside of another one (a comment within the sops block). */
function withoutNested(splices: readonly SecretSplice[]): SecretSplice[] {
  let end = 0;
  return splices
    .toSorted((a, b) => a.start - b.start || b.end - a.end)
    .filter((splice) => {
      if (splice.start < end) return false;
      end = splice.end;
      return true;
    });
}

function assemble(text: string, splices: readonly SecretSplice[]): Sensitive {
  const clear: string[] = [];
  let at = 0;
  for (const splice of splices) {
    clear.push(text.slice(at, splice.start));
    at = splice.end;
  }
  clear.push(text.slice(at));
  const length =
    clear.reduce((sum, part) => sum + Buffer.byteLength(part), 0) +
    splices.reduce((sum, { by }) => sum + by.written.length, 0);
  const bytes = ownedBytes(length);
  const view = Buffer.from(bytes.buffer);
  let offset = 0;
  for (const [index, part] of clear.entries()) {
    offset += view.write(part, offset);
    const secret = splices[index]?.by.written;
    if (secret === undefined) continue;
    copySecret(secret, bytes, offset);
    offset += secret.length;
  }
  return Sensitive.adopt(bytes);
}
