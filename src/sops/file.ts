import { type ErrorPlace, SottoError } from '../core/errors.ts';
import { parseJsonTree } from '../yaml/json-tree.ts';
import { PARSE_LIMITS, type ParseLimits } from '../yaml/limits.ts';
import { DROPPED, lineFinder, type Resolved, resolveManifest } from '../yaml/manifest.ts';
import { parseYaml } from '../yaml/parse.ts';
import { isNullScalar, type YamlDocument, type YamlMap, type YamlNode } from '../yaml/tree.ts';
import { SopsLeaf } from './leaf.ts';
import { parseMetadata, type SopsMetadata, unusable } from './metadata.ts';
import type { SopsFormat } from './scalar.ts';
import { selectionOf } from './selection.ts';
import { compileSelector } from './selector.ts';
import { isSopsKey } from './sops-key.ts';
import { type MacItem, type Walked, walkEncrypted } from './walk.ts';

export type { SopsFormat } from './scalar.ts';
export { SopsLeaf } from './leaf.ts';

/** A document as kubectl reads it, with leaves where values are encrypted, without `sops` and encrypted comments. */
export type ClosedTree = Resolved<SopsLeaf>;

export interface SopsDocument {
  /** 1-based line at which it starts. */
  readonly line: number;
  readonly tree: ClosedTree;
  lineAt(path: readonly string[]): number | undefined;
}

/** A SOPS file without its key: structure and metadata are readable by everybody and vouched for by nobody. */
export interface SopsFile {
  readonly file: string;
  readonly format: SopsFormat;
  readonly metadata: SopsMetadata;
  /** Empty documents are left out. */
  readonly documents: readonly SopsDocument[];
  /** What the MAC covers, over all documents. */
  readonly macItems: readonly MacItem[];
}

/** True for a document with a top-level key `sops`: no Kubernetes object has one. */
export function isSopsTree(root: YamlNode): boolean {
  return root.kind === 'map' && root.entries.some(({ key }) => isSopsKey(key));
}

/**
 * Whether a text is to be read as a SOPS file: one of its documents has a top-level key `sops`. Nearly always told by
 * a look at the lines; only text with such a key elsewhere (JSON, a nested `sops:`) is parsed. False for broken text.
 */
export function looksEncrypted(text: string): boolean {
  if (!text.includes('sops')) return false;
  if (/(?:^|[\r\n])(?:sops|"sops"|'sops')[ \t]*:(?![^ \t\r\n])/.test(text)) return true;
  if (!/(?:^|[\s{,?])(?:sops|"sops"|'sops')\s*:/.test(text)) return false;
  try {
    return parseYaml(text, { file: '' }).some(({ root }) => isSopsTree(root));
  } catch (thrown) {
    if (thrown instanceof SottoError) return false;
    throw thrown;
  }
}

/** Reads structure and metadata; no key is needed. Throws SottoError with file, line and key. */
export function parseSopsFile(text: string, format: SopsFormat, file: string): SopsFile {
  const parsed = parseSopsTree(text, format, file, PARSE_LIMITS);
  const documents = parsed.documents.flatMap(({ document, map }) =>
    map === undefined ? [] : [closedDocument(document, map, parsed.walked, file)],
  );
  return { file, format, metadata: parsed.metadata, documents, macItems: parsed.walked.macItems };
}

/** The node trees behind a SOPS file, for those who rewrite its text. */
export interface SopsTree {
  readonly metadata: SopsMetadata;
  readonly documents: readonly { readonly document: YamlDocument; readonly map: YamlMap | undefined }[];
  readonly walked: Walked;
}

export function parseSopsTree(text: string, format: SopsFormat, file: string, limits: ParseLimits): SopsTree {
  const parsed = parseDocuments(text, format, file, limits);
  const metadata = parseMetadata(sopsBlock(parsed[0], file), format, file);
  const { selector, macOnlyEncrypted } = metadata;
  const selects = compileSelector(selector, { file, line: metadata.line, key: `sops.${selector.kind}` });
  const walked: Walked = { encrypted: new Map(), comments: new Map(), macItems: [] };
  const documents = parsed.map((document) => {
    const map = withoutSops(document, file);
    if (map !== undefined) {
      const selection = selectionOf(selects, document, map, { text, file });
      walkEncrypted(map, { selection, format, file, macOnlyEncrypted }, walked);
    }
    return { document, map };
  });
  return { metadata, documents, walked };
}

export function parseDocuments(
  text: string,
  format: SopsFormat,
  file: string,
  limits: ParseLimits = PARSE_LIMITS,
): readonly YamlDocument[] {
  return format === 'json' ? [parseJsonTree(text, { file, limits })] : parseYaml(text, { file, limits });
}

/** The metadata is read from the first document only; later ones carry a copy that nobody reads. */
function sopsBlock(document: YamlDocument | undefined, file: string): YamlNode {
  const entries = document?.root.kind === 'map' ? document.root.entries.filter(({ key }) => isSopsKey(key)) : [];
  const [block, second] = entries;
  if (second !== undefined) throw unusable({ file, line: second.key.line, key: 'sops' }, 'the key sops occurs twice');
  if (block !== undefined) return block.value;
  throw new SottoError({
    code: 'SOTTO-SOPS-002',
    what: 'the file has no sops block',
    why: 'a SOPS file has its metadata under the top-level key sops of its first document',
    next: 'restore the file from Git history, or encrypt it: sotto encrypt -i',
    file,
    ...(document === undefined ? {} : { line: document.line }),
  });
}

/** The mapping of a document without its `sops`; undefined for an empty document. */
function withoutSops(document: YamlDocument, file: string): YamlMap | undefined {
  const { root } = document;
  if (isNullScalar(root)) return undefined;
  if (root.kind === 'map') return { ...root, entries: root.entries.filter(({ key }) => !isSopsKey(key)) };
  throw notAMapping({ file, line: root.line });
}

export function notAMapping(place: ErrorPlace): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-014',
    what: 'a SOPS document is not a mapping',
    why: 'sops holds documents whose top level is a mapping',
    next: 'put the list or value under a key',
    ...place,
  });
}

function closedDocument(document: YamlDocument, map: YamlMap, walked: Walked, file: string): SopsDocument {
  const tree = resolveManifest<SopsLeaf>(map, {
    file,
    leafAt: (scalar, place) => {
      const value = walked.encrypted.get(scalar);
      if (value !== undefined) return new SopsLeaf(value, place);
      return walked.comments.has(scalar) ? DROPPED : undefined;
    },
  });
  return { line: document.line, tree, lineAt: lineFinder(document) };
}
