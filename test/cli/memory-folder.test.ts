import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeMemoryFolder, removeMemoryFolder } from '../../src/cli/memory-folder.ts';

describe('the folder for clear text', () => {
  it.runIf(existsSync('/dev/shm'))('is in memory, for its owner only, and gone afterwards', async () => {
    // A folder that is there, but not in memory, is passed over.
    const folder = makeMemoryFolder({ env: { XDG_RUNTIME_DIR: '/proc' } });
    expect(folder).toMatch(/^\/dev\/shm\/sotto-edit-/);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    writeFileSync(join(folder, 'a'), 'clear');
    await removeMemoryFolder(folder);
    expect(existsSync(folder)).toBe(false);
  });

  it.each([
    ['not in memory', { XDG_RUNTIME_DIR: '/proc' }, '/proc/self'],
    ['not there', { XDG_RUNTIME_DIR: '/nonexistent' }, '/nonexistent/shm'],
    ['not named', {}, ''],
  ])('is refused where every place for it is %s', (_, env, sharedMemory) => {
    expect(() => makeMemoryFolder({ env }, sharedMemory)).toThrow(expect.objectContaining({ code: 'SOTTO-CLI-092' }));
  });
});
