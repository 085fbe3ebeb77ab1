import { SecretRef } from '../../core/closed.ts';
import { sourceDigest } from '../../core/digest.ts';
import { asSottoError, SottoError } from '../../core/errors.ts';
import { groupOf, type SourceDigest } from '../../core/ids.ts';
import { stringAt } from '../../core/json.ts';
import { fileWord } from '../../core/shell-word.ts';
import type { Sensitive } from '../../core/sensitive.ts';
import type { FingerprintKey } from '../../keys/fingerprint.ts';
import type { Opener, SopsSource } from '../../open/opener.ts';
import { emitClosed } from '../../sops/close-tree.ts';
import { parseSopsFile, type SopsFile, SopsLeaf } from '../../sops/file.ts';
import type { WholeFormat } from '../../sops/scalar.ts';
import { SopsEnvLine, SopsWhole } from '../../sops/whole.ts';
import type { TokenEntry } from './table.ts';
import { makeToken, type Token } from './token.ts';

/** What an encrypted file is to the renderer: that decides how it is closed. */
export type RendererRole = 'document' | 'generator-file' | 'env-file';

export interface EncryptedFile {
  /** From the root of the repository. */
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly format: WholeFormat;
  readonly role: RendererRole;
}

/** The tokens of a file, remembered by its ciphertext: with them it is closed without a key. */
export interface TokenMemory {
  readonly digest: SourceDigest;
  /** Nothing stands for an empty value of an env file. */
  readonly tokens: readonly (Token | '')[];
  /** Names of the variables of an env file: those of a binary one are not readable. */
  readonly names: readonly string[];
}

/** A file as the renderer gets it. */
export interface ClosedFile {
  readonly bytes: Uint8Array;
  readonly entries: readonly TokenEntry[];
  readonly memory: TokenMemory;
}

export interface TokenContext {
  readonly key: FingerprintKey;
  readonly opener: Pick<Opener, 'open' | 'openVariables' | 'verifySops' | 'verifyWhole'>;
  recall(digest: SourceDigest): TokenMemory | undefined;
}

/** Closes an encrypted file. One that is remembered is not opened. Throws SottoError. */
export async function closeFile(file: EncryptedFile, context: TokenContext): Promise<ClosedFile> {
  try {
    switch (file.role) {
      case 'document':
        return await closeDocuments(file, context);
      case 'generator-file':
        return await closeWhole(file, context);
      case 'env-file':
        return await closeEnvFile(file, context);
      default:
        return file.role satisfies never;
    }
  } catch (thrown) {
    throw asSottoError(thrown).at({ file: file.path });
  }
}

/** A leaf of a document with the object it belongs to. */
interface PlacedLeaf {
  readonly leaf: SopsLeaf;
  readonly object: string;
}

async function closeDocuments(file: EncryptedFile, context: TokenContext): Promise<ClosedFile> {
  const { format, path } = file;
  if (format !== 'yaml' && format !== 'json') throw badDocument(path, format);
  const text = textOf(file);
  const sops = parseSopsFile(text, format, path);
  const source: SopsSource = { format: 'sops', file: path, metadata: sops.metadata };
  const leaves = sops.documents.flatMap(({ tree }) => {
    const object = objectOf(tree);
    return leavesOf(tree).map((leaf) => ({ leaf, object }));
  });
  for (const placed of leaves) refuseLeaf(placed, path);
  // A file may move: only what it says counts.
  const digest = sourceDigest('tokens', file.role, file.bytes);
  const memory = recalled(context, digest, leaves.length) ?? (await leafMemory(digest, leaves, source, sops, context));
  const entries = leaves.map(({ leaf }, index): TokenEntry => {
    const ref = new SecretRef(source, leaf, 'value', leaf.line);
    return {
      token: wholeToken(memory, index),
      ref,
      role: 'leaf',
      file: path,
      line: leaf.line,
      key: leaf.place.join('.'),
    };
  });
  const byText = new Map(entries.map(({ ref, token }) => [ref.cipher.text, token]));
  const bytes = emitClosed(text, format, path, (value) => byText.get(value.text) ?? '');
  return { bytes, entries, memory };
}

async function leafMemory(
  digest: SourceDigest,
  leaves: readonly PlacedLeaf[],
  source: SopsSource,
  sops: SopsFile,
  { opener, key }: TokenContext,
): Promise<TokenMemory> {
  await opener.verifySops(source, sops);
  const tokens: Token[] = [];
  for (const { leaf, object } of leaves) {
    using value = await opener.open(new SecretRef(source, leaf, 'value', leaf.line));
    tokens.push(makeToken(key, { role: 'leaf', object, path: leaf.place }, value));
  }
  return { digest, tokens, names: [] };
}

/** What is remembered of a file has a token for each of its secrets, or it is not of this file. */
function recalled(context: TokenContext, digest: SourceDigest, count: number): TokenMemory | undefined {
  const known = context.recall(digest);
  return known?.tokens.length === count ? known : undefined;
}

async function closeWhole(file: EncryptedFile, context: TokenContext): Promise<ClosedFile> {
  const { path } = file;
  const { whole, source } = wholeOf(file);
  const ref = new SecretRef(source, whole, 'value', 1);
  const digest = sourceDigest('tokens', file.role, path, file.bytes);
  let memory = recalled(context, digest, 1);
  if (memory === undefined) {
    await context.opener.verifyWhole(source, whole);
    using value = await context.opener.open(ref);
    memory = { digest, tokens: [makeToken(context.key, { role: 'file', file: path }, value)], names: [] };
  }
  const token = wholeToken(memory, 0);
  const entry: TokenEntry = { token, ref, role: 'file', file: path, line: 1, key: undefined };
  return { bytes: Buffer.from(token, 'latin1'), entries: [entry], memory };
}

