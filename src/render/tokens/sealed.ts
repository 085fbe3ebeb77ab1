import { SecretRef } from '../../core/closed.ts';
import { sourceDigest } from '../../core/digest.ts';
import { asSottoError, SottoError } from '../../core/errors.ts';
import { groupOf } from '../../core/ids.ts';
import { isJsonObject, type Json, type JsonObject, memberAt, stringAt, stringifyJson } from '../../core/json.ts';
import { sealedToSecret } from '../../sealed/resulting-secret.ts';
import {
  readSealed,
  type SealedItem,
  type SealedObject,
  type SealedRead,
  summaryOf,
} from '../../sealed/sealed-secret.ts';
import type { FilledPart } from '../../sealed/template.ts';
import { parseJsonTree } from '../../yaml/json-tree.ts';
import { lineFinder, resolveManifest } from '../../yaml/manifest.ts';
import { parseYaml } from '../../yaml/parse.ts';
import type { YamlDocument } from '../../yaml/tree.ts';
import type { ClosedFile, TokenContext, TokenMemory } from './content.ts';
import type { TokenEntry } from './table.ts';
import { makeToken, type Token } from './token.ts';

export interface ManifestFile {
  readonly path: string;
  readonly text: string;
}

export interface SealedContext extends Omit<TokenContext, 'opener'> {
  readonly opener: Pick<TokenContext['opener'], 'open'>;
  /** Of SealedSecrets that name none: they are bound to it. */
  readonly namespace: string;
}

/** A SealedSecret of a file with the part of the text that it is. */
interface Found {
  readonly document: YamlDocument;
  readonly manifest: JsonObject;
  readonly read: SealedRead;
}

type Readable = Omit<Found, 'read'> & { readonly sealed: SealedObject };

/**
 * A file of manifests with the Secret in place of each SealedSecret, its values as tokens; every other document stays
 * as it is written. Undefined when there is none in it. Throws SottoError.
 */
export async function closeSealed(file: ManifestFile, context: SealedContext): Promise<ClosedFile | undefined> {
  if (!file.text.includes('SealedSecret')) return undefined;
  const all = findSealed(file, context.namespace);
  if (all.length === 0) return undefined;
  const found: Readable[] = [];
  for (const each of all) found.push({ ...each, sealed: await readable(each.read, context) });
  const secrets = found.map(({ sealed }) => sealedToSecret(sealed));
  const refs = found.flatMap(({ sealed }, index) =>
    [...(secrets[index]?.items ?? [])].map(([key, item]) => ({
      key,
      object: `/Secret/${sealed.namespace}/${sealed.name}`,
      sealed,
      ref: refOf(sealed, item),
    })),
  );
  const digest = sourceDigest('tokens', 'sealed', context.namespace, file.text);
  const known = context.recall(digest);
  const memory = known?.tokens.length === refs.length ? known : await sealedMemory(digest, refs, context);
  const entries = refs.map(({ key, ref }, index): TokenEntry => {
    const token = memory.tokens[index];
    if (token === undefined || token === '')
      throw new TypeError('the tokens that are remembered are not those of the file');
    return { token, ref, role: 'leaf', file: file.path, line: ref.line, key: `spec.encryptedData.${key}` };
  });
  return { bytes: Buffer.from(replaced(file, found, entries), 'utf8'), entries, memory };
}

/** Malformed items are told together with those that no key opens. */
async function readable(read: SealedRead, { opener }: SealedContext): Promise<SealedObject> {
  if (read.kind === 'whole') return read.sealed;
  const failures = [...read.failures];
  for (const item of read.others.items) {
    try {
      (await opener.open(refOf(read.others, item))).wipe();
    } catch (thrown) {
      failures.push(asSottoError(thrown));
    }
  }
  throw summaryOf(failures, read.others.items.length + read.failures.length);
}

function refOf(sealed: SealedObject, item: SealedItem): SecretRef {
  return new SecretRef(sealed, item, 'value', item.line);
}

interface ItemRef {
  readonly key: string;
  readonly object: string;
  readonly sealed: SealedObject;
  readonly ref: SecretRef;
}

