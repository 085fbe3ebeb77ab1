import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { LIMITS } from '../../src/core/limits.ts';
import { sotto } from './session.ts';

it('a file that is larger than the limit is refused before anything of it is parsed', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'sotto-large-'));
  try {
    writeFileSync(join(cwd, 'large.yaml'), 'sops:\n');
    truncateSync(join(cwd, 'large.yaml'), LIMITS.maxLocalFileBytes + 1);
    for (const command of ['decrypt', 'edit', 'encrypt']) {
      const { exit, stdout, stderr } = await sotto([command, 'large.yaml'], { cwd });
      expect([exit, stdout]).toEqual([2, '']);
      expect(stderr).toContain('SOTTO-CLI-005');
      expect(stderr).toContain(`it is larger than ${LIMITS.maxLocalFileBytes} bytes`);
    }
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
});
