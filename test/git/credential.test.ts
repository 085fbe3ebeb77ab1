import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Sensitive } from '../../src/core/sensitive.ts';
import { parseGitUrl } from '../../src/git/address.ts';
import { type GitCredential, privateConfig, writePrivateFiles } from '../../src/git/credential.ts';

const URL_OF_APP = parseGitUrl('https://git.example.com/team/app.git');

const basic = (username: string | Uint8Array, password: string | Uint8Array): GitCredential => ({
  kind: 'basic',
  username: Sensitive.copyOf(Buffer.from(username)),
  password: Sensitive.copyOf(Buffer.from(password)),
});

const bearer = (token: string | Uint8Array): GitCredential => ({
  kind: 'bearer',
  token: Sensitive.copyOf(Buffer.from(token)),
});

const textOf = (credential: GitCredential): string =>
  Buffer.from(privateConfig(URL_OF_APP, credential, undefined)).toString();

describe('the private configuration', () => {
  it('binds the header to the address of the repository', () => {
    expect(textOf(basic('bot', 'pass word'))).toBe(
      `[http "${URL_OF_APP}"]\nextraHeader = "Authorization: Basic Ym90OnBhc3Mgd29yZA=="\n`,
    );
  });

  it('escapes what the configuration file would read as its own', () => {
    expect(textOf(bearer('a"b\\c#d;e'))).toContain('extraHeader = "Authorization: Bearer a\\"b\\\\c#d;e"\n');
  });

  it('encodes every user name and password as base64 does', () => {
    const bytes = fc.uint8Array({ maxLength: 80 }).map((all) => all.filter((byte) => byte >= 0x20 && byte !== 0x7f));
    fc.assert(
      fc.property(bytes, bytes, (username, password) => {
        fc.pre(!username.includes(0x3a));
        const pair = Buffer.concat([username, Buffer.from(':'), password]).toString('base64');
        expect(textOf(basic(username, password))).toContain(`Basic ${pair}"`);
      }),
    );
  });

  it.each([
    ['a line break at the end of a token', bearer('token\n')],
    ['a second header in a token', bearer('x\r\nX-Other: 1')],
    ['an empty token', bearer('')],
    ['a token that is not ASCII', bearer('tökén')],
    ['a line break at the end of a password', basic('bot', 'hunter2\n')],
    ['a colon in a user name', basic('b:ot', 'x')],
  ])('refuses %s without repeating it', (_, credential) => {
    expect(() => textOf(credential)).toThrow(expect.objectContaining({ code: 'SOTTO-GIT-030' }));
    expect(() => textOf(credential)).not.toThrow(/hunter2|token\n/);
  });

  it('stands in files that only we can read, and is gone afterwards', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sotto-credential-'));
    try {
      const access = { credential: bearer('token'), caCertificate: Buffer.from('PEM') };
      const files = await writePrivateFiles(folder, '1', URL_OF_APP, access);
      expect((await stat(files.configPath)).mode & 0o777).toBe(0o600);
      const config = await readFile(files.configPath, 'utf8');
      expect(config).toContain('Bearer token');
      expect(config).toContain(`sslCAInfo = "${folder}/1.ca"`);
      expect(await readFile(join(folder, '1.ca'), 'utf8')).toBe('PEM');
      await files.remove();
      expect(await readdir(folder)).toEqual([]);
      await files.remove();
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
