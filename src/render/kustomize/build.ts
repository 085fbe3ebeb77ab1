import type { ClosedObject } from '../../core/closed.ts';
import { asSottoError, SottoError } from '../../core/errors.ts';
import { sourceDigest } from '../../core/digest.ts';
import { displayObject, groupOf, type SourceDigest } from '../../core/ids.ts';
import { stringAt } from '../../core/json.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { FingerprintKey } from '../../keys/fingerprint.ts';
import type { ClosedDocument } from '../../open/document.ts';
import { readManifests } from '../../yaml/manifest.ts';
import type { PlaintextRule } from '../secret.ts';
import { closeFile, type EncryptedFile, type TokenContext, type TokenMemory } from '../tokens/content.ts';
import { closeRendered, type RefusedRendered, type TextAllowed } from '../tokens/rendered.ts';
import { closeSealed } from '../tokens/sealed.ts';
import { type TokenEntry, TokenTable } from '../tokens/table.ts';
import type { Find } from './file-tree.ts';
import { findOrigin } from './origins.ts';
import { KUSTOMIZE_VERSION, type Renderer } from './renderer.ts';
import type { PlaintextSource, ReachableFile, ScanResult } from './scan-result.ts';
import { buildTree } from './tree.ts';

export interface BuildContext {
  readonly key: FingerprintKey;
  readonly opener: TokenContext['opener'];
  /** Of SealedSecrets that name none. */
  readonly namespace: string;
  readonly renderer: Renderer;
  readonly plaintextSecrets: PlaintextRule;
  /** Objects other than Secrets that may hold secrets. */
  readonly allowed: TextAllowed;
  /** Tokens that were made before, by ciphertext. */
  recall(digest: SourceDigest): TokenMemory | undefined;
}

/** Names in a build depend on each other (hashes, prefixes), so it is made whole or not at all. */
export type Built =
  | {
      readonly ok: true;
      readonly documents: readonly ClosedDocument[];
      /** Objects in which a secret came out where it may not be. */
      readonly refusals: readonly Refusal[];
      readonly warnings: readonly SottoError[];
      readonly memories: readonly TokenMemory[];
      /** Secrets that are in no object. */
      readonly unused: readonly TokenEntry[];
    }
  /** At least one. */
  | { readonly ok: false; readonly errors: readonly SottoError[] };

/** Everything that a build depends on, before anything is opened: equal digests are equal builds. */
export function buildDigest(scanned: ScanResult, find: Find, namespace: string): SourceDigest {
  const files = scanned.files.map(({ path }) => `${path}\n${contentId(path, find)}`);
  return sourceDigest('build', KUSTOMIZE_VERSION, namespace, scanned.root, ...files);
}

/** Closes what is secret, has the rest rendered, and closes what was rendered. No value is in the renderer's files. */
export async function build(scanned: ScanResult, find: Find, context: BuildContext): Promise<Built> {
  const plain = scanned.plaintext.map(plaintextSource);
  if (context.plaintextSecrets === 'refuse' && plain.length > 0) return { ok: false, errors: plain };
  const closed = await closeFiles(scanned.files, find, context);
  if (closed.errors.length > 0) return { ok: false, errors: closed.errors };
  const files = buildTree(scanned, find, closed.contents);
  const rendered = await context.renderer.build(files, scanned.root);
  if (!rendered.ok) return { ok: false, errors: [rendered.error] };
  const kustomization = scanned.files.find(({ role, path }) => role === 'kustomization' && isIn(path, scanned.root));
  const origin = (tree: ClosedObject) =>
    findOrigin(identityOf(tree), scanned.origins, kustomization?.path ?? scanned.root);
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(rendered.bytes);
    const objects = readManifests(text, 'the rendered objects').map(({ value }) => value);
    const { objects: again, refused, unused } = closeRendered(objects, new TokenTable(closed.entries), context.allowed);
    return {
      ok: true,
      documents: again.map((object) => ({
        ...origin(object.tree),
        tree: object.tree,
        encryption: object.hasSecrets ? 'sops' : 'none',
        digest: object.digest,
        lineAt: () => undefined,
      })),
      refusals: refused.map((each) => refusalOf(each, origin(each.tree), context.namespace)),
      warnings: context.plaintextSecrets === 'warn' ? plain : [],
      memories: closed.memories,
      unused,
    };
  } catch (thrown) {
    return { ok: false, errors: [asSottoError(thrown).at({ file: kustomization?.path ?? scanned.root })] };
  }
}

