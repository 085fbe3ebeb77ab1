import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findAgeIdentities } from '../../src/cli/age-identities.ts';

describe('the SSH keys of a person', () => {
  let home: string;
  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'sotto-ssh-'));
    mkdirSync(join(home, '.ssh'));
    for (const [file, secret] of [
      ['.ssh/id_ed25519', ''],
      ['.ssh/id_rsa', 'hunter22'],
      ['named', ''],
    ] as const) {
      const type = file.endsWith('rsa') ? 'rsa' : 'ed25519';
      await promisify(execFile)('ssh-keygen', ['-q', '-t', type, '-N', secret, '-f', join(home, file)]);
    }
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  const find = (env: Record<string, string>, keyFiles: readonly string[] = []) =>
    findAgeIdentities(
      {
        env,
        cwd: home,
        stdin: new PassThrough(),
        stdout: new PassThrough(),
        stderr: new PassThrough(),
        isTerminal: { stdin: false, stdout: false, stderr: false },
        columns: undefined,
        signal: new AbortController().signal,
      },
      keyFiles,
    );
  const recipientOf = (file: string): string =>
    readFileSync(join(home, `${file}.pub`), 'utf8')
      .split(' ')
      .slice(0, 2)
      .join(' ');

  it('are found where sops finds them, a locked one too', async () => {
    const { identities, notes } = await find({ HOME: home, SOPS_AGE_SSH_PRIVATE_KEY_FILE: 'named' });
    expect(identities.map(({ kind, recipient }) => [kind, recipient])).toEqual([
      ['age', recipientOf('named')],
      ['age', recipientOf('.ssh/id_ed25519')],
      ['locked', `${recipientOf('.ssh/id_rsa')} (behind a passphrase)`],
    ]);
    expect(notes.filter((note) => note.includes('id_rsa'))).toEqual([]);
  });

  it('may be given with --key-file', async () => {
    const { identities } = await find({}, ['named']);
    expect(identities.map(({ recipient }) => recipient)).toEqual([recipientOf('named')]);
  });
});
