import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { generateKey } from 'openpgp';
import { beforeAll, describe, expect, it } from 'vitest';
import { findAgeIdentities } from '../../src/cli/age-identities.ts';
import { parseKeySecret } from '../../src/keys/parse-keys.ts';
import { keySecret } from './key-secrets.ts';

/** As Flux's kustomize-controller reads its decryption Secrets: the end of a name says what the entry is. */
describe('the entries of a key Secret of Flux', () => {
  let identity: string;
  let recipient: string;
  let pgp: { readonly armored: string; readonly fingerprint: string };
  let entries: Record<string, string>;
  beforeAll(async () => {
    identity = await generateX25519Identity();
    recipient = await identityToRecipient(identity);
    const pair = await generateKey({ userIDs: [{ name: 'Test' }], type: 'curve25519', format: 'object' });
    pgp = { armored: pair.privateKey.armor(), fingerprint: pair.publicKey.getFingerprint().toUpperCase() };
    const file = `# created: 2026-01-01T00:00:00Z\n# public key: ${recipient}\n${identity}\n`;
    entries = {
      'age.agekey': file,
      'identity.asc': pgp.armored,
      'sops.vault-token': 's.token\n',
      'sops.aws-kms': 'aws_access_key_id: some-id\naws_secret_access_key: some-key\n',
      'sops.azure-kv': 'tenantId: some-tenant\nclientId: some-client\nclientSecret: hunter2\n',
      'sops.gcp-kms': '{"type": "service_account"}',
    };
  });

  it('are age identities in *.agekey and OpenPGP keys in *.asc, whatever stands before', () => {
    expect(recipientsOf(entries)).toEqual([recipient, pgp.fingerprint]);
    const named = { 'team.a.agekey': identity, '.agekey': identity, 'sops.asc': pgp.armored };
    expect(recipientsOf(named)).toEqual([recipient, recipient, pgp.fingerprint]);
  });

  it('may hold several age identities each, and one bad entry takes no other with it', async () => {
    const second = await generateX25519Identity();
    const held = { 'age.agekey': `${identity}\n\n# second\n${second}\n`, 'bad.agekey': 'hunter2', 'identity.asc': 'x' };
    expect(recipientsOf(held)).toEqual([recipient, await identityToRecipient(second)]);
    const { problems } = parseKeySecret(keySecret('sops-keys', held));
    expect(problems.map(({ place }) => place.key)).toEqual(['bad.agekey', 'identity.asc']);
    for (const problem of problems) expect(problem.text()).not.toContain('hunter2');
  });

  it('under other names are no identities, and an entry of a key service never is one', () => {
    const { ageIdentities, pgpIdentities, problems } = parseKeySecret(
      keySecret('sops-keys', { 'keys.txt': identity, agekey: identity, 'sops.aws-kms': identity }),
    );
    expect([ageIdentities, pgpIdentities]).toEqual([[], []]);
    expect(problems.map(({ place }) => place.key)).toEqual(expect.arrayContaining(['agekey', 'keys.txt']));
  });

  it('open files on the command line too, in data and stringData, all others left alone', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sotto-flux-'));
    try {
      const data = { 'age.agekey': Buffer.from(entries['age.agekey'] ?? '').toString('base64') };
      const { 'age.agekey': _, ...stringData } = entries;
      const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'sops-keys' }, data, stringData };
      writeFileSync(join(folder, 'keys.yaml'), JSON.stringify(secret));
      const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
      const isTerminal = { stdin: false, stdout: false, stderr: false };
      const { signal } = new AbortController();
      const around = { env: {}, cwd: folder, ...streams, isTerminal, columns: undefined, signal };
      const { identities } = await findAgeIdentities(around, ['keys.yaml']);
      expect(identities.map((each) => each.recipient)).toEqual([recipient, pgp.fingerprint]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

function recipientsOf(held: Record<string, string>): string[] {
  const { ageIdentities, pgpIdentities } = parseKeySecret(keySecret('sops-keys', held));
  return [...ageIdentities, ...pgpIdentities].map((each) => each.recipient);
}
