import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { pgpIdentitiesOf } from '../../src/keys/pgp-entry.ts';
import type { SottoError } from '../../src/core/errors.ts';
import { decryptSops } from '../../src/sops/decrypt.ts';
import { encryptSops } from '../../src/sops/encrypt.ts';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import type { Identity } from '../../src/sops/identity.ts';
import { parsePgpKeys, type PgpKeyBlock } from '../../src/sops/pgp-key.ts';
import type { Recipient } from '../../src/sops/wrap.ts';
import { refusal } from '../sops/fixtures.ts';
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

  const keyOf = async (fingerprint: string): Promise<PgpKeyBlock> => {
    const [key] = parsePgpKeys(await home.publicKey(fingerprint));
    if (typeof key !== 'object') throw new Error('gpg exported no key');
    return key;
  };
  const recipientOf = async (fingerprint: string): Promise<Recipient> => ({
    kind: 'pgp',
    fingerprint,
    key: await keyOf(fingerprint),
  });
  const encryptedFor = async (...fingerprints: readonly string[]): Promise<string> => {
    const groups = [await Promise.all(fingerprints.map(recipientOf))];
    return encryptSops(CLEAR, {
      format: 'yaml',
      file: 'f.yaml',
      recipients: { groups, threshold: 1 },
      now: new Date(),
    });
  };

  it.each(ALGORITHMS)('of %s: stock sops opens with gpg, edits and rotates what sotto wrote', async (algorithm) => {
    const fingerprint = await home.newKey(algorithm);
    const identities = identitiesOf(await home.secretKey(fingerprint));
    const text = await encryptedFor(fingerprint);
    expect(await opened(text, identities)).toBe(CLEAR);
    writeFileSync(join(folder, 'f.yaml'), text);
    const stock = { env: { GNUPGHOME: home.folder }, cwd: folder };
    expect((await stockOutput('sops', ['decrypt', 'f.yaml'], stock)).toString()).toBe(CLEAR);
    await byStock('set', 'f.yaml', '["password"]', '"changed"');
    expect(await opened(await byStock('rotate', '-i', 'f.yaml'), identities)).toBe('password: changed\n');
  });

  it('stock sops opens the JSON, dotenv and binary files that sotto wrote', async () => {
    const fingerprint = await home.newKey('future-default');
    const recipients = { groups: [[await recipientOf(fingerprint)]], threshold: 1 };
    for (const [file, format, clear] of [
      ['f.json', 'json', '{\n\t"password": "hunter2"\n}\n'],
      ['f.env', 'dotenv', 'PASSWORD=hunter2\n'],
      ['f.bin', 'binary', 'hunter2'],
    ] as const) {
      const text = await encryptFile(Buffer.from(clear), { format, file, recipients, now: new Date() });
      writeFileSync(join(folder, file), text);
      const stock = { env: { GNUPGHOME: home.folder }, cwd: folder };
      expect((await stockOutput('sops', ['decrypt', file], stock)).toString()).toBe(clear);
    }
  });

  it('of a person whose primary secret is elsewhere open with the subkey alone', async () => {
    const fingerprint = await home.newKey('future-default');
    const text = await encryptedFor(fingerprint);
    const subkeys = await home.run('--passphrase', '', '--armor', '--export-secret-subkeys', fingerprint);
    expect(await opened(text, identitiesOf(subkeys))).toBe(CLEAR);
  });

  it('that have expired or were revoked open what was encrypted for them, and nothing new', async () => {
    const fingerprint = await home.newKey('future-default');
    const text = await encryptedFor(fingerprint);
    await home.run('--passphrase', '', '--quick-set-expire', fingerprint, 'seconds=1');
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    expect(await opened(text, identitiesOf(await home.secretKey(fingerprint)))).toBe(CLEAR);
    expect((await refusal(() => encryptedFor(fingerprint))).code).toBe('SOTTO-SOPS-061');
    const revocation = readFileSync(join(home.folder, 'openpgp-revocs.d', `${fingerprint}.rev`), 'utf8');
    writeFileSync(join(folder, 'revoked.asc'), revocation.replace(':-----BEGIN', '-----BEGIN'));
    await home.run('--import', join(folder, 'revoked.asc'));
    const error: unknown = await encryptedFor(fingerprint).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'SOTTO-SOPS-061', why: 'it was revoked' });
    expect(await opened(text, identitiesOf(await home.secretKey(fingerprint)))).toBe(CLEAR);
  });

  it('a subkey that is named with an exclamation mark is the one', async () => {
    const fingerprint = await home.newKey('future-default');
    const old = (await keyOf(fingerprint)).fingerprints[1] ?? '';
    await home.run('--passphrase', '', '--quick-add-key', fingerprint, 'cv25519', 'encr', 'never');
    const key = await keyOf(fingerprint);
    expect(key.fingerprints).toHaveLength(3);
    const groups = [[{ kind: 'pgp' as const, fingerprint: `${old}!`, key }]];
    const options = { format: 'yaml' as const, file: 'f.yaml', recipients: { groups, threshold: 1 }, now: new Date() };
    const text = await encryptSops(CLEAR, options);
    await home.run('--passphrase', '', '--batch', '--delete-secret-and-public-key', `${key.fingerprints[2]}!`);
    expect(await opened(text, identitiesOf(await home.secretKey(fingerprint)))).toBe(CLEAR);
  });

  it('open a message that does not say whom it is for', async () => {
    const fingerprint = await home.newKey('future-default');
    const identities = identitiesOf(await home.secretKey(fingerprint));
    writeFileSync(join(home.folder, 'gpg.conf'), 'throw-keyids\n');
    try {
      writeFileSync(join(folder, 'f.yaml'), CLEAR);
      const text = await byStock('encrypt', '-i', '--pgp', fingerprint, 'f.yaml');
      expect(await opened(text, identities)).toBe(CLEAR);
      const stranger = identitiesOf(await home.secretKey(await home.newKey('future-default')));
      expect(await opened(text, [...stranger, ...identities])).toBe(CLEAR);
      expect((await refusal(() => opened(text, stranger))).code).toBe('SOTTO-AGE-001');
    } finally {
      rmSync(join(home.folder, 'gpg.conf'));
    }
  });

  it('that do not fit are named, and those that would', async () => {
    const [one, two] = [await home.newKey('future-default'), await home.newKey('future-default')];
    const text = await encryptedFor(one);
    const identities = identitiesOf(await home.secretKey(two));
    const error = await opened(text, identities).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'SOTTO-AGE-001', place: { file: 'f.yaml', line: 3 } });
    expect((error as SottoError).why).toBe(
      `it is encrypted for OpenPGP key ${one}; held are the identities of OpenPGP key ${two}`,
    );
  });
});
