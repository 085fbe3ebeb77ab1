import { closeSync, existsSync, fsyncSync, openSync, realpathSync, renameSync, writeSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { SottoError } from '../../core/errors.ts';
import type { AgeIdentity } from '../../sops/age.ts';
import { makeIdentity } from '../../sops/make-identity.ts';
import { encryptForRecipients } from '../../sops/recipients.ts';
import type { Surroundings } from '../context.ts';
import { reasonOf } from '../files.ts';
import { readKeyFiles } from '../key-files.ts';

/** Where the new identity is, or will be. */
export interface NewKeyFile {
  readonly path: string;
  /** As the person called it. */
  readonly name: string;
  /** Undefined: the file does not exist yet. */
  readonly identity: AgeIdentity | undefined;
}

/** The file that `--new-key` names. Throws SOTTO-ROTATE-005. */
export async function findNewKey(around: Surroundings, name: string, root: string): Promise<NewKeyFile> {
  const path = resolve(around.cwd, name);
  if (isBelow(path, root)) throw unusable(name, 'it is in the working tree, where a commit could take it along');
  if (!existsSync(path)) return { path, name, identity: undefined };
  const { identities } = await readKeyFiles(around, [name]);
  const [identity, another] = identities;
  if (identity?.kind !== 'age' || another !== undefined)
    throw unusable(name, 'it holds something else than one age identity');
  return { path, name, identity };
}

function isBelow(path: string, root: string): boolean {
  let folder: string;
  try {
    folder = join(realpathSync(dirname(path)), basename(path));
  } catch {
    return false;
  }
  const below = relative(realpathSync(root), folder);
  return below !== '..' && !below.startsWith(`..${sep}`);
}

/**
 * Makes the new identity: first its copy for whoever holds the recovery identity, then the file, which nobody else may
 * read. Throws SOTTO-ROTATE-005, and leaves no key that nobody can get back.
 */
export async function makeNewKey(
  { path, name }: NewKeyFile,
  recovery: readonly string[],
  now: Date,
): Promise<AgeIdentity> {
  const { identity, keyFile } = makeIdentity(now);
  using content = keyFile;
  try {
    if (recovery.length > 0) {
      const copy = await encryptForRecipients(content.reveal(), recovery);
      writeDurably(recoveryPath(path), Buffer.from(copy), 0o644);
    }
    writeDurably(path, content.reveal(), 0o600);
  } catch (cause) {
    throw cause instanceof SottoError ? cause : unusable(name, reasonOf(cause));
  }
  return identity;
}

export function recoveryPath(path: string): string {
  return `${path}.recovery.age`;
}

/** Whole or not at all: what a kill leaves beside it is written over by the next run. */
function writeDurably(path: string, bytes: Uint8Array, mode: number): void {
  const beside = `${path}.tmp`;
  const fd = openSync(beside, 'w', mode);
  try {
    let written = 0;
    while (written < bytes.length) written += writeSync(fd, bytes, written);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(beside, path);
}

function unusable(file: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-005',
    what: 'the file for the new key cannot be used',
    why,
    next: 'name a file that does not exist yet, outside of the checkout, or one with the new identity alone: --new-key /dev/shm/new.txt',
    file,
  });
}
