import { lstat, readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { SottoError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { type Checkout, openCheckout, runInCheckout } from '../git/checkout.ts';
import { looksEncrypted } from '../sops/file.ts';
import { metadataOf } from '../sops/rekey.ts';
import type { WholeFormat } from '../sops/scalar.ts';
import type { Surroundings } from './context.ts';
import { fileFormat } from './file-format.ts';
import { readFileBytes } from './files.ts';

/** A SOPS file of a folder, as it was read. */
export interface SealedFile {
  /** Absolute. */
  readonly path: string;
  /** From the folder on, with slashes. */
  readonly below: string;
  /** As messages call it: from the working directory on. */
  readonly name: string;
  readonly format: WholeFormat;
  readonly text: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The files below a folder, sorted: what Git has or would take, else everything on the disk. Links are not followed. */
export async function filesBelow(around: Surroundings, folder: string): Promise<string[]> {
  const checkout = await checkoutAt(around, folder);
  if (checkout === undefined) return (await walk(folder)).toSorted();
  const args = ['-C', folder, 'ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const list = await runInCheckout(checkout, { args });
  if (!list.ok) return (await walk(folder)).toSorted();
  const paths = list.output.toString('utf8').split('\0');
  return [...new Set(paths.filter((path) => path !== ''))].toSorted();
}

/** Undefined outside of a repository with a working tree, or without git. */
async function checkoutAt({ env, signal }: Surroundings, folder: string): Promise<Checkout | undefined> {
  try {
    return await openCheckout(folder, env, signal);
  } catch (thrown) {
    if (thrown instanceof SottoError) return undefined;
    throw thrown;
  }
}

async function walk(root: string): Promise<string[]> {
  const found: string[] = [];
  const waiting = [''];
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isFile()) found.push(path);
      if (entry.isDirectory() && entry.name !== '.git') waiting.push(path);
      if (found.length > LIMITS.maxTreeEntries) throw tooMany(root);
    }
  }
  return found;
}

/** The SOPS files among them. One that cannot be read is left out: nothing says that it is one. */
export async function sealedFiles(
  around: Surroundings,
  folder: string,
  paths: readonly string[],
): Promise<SealedFile[]> {
  const files: SealedFile[] = [];
  for (const below of paths) {
    const path = join(folder, below);
    const info = await lstat(path).catch(() => undefined);
    if (info === undefined || !info.isFile() || info.size > LIMITS.maxLocalFileBytes) continue;
    const name = relative(around.cwd, path);
    // Ciphertext, so not read as carefully as a key; where it fails, the careful way says why.
    const bytes = await readFile(path).then(
      (content) => new Uint8Array(content),
      () => readFileBytes(path, name),
    );
    if (!Buffer.from(bytes.buffer).includes('sops')) continue;
    const text = utf8(bytes);
    const format = text === undefined ? undefined : sealedFormat(name, text);
    if (text !== undefined && format !== undefined) files.push({ path, below, name, format, text, bytes });
  }
  return files;
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** The format in which a file is encrypted; undefined for one that is not. A name that tells nothing leaves it to the content. */
export function sealedFormat(name: string, text: string): WholeFormat | undefined {
  const format = fileFormat(name, {});
  if (format !== 'binary') return SIGNS[format](text) ? format : undefined;
  const likely = (['binary', 'json', 'yaml', 'dotenv', 'ini'] as const).filter((each) => SIGNS[each](text));
  return likely.find((each) => isReadable(text, each, name));
}

const SIGNS: Readonly<Record<WholeFormat, (text: string) => boolean>> = {
  yaml: looksEncrypted,
  json: looksEncrypted,
  binary: (text) => text.trimStart().startsWith('{') && /"sops"\s*:/.test(text),
  dotenv: (text) => /^sops_(?:mac|version)=/m.test(text),
  ini: (text) => /^[ \t]*\[sops\]/m.test(text),
};

/** A text that only speaks of sops is no SOPS file. */
function isReadable(text: string, format: WholeFormat, file: string): boolean {
  try {
    metadataOf({ text, format, file });
    return true;
  } catch (thrown) {
    if (thrown instanceof SottoError) return false;
    throw thrown;
  }
}

function tooMany(folder: string): SottoError {
  return new SottoError({
    code: 'SOTTO-GIT-022',
    what: 'the folder is not read',
    why: `it has more than ${LIMITS.maxTreeEntries} files, which is the cap`,
    next: 'run the command in a Git repository, or name a narrower folder',
    file: folder,
  });
}