/** One that does not open fails its object, and the others of the object that do not are named with it. */
async function sealedMemory(
  digest: TokenMemory['digest'],
  refs: readonly ItemRef[],
  { opener, key }: SealedContext,
): Promise<TokenMemory> {
  const tokens: Token[] = [];
  const failed: { readonly sealed: SealedObject; readonly error: SottoError }[] = [];
  for (const { key: name, object, sealed, ref } of refs) {
    if (failed[0] !== undefined && failed[0].sealed !== sealed) break;
    try {
      using value = await opener.open(ref);
      tokens.push(makeToken(key, { role: 'leaf', object, path: ['data', name] }, value));
    } catch (thrown) {
      failed.push({ sealed, error: asSottoError(thrown) });
    }
  }
  if (failed[0] === undefined) return { digest, tokens, names: [] };
  throw summaryOf(
    failed.map(({ error }) => error),
    failed[0].sealed.items.length,
  );
}

function findSealed({ path, text }: ManifestFile, namespace: string): Found[] {
  const isJson = path.endsWith('.json');
  const documents = isJson ? [parseJsonTree(text, { file: path })] : parseYaml(text, { file: path });
  return documents.flatMap((document): Found[] => {
    const manifest = resolveManifest<never>(document.root, { file: path, leafAt: () => undefined });
    const lineAt = lineFinder(document);
    if (isInList(manifest)) throw sealedInList(path, document.line);
    if (!isJsonObject(manifest) || !isSealed(manifest)) return [];
    return [{ document, manifest, read: readSealed(manifest, { file: path, line: document.line, namespace, lineAt }) }];
  });
}

function isSealed(value: Json): boolean {
  return groupOf(stringAt(value, 'apiVersion') ?? '') === 'bitnami.com' && stringAt(value, 'kind') === 'SealedSecret';
}

function isInList(manifest: Json): boolean {
  const items = memberAt(manifest, 'items');
  return Array.isArray(items) && items.some((item: Json) => isSealed(item));
}

function replaced({ path, text }: ManifestFile, found: readonly Readable[], entries: readonly TokenEntry[]): string {
  const tokens = new Map(entries.map(({ ref, token }) => [ref.cipher, token]));
  const parts: string[] = [];
  let at = 0;
  for (const { document, sealed, manifest } of found) {
    const { tree, items, literals, composed } = sealedToSecret(sealed);
    const sealedData = [...items].map(([key, item]) => [key, Buffer.from(tokens.get(item) ?? '').toString('base64')]);
    const texts = [...composed].map(([key, ofEntry]) => {
      const rendered = ofEntry.map((part) => withTokens(part, tokens)).join('');
      return [key, Buffer.from(rendered, 'utf8').toString('base64')];
    });
    const data = {
      ...Object.fromEntries(literals),
      ...Object.fromEntries(sealedData),
      ...Object.fromEntries(texts),
    } as JsonObject;
    const secret = stringifyJson({ ...withNamespaceOf(manifest, tree), data });
    const marker = path.endsWith('.json') ? '' : '---\n';
    parts.push(text.slice(at, document.start), marker, ascii(secret), '\n');
    at = document.end;
  }
  return [...parts, text.slice(at)].join('');
}

/** An entry of template.data with tokens where values go: after the build it is found again as any other text. */
function withTokens(part: FilledPart, tokens: ReadonlyMap<unknown, string>): string {
  if (part.kind === 'text') return part.text;
  if (part.kind === 'base64') return Buffer.from(withTokens(part.of, tokens), 'utf8').toString('base64');
  const token = tokens.get(part.item);
  if (token !== undefined) return token;
  throw new SottoError({
    code: 'SOTTO-SEAL-009',
    what: 'a removed item is used by template.data',
    why: `template.data sets ${part.item.key} to null, and in a kustomization only entries of the Secret can be used`,
    next: 'leave the item in the Secret, or put the SealedSecret into a path without a kustomization',
    line: part.item.line,
    key: `spec.encryptedData.${part.item.key}`,
  });
}

/** Where none is named, none is written: kustomize finds references within one namespace. */
function withNamespaceOf(manifest: JsonObject, tree: JsonObject): JsonObject {
  if (stringAt(manifest, 'metadata', 'namespace') !== undefined) return tree;
  const metadata = isJsonObject(tree['metadata']) ? tree['metadata'] : {};
  const { namespace: _namespace, ...rest } = metadata;
  return { ...tree, metadata: rest };
}

/** JSON as YAML reads it too: YAML takes some characters for line breaks. Beyond the basic plane they stand as they are. */
function ascii(json: string): string {
  return json.replace(
    /[\u007f-\ud7ff\ue000-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function sealedInList(file: string, line: number): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-042',
    what: 'a SealedSecret in a list cannot be closed',
    why: 'for kustomize it is replaced by its Secret, document by document',
    next: 'make it a document of its own, parted by ---',
    file,
    line,
  });
}
