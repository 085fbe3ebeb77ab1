import { type Closed, type ClosedObject, SecretRef } from '../core/closed.ts';
import { sourceDigest } from '../core/digest.ts';
import { asSottoError, SottoError } from '../core/errors.ts';
import { displayObject, groupOf, type SourceDigest } from '../core/ids.ts';
import { arrayAt, canonicalJson, isJsonObject, type Json, type JsonObject, stringAt } from '../core/json.ts';
import type { Refusal } from '../core/refusal.ts';
import { looksEncrypted, parseSopsFile, type SopsFile, SopsLeaf } from '../sops/file.ts';
import { readManifests } from '../yaml/manifest.ts';
import type { ClosedDocument, Opened } from './document.ts';
import type { SopsSource } from './opener.ts';
import { isSealedSecret, sealedDocument, type SealedContext } from './sealed-document.ts';

/** A file of the snapshot: path relative to the repository's root. */
export interface OpenFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface OpenContext extends SealedContext {
  /** True for a document that was opened, checked and applied before: it is not opened again. */
  isKnown(digest: SourceDigest): boolean;
}

/**
 * Reads files as closed documents. Structure needs no key; a document whose digest is not known is opened once to
 * check it (MAC, tags), and its values are dropped at once. One bad file is one bad file.
 */
export async function openFiles(files: readonly OpenFile[], context: OpenContext): Promise<Opened> {
  const documents: ClosedDocument[] = [];
  const refusals: Refusal[] = [];
  for (const file of files) {
    try {
      const opened = await openFile(file, context);
      documents.push(...opened.documents);
      refusals.push(...opened.refusals);
    } catch (thrown) {
      refusals.push({ error: asSottoError(thrown).at({ file: file.path }), file: file.path });
    }
  }
  return { documents, refusals };
}

async function openFile(file: OpenFile, context: OpenContext): Promise<Opened> {
  const text = textOf(file);
  if (looksEncrypted(text)) return openSops(file, text, context);
  const opened: { documents: ClosedDocument[]; refusals: Refusal[] } = { documents: [], refusals: [] };
  for (const manifest of readManifests(text, file.path)) {
    for (const { value, path } of flattenList(manifest.value)) {
      const lineAt = (key: readonly string[]): number | undefined => manifest.lineAt([...path, ...key]);
      const line = lineAt([]) ?? manifest.line;
      try {
        opened.documents.push(await closedDocument({ file: file.path, line, lineAt, value }, context));
      } catch (thrown) {
        opened.refusals.push(refusalOf(thrown, file.path, line, value, context.namespace));
      }
    }
  }
  return opened;
}

interface PlainDocument {
  readonly file: string;
  readonly line: number;
  readonly value: Json;
  readonly lineAt: ClosedDocument['lineAt'];
}

async function closedDocument(document: PlainDocument, context: OpenContext): Promise<ClosedDocument> {
  const { file, line, value, lineAt } = document;
  if (!isJsonObject(value)) {
    throw new SottoError({
      code: 'SOTTO-RENDER-002',
      what: 'a document is not an object',
      why: 'a manifest is a mapping with apiVersion, kind and metadata',
      next: 'remove the document or move the file out of the path (or name it in .sourceignore)',
      file,
      line,
    });
  }
  const digest = sourceDigest('plain', canonicalJson(value));
  if (isSealedSecret(value)) return sealedDocument({ file, line, value, lineAt, digest }, context);
  return { file, line, tree: value, encryption: 'none', digest, lineAt };
}

async function openSops(file: OpenFile, text: string, context: OpenContext): Promise<Opened> {
  const format = file.path.endsWith('.json') ? 'json' : 'yaml';
  const sops = parseSopsFile(text, format, file.path);
  const source: SopsSource = { format: 'sops', file: file.path, metadata: sops.metadata };
  const documents = sops.documents.flatMap((document, index) =>
    sopsDocuments(source, document, sourceDigest('sops', file.bytes, String(index))),
  );
  // The MAC covers all documents of the file, so they are known or unknown together.
  // A file without objects is checked each time: a changed one must not pass for a file that was emptied.
  if (documents.length === 0 || documents.some((document) => !context.isKnown(document.digest))) {
    try {
      await context.opener.verifySops(source, sops);
    } catch (thrown) {
      const error = asSottoError(thrown).at({ file: file.path });
      return { documents: [], refusals: refusalsOfFile(error, documents, context.namespace) };
    }
  }
  return { documents, refusals: [] };
}

