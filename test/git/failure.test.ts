import { describe, expect, it } from 'vitest';
import { SottoError } from '../../src/core/errors.ts';
import { parseBranch, parseGitUrl } from '../../src/git/address.ts';
import { type FailureContext, noBranch, onVolume, outputOf } from '../../src/git/failure.ts';

const context: FailureContext = {
  url: parseGitUrl('https://git.example.com/team/certificate-404.git'),
  branch: parseBranch('main'),
  timeoutMs: 20_000,
  hasCredential: true,
};

function errorOf(complaint: string, given: Partial<FailureContext> = {}): SottoError {
  try {
    outputOf({ kind: 'failed', complaint }, { ...context, ...given });
  } catch (thrown) {
    if (thrown instanceof SottoError) return thrown;
  }
  throw new Error('no coded error');
}

const URL_IN_QUOTES = `'${context.url}/'`;

describe('a failure of git', () => {
  it.each([
    [`fatal: could not read Username for 'https://git.example.com': terminal prompts disabled`, 'SOTTO-GIT-007'],
    [`fatal: Authentication failed for ${URL_IN_QUOTES}`, 'SOTTO-GIT-007'],
    [`fatal: unable to access ${URL_IN_QUOTES}: The requested URL returned error: 403`, 'SOTTO-GIT-008'],
    [`fatal: repository ${URL_IN_QUOTES} not found`, 'SOTTO-GIT-009'],
    [`fatal: unable to access ${URL_IN_QUOTES}: The requested URL returned error: 301`, 'SOTTO-GIT-011'],
    [`fatal: unable to access ${URL_IN_QUOTES}: The requested URL returned error: 503`, 'SOTTO-GIT-013'],
    [
      `fatal: unable to access ${URL_IN_QUOTES}: server certificate verification failed. CAfile: none CRLfile: none`,
      'SOTTO-GIT-010',
    ],
    [`fatal: unable to access ${URL_IN_QUOTES}: SSL certificate problem: self-signed certificate`, 'SOTTO-GIT-010'],
    [`fatal: unable to access ${URL_IN_QUOTES}: Could not resolve host: git.example.com`, 'SOTTO-GIT-001'],
    [`fatal: unable to access ${URL_IN_QUOTES}: Failed to connect to x port 443: Connection refused`, 'SOTTO-GIT-001'],
    [`fatal: unable to access ${URL_IN_QUOTES}: Operation too slow. Less than 1 bytes/sec`, 'SOTTO-GIT-012'],
    [`fatal: ${context.url}/info/refs not valid: is this a git repository?`, 'SOTTO-GIT-014'],
    [`fatal: dumb http transport does not support shallow capabilities`, 'SOTTO-GIT-014'],
    [`fetch-pack: unexpected disconnect while reading sideband packet\nfatal: early EOF`, 'SOTTO-GIT-014'],
    [`fatal: remote error: upload-pack: not our ref ${'a'.repeat(40)}`, 'SOTTO-GIT-032'],
    [
      `error: object ${'a'.repeat(40)}: hasDotgit: contains '.git'\nfatal: fsck error in packed object`,
      'SOTTO-GIT-026',
    ],
    [`fatal: write error: No space left on device`, 'SOTTO-GIT-029'],
    [`fatal: something new`, 'SOTTO-GIT-034'],
    [``, 'SOTTO-GIT-034'],
  ])('%j has its own code', (complaint, code) => {
    expect(errorOf(complaint).code).toBe(code);
  });

  it('tells a missing credential from a rejected one', () => {
    const complaint = "fatal: could not read Username for 'https://git.example.com': terminal prompts disabled";
    expect(errorOf(complaint, { hasCredential: false }).code).toBe('SOTTO-GIT-006');
  });

  it('never repeats what the server wrote, which may be the credential it was sent', () => {
    const error = errorOf(
      'remote: Basic aHVudGVyMg==\nfatal: remote error: Basic aHVudGVyMg== \u001b[2J not found here',
    );
    const shown = [error.text(), String(error.cause), JSON.stringify(error)].join();
    expect(shown).not.toContain('aHVudGVyMg');
    expect(shown).not.toContain('\u001b');
  });

  it('does not take a message of the server for one of git', () => {
    expect(errorOf('remote: Connection refused\nfatal: something new').code).toBe('SOTTO-GIT-034');
  });
});

describe('a branch that is not there', () => {
  it('is told from an empty repository', () => {
    expect(noBranch([], context).code).toBe('SOTTO-GIT-016');
    expect(noBranch(['trunk'], context).code).toBe('SOTTO-GIT-015');
  });

  it('has the names of others beside it, but only harmless ones', () => {
    expect(noBranch(['trunk', '\u001b[2Jx', 'a;b'], context).why).toBe('its branches are trunk');
  });
});

describe('work on the volume', () => {
  it('fails with a code when the volume is full, and passes a defect on', async () => {
    const full = Object.assign(new Error('x'), { code: 'ENOSPC' });
    await expect(onVolume('/work', () => Promise.reject(full))).rejects.toThrow(
      expect.objectContaining({ code: 'SOTTO-GIT-029', why: 'the volume is full' }),
    );
    await expect(onVolume('/work', () => Promise.reject(new TypeError('defect')))).rejects.toThrow(TypeError);
  });
});
