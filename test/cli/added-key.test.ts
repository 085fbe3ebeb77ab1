import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { addedKey } from '../../src/cli/keys/added-key.ts';
import { SottoError } from '../../src/core/errors.ts';
import { makeSealingCertificate } from '../../src/sealed/make-certificate.ts';
import { makeIdentity } from '../../src/sops/make-identity.ts';
import { encryptForRecipients } from '../../src/sops/recipients.ts';
import { passphraseRecipient } from '../../src/sops/age-scrypt.ts';

const folder = mkdtempSync(join(tmpdir(), 'sotto-added-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function sshKey(name: string, type: 'ed25519' | 'rsa', passphrase: string, form: readonly string[] = []): Buffer {
  const file = join(folder, name);
  execFileSync('ssh-keygen', [
    '-q',
    '-t',
    type,
    ...(type === 'rsa' ? ['-b', '2048'] : []),
    '-N',
    passphrase,
    '-f',
    file,
    ...form,
  ]);
  return readFileSync(file);
}

function refusal(content: Uint8Array): SottoError {
  try {
    addedKey(content, 'key.txt');
  } catch (thrown) {
    if (thrown instanceof SottoError) return thrown;
    throw thrown;
  }
  throw new Error('it was taken');
}

describe('a key to be added', () => {
  it('is an age identity, with its comments', () => {
    const { identity, keyFile } = makeIdentity(new Date());
    const added = addedKey(keyFile.reveal(), 'key.txt');
    expect(added).toMatchObject({ kind: 'age', id: identity.recipient, canary: identity.recipient, type: 'Opaque' });
    expect(added.name).toBe(`sotto-age-${identity.recipient.slice(4, 14)}`);
    expect(added.entries.get('age.agekey')?.equals(keyFile)).toBe(true);
  });

  it.each(['ed25519', 'rsa'] as const)('is an SSH key of %s, for which no canary is answered', (type) => {
    const added = addedKey(sshKey(type, type, ''), 'key.txt');
    expect(added).toMatchObject({ kind: 'ssh', canary: undefined });
    expect(added.id).toMatch(/^ssh-/);
    expect(added.name).toMatch(/^sotto-ssh-[0-9a-f]{10}$/);
  });

  it('is a sealing key with its certificate, in one file in any order or in the manifest of a Secret', async () => {
    const made = await makeSealingCertificate({ now: new Date(), modulusBits: 2048 });
    const pem = Buffer.from(made.keyPem.reveal()).toString();
    const data = {
      'tls.key': Buffer.from(pem).toString('base64'),
      'tls.crt': Buffer.from(made.certificatePem).toString('base64'),
    };
    const manifest = JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'k' }, data });
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [JSON.parse(manifest)] });
    const forms = [
      pem + made.certificatePem,
      made.certificatePem + pem,
      made.certificatePem + pem.trim(),
      manifest,
      list,
    ];
    const added = forms.map((form) =>
      addedKey(bytes(form), form === list || form === manifest ? 'key.json' : 'key.pem'),
    );
    for (const each of added) {
      expect(each).toMatchObject({ kind: 'sealing', id: added[0]?.id, type: 'kubernetes.io/tls' });
      expect(each.entries.has('tls.key') && each.entries.has('tls.crt')).toBe(true);
      expect(typeof each.canary === 'object' && each.canary.fingerprint).toBe(each.id);
    }
    expect(refusal(bytes(made.certificatePem))).toMatchObject({ code: 'SOTTO-KEYS-090' });
    const other = await makeSealingCertificate({ now: new Date(), modulusBits: 2048 });
    expect(refusal(bytes(pem + other.certificatePem))).toMatchObject({ code: 'SOTTO-SEAL-014' });
  });

  it('is not what is public, several, or something else, and the next command fits', () => {
    const { identity, keyFile } = makeIdentity(new Date());
    const second = makeIdentity(new Date()).keyFile;
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const cases: readonly (readonly [string | Uint8Array, string])[] = [
      [`${identity.recipient}\n`, 'sotto recipients add RECIPIENT'],
      ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA kim\n', 'sotto recipients add RECIPIENT'],
      [Buffer.concat([keyFile.reveal(), second.reveal()]), 'give each identity in a file of its own'],
      [pkcs8, 'cat tls.key tls.crt | sotto keys add -'],
      ['apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {a: Yg==}\n', 'sotto keys restore FILE'],
      ['', 'AGE-SECRET-KEY'],
      ['hello\n', 'AGE-SECRET-KEY'],
    ];
    for (const [content, next] of cases) {
      const error = refusal(typeof content === 'string' ? bytes(content) : content);
      expect(error).toMatchObject({ code: 'SOTTO-KEYS-090', next: expect.stringContaining(next) as string });
    }
  });

  it('is not behind a passphrase, and the next command takes that away', async () => {
    const sealed = await encryptForRecipients(bytes('AGE-SECRET-KEY-1'), [passphraseRecipient(bytes('pass'))]);
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'pass' });
    const cases: readonly (readonly [Uint8Array, string])[] = [
      [bytes(sealed), 'age -d key.txt | sotto keys add -'],
      [sshKey('locked', 'ed25519', 'passphrase'), "ssh-keygen -p -N ''"],
      [sshKey('locked-pem', 'rsa', 'passphrase', ['-m', 'PEM']), "ssh-keygen -p -N ''"],
      [bytes(pem.toString()), 'openssl pkey -in key.txt'],
    ];
    for (const [content, next] of cases)
      expect(refusal(content)).toMatchObject({
        code: 'SOTTO-KEYS-042',
        next: expect.stringContaining(next) as string,
      });
  });

  it('is never anything but a key or a refusal that quotes nothing of it', () => {
    const begins = [
      '',
      'AGE-SECRET-KEY-1',
      '-----BEGIN PGP ',
      '-----BEGIN CERTIFICATE-----\n',
      '-----BEGIN PRIVATE KEY-----\n',
      'apiVersion: v1\nkind: Secret\n',
      '-----BEGIN OPENSSH PRIVATE KEY-----\n',
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...begins),
        fc.stringMatching(/^[A-Z0-9]{24,60}$/),
        fc.constantFrom('', '\n'),
        (begin, rest, end) => {
          expect(refusal(bytes(begin + rest + end)).text()).not.toContain(rest);
        },
      ),
    );
  });
});