function sopsDocuments(
  source: SopsSource,
  document: SopsFile['documents'][number],
  digest: SourceDigest,
): ClosedDocument[] {
  const closed = closeLeaves(document.tree, source);
  if (!isClosedMap(closed)) return [];
  const lineAt = (path: readonly string[]): number | undefined => document.lineAt(path);
  return flattenClosedList(closed).map(({ value, path }, item) => ({
    file: source.file,
    line: lineAt(path) ?? document.line,
    tree: value,
    encryption: 'sops',
    digest: item === 0 ? digest : sourceDigest(digest, String(item)),
    lineAt: (key) => lineAt([...path, ...key]),
  }));
}

function closeLeaves(value: SopsTree, source: SopsSource): Closed {
  if (value instanceof SopsLeaf) return new SecretRef(source, value, 'value', value.line);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item: SopsTree) => closeLeaves(item, source));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, closeLeaves(item as SopsTree, source)]));
}

type SopsTree = SopsFile['documents'][number]['tree'];

function isClosedMap(value: Closed): value is ClosedObject {
  return isJsonObject(value) && !((value as unknown) instanceof SecretRef);
}

interface Placed<T> {
  readonly value: T;
  readonly path: readonly string[];
}

/** `v1 List` and any `…List` with items: kubectl applies the items, so do we. */
function flattenList(value: Json): Placed<Json>[] {
  if (!isList(value)) return [{ value, path: [] }];
  return arrayAt(value, 'items').flatMap((item, index) =>
    flattenList(item).map((inner) => ({ value: inner.value, path: ['items', String(index), ...inner.path] })),
  );
}

function flattenClosedList(value: ClosedObject): Placed<ClosedObject>[] {
  const items = value['items'];
  if (!isList(value) || !Array.isArray(items)) return [{ value, path: [] }];
  return items.flatMap((item: Closed, index) =>
    isClosedMap(item)
      ? flattenClosedList(item).map((inner) => ({ value: inner.value, path: ['items', String(index), ...inner.path] }))
      : [],
  );
}

function isList(value: unknown): value is JsonObject {
  return stringAt(value, 'kind')?.endsWith('List') === true && isJsonObject(value) && Array.isArray(value['items']);
}

function textOf(file: OpenFile): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(file.bytes);
  } catch {
    throw new SottoError({
      code: 'SOTTO-YAML-002',
      what: 'the file is not UTF-8 text',
      why: 'manifests are read as UTF-8',
      next: 'save the file as UTF-8, or name it in .sourceignore',
      file: file.path,
    });
  }
}

/** Who the refused document would have been, as far as its clear parts tell: that object is then protected. */
function idOf(tree: ClosedObject, namespace: string) {
  const apiVersion = tree['apiVersion'];
  const kind = tree['kind'];
  const name = isJsonObject(tree['metadata']) ? tree['metadata']['name'] : undefined;
  const ownNamespace = isJsonObject(tree['metadata']) ? tree['metadata']['namespace'] : undefined;
  if (typeof apiVersion !== 'string' || typeof kind !== 'string' || typeof name !== 'string') return undefined;
  const isSealed = groupOf(apiVersion) === 'bitnami.com' && kind === 'SealedSecret';
  return {
    group: isSealed ? '' : groupOf(apiVersion),
    kind: isSealed ? 'Secret' : kind,
    namespace: typeof ownNamespace === 'string' && ownNamespace !== '' ? ownNamespace : namespace,
    name,
  };
}

function refusalOf(thrown: unknown, file: string, line: number, value: Json, namespace: string): Refusal {
  const id = isJsonObject(value) ? idOf(value, namespace) : undefined;
  const object = id === undefined ? undefined : displayObject(id);
  return { error: asSottoError(thrown).at({ file, line, object }), file, id };
}

function refusalsOfFile(error: SottoError, documents: readonly ClosedDocument[], namespace: string): Refusal[] {
  if (documents.length === 0) throw error;
  return documents.map((document) => {
    const id = idOf(document.tree, namespace);
    return { error: error.at(id === undefined ? {} : { object: displayObject(id) }), file: document.file, id };
  });
}
