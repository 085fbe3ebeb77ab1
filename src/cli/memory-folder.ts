import { mkdtempSync, statfsSync } from 'node:fs';
import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SottoError } from '../core/errors.ts';
import type { Surroundings } from './context.ts';

/** Kinds of file systems that live in memory: tmpfs and ramfs. */
const IN_MEMORY = new Set([0x01021994, 0x858458f6]);

/** A new folder for clear text that is on no disk, readable by its owner only. Throws SOTTO-CLI-092 where there is none. */
export function makeMemoryFolder({ env }: Pick<Surroundings, 'env'>, sharedMemory = '/dev/shm'): string {
  for (const parent of [env['XDG_RUNTIME_DIR'] ?? '', sharedMemory]) {
    if (parent === '' || !isInMemory(parent)) continue;
    try {
      return mkdtempSync(join(parent, 'sotto-edit-'));
    } catch {
      // Not ours to write; the next one may be.
    }
  }
  throw new SottoError({
    code: 'SOTTO-CLI-092',
    what: 'there is no place for the clear text that is not on a disk',
    why: 'neither XDG_RUNTIME_DIR nor /dev/shm is a folder in memory in which you may write',
    next: 'change single values instead: sotto secret set FILE PATH',
  });
}

function isInMemory(folder: string): boolean {
  try {
    return IN_MEMORY.has(statfsSync(folder).type);
  } catch {
    return false;
  }
}

/** Overwrites what is in the folder, swap files of an editor included, and removes it. */
export async function removeMemoryFolder(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => [])) {
    if (!entry.isFile()) continue;
    try {
      await using file = await open(join(entry.parentPath, entry.name), 'r+');
      const { size } = await file.stat();
      await file.write(Buffer.alloc(size), 0, size, 0);
    } catch {
      // Removed all the same.
    }
  }
  await rm(folder, { recursive: true, force: true });
}
