import { lstat, readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { type SealedFile, sealedFormat } from '../authoring/sealed-file.ts';
import { SottoError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { type Checkout, openCheckout, runInCheckout } from '../git/checkout.ts';
import type { Surroundings } from './context.ts';
import { readFileBytes } from './files.ts';

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
    const format = sealedFormat(name, text ?? Buffer.from(bytes.buffer).toString('latin1'));
    // Passed over, it would stay for whoever was removed.
    if (text === undefined && format !== undefined) throw notText(name);
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

function notText(file: string): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-030',
    what: 'nothing was changed or found, because an encrypted file is passed over otherwise',
    why: 'it is no UTF-8 text',
    next: 'open it with sops, and encrypt it anew as text in UTF-8; then the same command again',
    file,
  });
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