async function closeEnvFile(file: EncryptedFile, context: TokenContext): Promise<ClosedFile> {
  const { path, format } = file;
  if (format !== 'dotenv' && format !== 'binary') throw badEnvFile(path, format);
  const { whole, source } = wholeOf(file);
  const digest = sourceDigest('tokens', file.role, path, file.bytes);
  const known = context.recall(digest);
  const memory =
    recalled(context, digest, known?.names.length ?? 0) ?? (await envMemory(digest, whole, source, context));
  const entries = memory.names.flatMap((key, index): TokenEntry[] => {
    const token = tokenAt(memory, index);
    if (token === '') return [];
    const ref = new SecretRef(source, new SopsEnvLine(whole, key, index), 'value', 1);
    return [{ token, ref, role: 'env-line', file: path, line: 1, key }];
  });
  const lines = memory.names.map((key, index) => `${key}=${tokenAt(memory, index)}\n`);
  return { bytes: Buffer.from(lines.join(''), 'latin1'), entries, memory };
}

async function envMemory(
  digest: SourceDigest,
  whole: SopsWhole,
  source: SopsSource,
  { opener, key }: TokenContext,
): Promise<TokenMemory> {
  await opener.verifyWhole(source, whole);
  const variables = await opener.openVariables(source, whole);
  try {
    return {
      digest,
      names: variables.map((variable) => variable.key),
      tokens: variables.map(({ key: name, value }) => envToken(key, whole.file, name, value)),
    };
  } finally {
    for (const { value } of variables) value.wipe();
  }
}

function envToken(key: FingerprintKey, file: string, name: string, value: Sensitive): Token | '' {
  return value.length === 0 ? '' : makeToken(key, { role: 'env-line', file, key: name }, value);
}

function tokenAt(memory: TokenMemory, index: number): Token | '' {
  const token = memory.tokens[index];
  if (token === undefined) throw new TypeError('the tokens that are remembered are not those of the file');
  return token;
}

function wholeToken(memory: TokenMemory, index: number): Token {
  const token = tokenAt(memory, index);
  if (token === '') throw new TypeError('the tokens that are remembered are not those of the file');
  return token;
}

function wholeOf(file: EncryptedFile): { readonly whole: SopsWhole; readonly source: SopsSource } {
  const whole = new SopsWhole(textOf(file), file.format, file.path);
  return { whole, source: { format: 'sops', file: file.path, metadata: whole.metadata } };
}

type Tree = SopsFile['documents'][number]['tree'];

function leavesOf(tree: Tree): SopsLeaf[] {
  if (tree instanceof SopsLeaf) return [tree];
  if (typeof tree !== 'object' || tree === null) return [];
  return Object.values(tree).flatMap((each) => leavesOf(each as Tree));
}

/** Group, kind, namespace and name as the document has them: a patch has them too. */
function objectOf(tree: Tree): string {
  const group = groupOf(stringAt(tree, 'apiVersion') ?? '');
  const name = ['namespace', 'name'].map((key) => stringAt(tree, 'metadata', key) ?? '');
  return [group, stringAt(tree, 'kind') ?? '', ...name].join('/');
}

const IDENTITY = new Set(['apiVersion', 'kind', 'metadata']);

function refuseLeaf({ leaf }: PlacedLeaf, file: string): void {
  const place = { file, line: leaf.line, key: leaf.place.join('.') };
  if (IDENTITY.has(leaf.place[0] ?? '')) {
    throw new SottoError({
      code: 'SOTTO-RENDER-005',
      what: `${place.key} is encrypted`,
      why: 'an object whose identity is encrypted cannot be planned, reported or pruned',
      next: "set encrypted_regex: '^(data|stringData)$' in .sops.yaml and encrypt the file again",
      ...place,
    });
  }
  if (leaf.type !== 'int' && leaf.type !== 'float' && leaf.type !== 'bool') return;
  throw new SottoError({
    code: 'SOTTO-RENDER-010',
    what: 'an encrypted value is not a string',
    why: `it was encrypted as ${leaf.type}, and values of a Secret are strings`,
    next: `sops edit ${fileWord(file)}   (put the value in quotes)`,
    ...place,
  });
}

function textOf({ bytes, path, format }: EncryptedFile): string {
  try {
    // sops keeps the byte order mark of a dotenv file, drops that of a YAML file, and one of an INI file.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: format === 'dotenv' || format === 'ini' }).decode(bytes);
  } catch {
    throw new SottoError({
      code: 'SOTTO-YAML-002',
      what: 'the file is not UTF-8 text',
      why: 'encrypted files are text',
      next: 'restore the file from Git history',
      file: path,
    });
  }
}

function badDocument(file: string, format: WholeFormat): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-042',
    what: 'an encrypted manifest cannot be closed',
    why: `it is encrypted as ${format}, so which objects are in it is not known to whoever has no key`,
    next: 'encrypt it as YAML, values only: sotto encrypt -i --input-type yaml',
    file,
  });
}

function badEnvFile(file: string, format: WholeFormat): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-042',
    what: 'an encrypted env file cannot be closed',
    why: `it is encrypted as ${format}, and envs takes lines of the form NAME=value`,
    next: 'encrypt it as dotenv (a name that ends in .env), or name it under files of the generator',
    file,
  });
}
