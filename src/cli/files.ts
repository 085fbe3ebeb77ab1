import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { SottoError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { ownedBytes } from '../core/sensitive.ts';
import type { Surroundings } from './context.ts';

/** A file, or stdin (`-`) under the name that `--filename` gives it. */
export interface InputFile {
  /** Absolute; for stdin made of `--filename`, so that creation rules can be found. */
  readonly path: string;
  /** As the person called it, for messages. */
  readonly name: string;
  readonly isStdin: boolean;
  /** An own allocation: whoever holds plaintext in it may wipe it. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export async function readInput(around: Surroundings, name: string, filename?: string): Promise<InputFile> {
  if (name !== '-') {
    const path = resolve(around.cwd, name);
    return { path, name, isStdin: false, bytes: await readFileBytes(path, name) };
  }
  const shown = filename ?? 'stdin';
  return { path: resolve(around.cwd, shown), name: shown, isStdin: true, bytes: await readStdin(around) };
}

/** The content as text. Throws SOTTO-CLI-005 for what is no UTF-8. */
export function textOf(input: InputFile): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(input.bytes);
  } catch {
    throw unreadable(input.name, 'it is not UTF-8 text');
  }
}

/** The whole of a file or pipe in an own allocation. Throws SOTTO-CLI-005. */
export async function readFileBytes(path: string, name: string): Promise<Uint8Array<ArrayBuffer>> {
  // Pipes and files of /proc do not know their size; the space is only touched as far as it is used.
  const space = ownedBytes(LIMITS.maxLocalFileBytes + 1);
  let length = 0;
  try {
    await using file = await open(path, 'r');
    for (;;) {
      const { bytesRead } = await file.read(space, length, space.length - length);
      length += bytesRead;
      if (bytesRead === 0 || length === space.length) break;
    }
  } catch (cause) {
    throw unreadable(name, reasonOf(cause));
  }
  return takeOver(space, length, name);
}

/** Everything from stdin in an own allocation; ends with the interruption. */
export async function readStdin(around: Pick<Surroundings, 'stdin' | 'signal'>): Promise<Uint8Array<ArrayBuffer>> {
  const space = ownedBytes(LIMITS.maxLocalFileBytes + 1);
  let length = 0;
  const stop = (): void => void around.stdin.destroy(new Error('interrupted'));
  around.signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const chunk of around.stdin as AsyncIterable<Uint8Array | string>) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      const room = bytes.subarray(0, space.length - length);
      space.set(room, length);
      length += room.length;
      bytes.fill(0);
      if (length === space.length) break;
    }
  } catch (cause) {
    throw unreadable('stdin', reasonOf(cause));
  } finally {
    around.signal.removeEventListener('abort', stop);
  }
  return takeOver(space, length, 'stdin');
}

/** A copy of the right size; the space is wiped. */
function takeOver(space: Uint8Array<ArrayBuffer>, length: number, name: string): Uint8Array<ArrayBuffer> {
  try {
    if (length > LIMITS.maxLocalFileBytes) throw tooLarge(name);
    const bytes = ownedBytes(length);
    bytes.set(space.subarray(0, length));
    return bytes;
  } finally {
    space.fill(0, 0, length);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'the permissions of the file do not allow it',
  EPERM: 'the permissions of the file do not allow it',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of the path is not a folder',
  ELOOP: 'its symbolic links lead in a circle',
  ENOSPC: 'there is no space left on the device',
  EFBIG: 'the limit for the size of files is reached',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
};

/** Why the system refused, without the path (the place names it). */
export function reasonOf(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
  if (code === undefined) return 'reading or writing failed';
  return REASONS[code] ?? `the system says ${code}`;
}

function unreadable(name: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-005',
    what: 'the file was not read',
    file: name,
    why,
    next: 'check the path and its permissions',
  });
}

function tooLarge(name: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-005',
    what: 'the file was not read',
    file: name,
    why: `it is larger than ${LIMITS.maxLocalFileBytes} bytes`,
    next: 'divide it into several files',
  });
}
