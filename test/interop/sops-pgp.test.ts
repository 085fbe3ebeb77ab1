import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { pgpIdentitiesOf } from '../../src/keys/pgp-entry.ts';
import { decryptSops } from '../../src/sops/decrypt.ts';
import type { Identity } from '../../src/sops/identity.ts';
import { type GpgHome, newGpgHome } from '../harness/gpg.ts';
import { describeReal } from '../harness/real.ts';
import { stockOutput } from '../harness/stock.ts';

const CLEAR = 'password: hunter2\n';
const ALGORITHMS = ['future-default', 'rsa2048', 'rsa3072', 'nistp256'] as const;

async function opened(text: string, identities: readonly Identity[]): Promise<string> {
  using clear = await decryptSops(text, 'yaml', 'f.yaml', identities);
  return Buffer.from(clear.reveal()).toString();
}

function identitiesOf(key: Uint8Array): readonly Identity[] {
  return pgpIdentitiesOf(key, (error) => {
    throw error;
  });
}

describeReal('OpenPGP keys', ['sops'], () => {
  let home: GpgHome;
  let folder: string;
  beforeAll(async () => {
    home = await newGpgHome();
    folder = mkdtempSync(join(tmpdir(), 'sotto-pgp-'));
  });
  afterAll(async () => {
    await home[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const byStock = async (...args: readonly string[]): Promise<string> => {
    await stockOutput('sops', args, { env: { GNUPGHOME: home.folder }, cwd: folder });
    return readFileSync(join(folder, 'f.yaml'), 'utf8');
  };

  it.each(ALGORITHMS)('of %s open what stock sops wrote with gpg, and what it rotated', async (algorithm) => {
    const fingerprint = await home.newKey(algorithm);
    const identities = identitiesOf(await home.secretKey(fingerprint));
    expect(identities.map(({ recipient }) => recipient)).toEqual([fingerprint]);
    writeFileSync(join(folder, 'f.yaml'), CLEAR);
    expect(await opened(await byStock('encrypt', '-i', '--pgp', fingerprint, 'f.yaml'), identities)).toBe(CLEAR);
    expect(await opened(await byStock('rotate', '-i', 'f.yaml'), identities)).toBe(CLEAR);
  });
});
