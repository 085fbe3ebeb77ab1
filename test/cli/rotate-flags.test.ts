import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { sotto } from './session.ts';

const PRIVATE = `AGE-SECRET-KEY-1${'Q'.repeat(58)}`;

const REFUSED: Readonly<Record<string, readonly string[]>> = {
  '--timeout stands with --fingerprint': ['--fingerprint', '--timeout', '5m'],
  '--keep-old stands with --fingerprint': ['--fingerprint', '--keep-old', '9d'],
  '--keep-old stands with --resume': ['--resume', '--keep-old', '9d'],
  '--keep-old stands with keys in files': ['--new-key', 'new.txt', '--keep-old', '9d'],
  '--timeout stands with keys in files': ['--new-key', 'new.txt', '--push', '--timeout', '5m'],
  '--timeout stands without a push': ['--new-secret', '--timeout', '5m'],
  '--timeout stands with a branch that the agent does not follow': [
    '--new-sealing',
    '--push',
    '--branch',
    'keys',
    '--timeout',
    '5m',
  ],
};

describe('sotto rotate', () => {
  it.each(Object.entries(REFUSED))('refuses what would do nothing: %s', async (_, flags) => {
    const { exit, stderr } = await sotto(['rotate', ...flags, '--yes'], { cwd: tmpdir() });
    expect({ exit, stderr }).toMatchObject({ exit: 2, stderr: expect.stringContaining('SOTTO-CLI-001') as string });
    expect(stderr).toMatch(/--fingerprint stands alone|--resume stands alone|--keep-old is for|--timeout is for/);
  });

  it.each([
    ['rotate', '--old', PRIVATE, '--new-key', 'new.txt'],
    ['rotate', '--old', PRIVATE, '--in-cluster'],
    ['rotate', 'expose', PRIVATE, '--reason', 'lost'],
  ])('takes no private key for the name of one, sends it nowhere and does not print it: %s %s', async (...argv) => {
    const { exit, stdout, stderr } = await sotto(argv, { cwd: tmpdir() });
    expect({ exit, stderr }).toMatchObject({ exit: 2, stderr: expect.stringContaining('SOTTO-CLI-001') as string });
    expect(stderr).toContain('private key');
    expect(stdout + stderr).not.toContain(PRIVATE.slice(0, 24));
  });
});
