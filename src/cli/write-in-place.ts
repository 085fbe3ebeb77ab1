import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  linkSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { SottoError } from '../core/errors.ts';
import { reasonOf } from './files.ts';

/**
 * Replaces the content of an existing file: whole or not at all, also through a crash. Written beside it with its
 * mode, synced, and renamed over it; a symbolic link stays one. All in one turn of the event loop, so that no
 * interruption but SIGKILL can leave the temporary file behind; who comes back after that gives it a name of its own,
 * and what is left of it is written over. Whoever writes many files so syncs their folders once, in the end. Throws SOTTO-CLI-006 and leaves nothing.
 */
export function writeInPlace(path: string, name: string, bytes: Uint8Array, temporaryName?: string): void {
  let temporary: string | undefined;
  try {
    const target = realpathSync(path);
    const before = statSync(target);
    if (!before.isFile()) throw notAFile(name);
    // Not made of the file's own name, which may be as long as names can be.
    const beside = join(dirname(target), temporaryName ?? `.sotto-${randomBytes(8).toString('hex')}.tmp`);
    if (temporaryName !== undefined) rmSync(beside, { force: true });
    const fd = openSync(beside, 'wx', 0o600);
    temporary = beside;
    try {
      writeAll(fd, bytes);
      keepOwner(fd, before.uid, before.gid);
      fchmodSync(fd, before.mode & 0o7777);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(beside, target);
    temporary = undefined;
    if (temporaryName === undefined) syncFolder(dirname(target));
  } catch (cause) {
    throw cause instanceof SottoError ? cause : notWritten(name, reasonOf(cause), cause);
  } finally {
    if (temporary !== undefined) unlinkSync(temporary);
  }
}

/** Makes a file that is not there: whole or not at all, and never over one that was made meanwhile. Throws SottoError. */
export function writeNewFile(path: string, name: string, bytes: Uint8Array): void {
  const beside = join(dirname(path), `.sotto-${randomBytes(8).toString('hex')}.tmp`);
  let isBeside = false;
  try {
    // The mode of any new file: what is in it is ciphertext.
    const fd = openSync(beside, 'wx', 0o666);
    isBeside = true;
    try {
      writeAll(fd, bytes);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    linkSync(beside, path);
    syncFolder(dirname(path));
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') throw madeMeanwhile(name);
    throw notWritten(name, reasonOf(cause), cause);
  } finally {
    if (isBeside) unlinkSync(beside);
  }
}

export function refuseStdinInPlace(file: string, flags: { readonly inPlace?: true }): void {
  if (file !== '-' || flags.inPlace !== true) return;
  throw new SottoError({
    code: 'SOTTO-CLI-001',
    what: '-i needs a file',
    why: 'stdin cannot be replaced',
    next: 'leave -i out, or name the file instead of -',
  });
}

function writeAll(fd: number, bytes: Uint8Array): void {
  let written = 0;
  while (written < bytes.length) written += writeSync(fd, bytes, written);
}

function madeMeanwhile(name: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-095',
    what: 'the file was made meanwhile, and was not written',
    why: 'it did not exist when this command began, and now there is something under its name',
    next: 'run the command again',
    file: name,
  });
}

function notAFile(name: string): SottoError {
  return notWritten(name, 'it is not a regular file', undefined);
}

function notWritten(name: string, why: string, cause: unknown): SottoError {
  return new SottoError(
    {
      code: 'SOTTO-CLI-006',
      what: 'the file was not written and is as it was',
      file: name,
      why,
      next: 'check the permissions of the file and its folder, and the space left',
    },
    { cause },
  );
}

/** Only root may give a file away; for everybody else the file is theirs anyway. */
function keepOwner(fd: number, uid: number, gid: number): void {
  try {
    fchownSync(fd, uid, gid);
  } catch {
    // The content counts; a group the writer is not in cannot be kept.
  }
}

/** Makes the rename itself durable. Some file systems cannot open folders; the content is safe there too. */
export function syncFolder(path: string): void {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return;
  }
  try {
    fsyncSync(fd);
  } catch {
    // Not supported here.
  } finally {
    closeSync(fd);
  }
}
