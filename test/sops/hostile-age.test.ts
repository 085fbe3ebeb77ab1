import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/core/limits.ts';
import { parseAgeFile } from '../../src/sops/age-file.ts';
import { parsePassphraseFile } from '../../src/sops/age-scrypt.ts';
import { decryptWithIdentities, encryptForRecipients } from '../../src/sops/recipients.ts';
import { type KeyPair, newKeyPair } from './fixtures.ts';

// An age file that anybody has made: a data key, a backup, a file of a repository. The bounds of time are those of the test runner.

const unpadded = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '');
const stanza = (): string => `-> X25519 ${unpadded(randomBytes(32))}\n${unpadded(randomBytes(32))}\n`;
const header = (stanzas: string): Buffer =>
  Buffer.from(`age-encryption.org/v1\n${stanzas}--- ${unpadded(randomBytes(32))}\n${'x'.repeat(100)}`);
const armoured = (bytes: Buffer): string =>
  `-----BEGIN AGE ENCRYPTED FILE-----\n${bytes.toString('base64').replace(/(.{64})(?=.)/g, '$1\n')}\n-----END AGE ENCRYPTED FILE-----\n`;

describe('a hostile age file', () => {
  let key: KeyPair;
  beforeAll(async () => {
    key = await newKeyPair();
  });

  it('has no more stanzas than can be tried, as the data key of a file', () => {
    const { maxDataKeyStanzas: most } = LIMITS;
    expect(parseAgeFile(armoured(header(stanza().repeat(most))))?.stanzas).toHaveLength(most);
    expect(parseAgeFile(armoured(header(stanza().repeat(most + 1))))).toBeUndefined();
    expect(parseAgeFile(armoured(header(stanza().repeat(40_000))))).toBeUndefined();
  });

  it('is not tried without end as a backup', async () => {
    expect(await decryptWithIdentities(header(stanza().repeat(400_000)), key.identities)).toBeUndefined();
  });

  it('opens for the last of as many recipients as a backup may have', async () => {
    const others = await Promise.all(Array.from({ length: LIMITS.maxAgeStanzas - 1 }, () => newKeyPair()));
    const recipients = [...others, key].map(({ recipient }) => recipient);
    const sealed = Buffer.from(await encryptForRecipients(Buffer.from('keys'), recipients));
    expect(Buffer.from((await decryptWithIdentities(sealed, key.identities)) ?? []).toString()).toBe('keys');
  }, 120_000);

  it('is no file behind a passphrase, however many stanzas say so', () => {
    const many = `age-encryption.org/v1\n${'-> scrypt a 1\n\n'.repeat(4_000_000)}--- x\n`;
    expect(parsePassphraseFile(new Uint8Array(Buffer.from(many)))).toBeUndefined();
  });

  it.each([
    ['garbage', () => randomBytes(64 * 1024 * 1024)],
    ['NULs', () => Buffer.alloc(64 * 1024 * 1024)],
    ['one line', () => Buffer.from(`age-encryption.org/v1\n-> ${'x '.repeat(30_000_000)}`)],
    ['cut off', () => Buffer.from('age-encryption.org/v1\n-> X25519 a')],
    ['armoured garbage', () => Buffer.from(armoured(randomBytes(10_000_000)))],
  ])('opens for nobody when it is %s', async (_, bytes) => {
    expect(await decryptWithIdentities(bytes(), key.identities)).toBeUndefined();
  });
});