interface ClosedFiles {
  readonly contents: Map<string, Uint8Array>;
  readonly entries: TokenEntry[];
  readonly memories: TokenMemory[];
  readonly errors: SottoError[];
}

async function closeFiles(files: readonly ReachableFile[], find: Find, context: BuildContext): Promise<ClosedFiles> {
  const closed: ClosedFiles = { contents: new Map(), entries: [], memories: [], errors: [] };
  for (const file of files) {
    try {
      const one = await closeOne(file, bytesAt(file.path, find), context);
      if (one === undefined) continue;
      closed.contents.set(file.path, one.bytes);
      closed.memories.push(one.memory);
      // One by one: a file may have a hundred thousand values.
      for (const entry of one.entries) closed.entries.push(entry);
    } catch (thrown) {
      closed.errors.push(asSottoError(thrown).at({ file: file.path }));
    }
  }
  return closed;
}

function closeOne({ path, role, encryption }: ReachableFile, bytes: Uint8Array, context: BuildContext) {
  if (encryption === 'none') {
    if (role !== 'document') return undefined;
    return closeSealed({ path, text: Buffer.from(bytes).toString('utf8') }, context);
  }
  // The scan refuses configurations that are encrypted.
  if (role === 'kustomization' || role === 'plugin' || role === 'config') return undefined;
  const file: EncryptedFile = { path, bytes, role, format: encryption };
  return closeFile(file, context);
}

function bytesAt(path: string, find: Find): Uint8Array {
  const found = find(path);
  if (found.kind === 'file') return found.file.bytes;
  throw new TypeError(`${path} was scanned in another tree`);
}

function contentId(path: string, find: Find): string {
  const found = find(path);
  if (found.kind !== 'file') return found.kind;
  return found.file.blob ?? sourceDigest('content', found.file.bytes);
}

function isIn(path: string, folder: string): boolean {
  return path.slice(0, Math.max(0, path.lastIndexOf('/'))) === folder;
}

function identityOf(tree: ClosedObject) {
  const name = stringAt(tree, 'metadata', 'name') ?? '';
  return { group: groupOf(stringAt(tree, 'apiVersion') ?? ''), kind: stringAt(tree, 'kind') ?? '', name };
}

function refusalOf(
  { tree, error }: RefusedRendered,
  { file, line }: { readonly file: string; readonly line: number },
  namespace: string,
): Refusal {
  const { group, kind, name } = identityOf(tree);
  const id = { group, kind, name, namespace: stringAt(tree, 'metadata', 'namespace') ?? namespace };
  // The place of the secret is known better than that of the object.
  const placed = error.place.file === undefined ? error.at({ file, line }) : error;
  return { error: placed.at({ object: displayObject(id) }), file, id };
}

const PLAIN_NAMES = {
  literal: 'a literal of a secretGenerator',
  file: 'a file of a secretGenerator',
  'env-file': 'an env file of a secretGenerator',
  manifest: 'a value of a Secret',
} as const;

function plaintextSource({ file, line, key, what }: PlaintextSource): SottoError {
  const isHere = what === 'literal' || what === 'manifest';
  return new SottoError({
    code: 'SOTTO-PLAN-004',
    what: `${PLAIN_NAMES[what]} stands in Git in plain text`,
    why: 'everybody who can read the repository, its mirrors and its history can read the values',
    next:
      isHere && what === 'literal'
        ? 'put it into a .env file, encrypt that with sotto encrypt -i, and name it under envs (and change the value: the history keeps it)'
        : `encrypt the file${what === 'manifest' ? '' : ' it names'}: sotto encrypt -i   (and change the values: the history keeps the old ones)`,
    file,
    line,
    key,
  });
}
