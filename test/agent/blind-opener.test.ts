import { describe, expect, it } from 'vitest';
import { BlindOpener } from '../../src/agent/preview/blind-opener.ts';
import { Opener } from '../../src/open/opener.ts';
import { closeFile, type EncryptedFile } from '../../src/render/tokens/content.ts';
import { encrypted, newKeyPair } from '../sops/fixtures.ts';
import { SECRET } from '../render/kustomize/trees.ts';
import { testKey } from '../render/tokens/secrets.ts';

const selector = { kind: 'encrypted_regex', value: '^(data|stringData)$' } as const;
const pair = await newKeyPair();
const stranger = await newKeyPair();

function blind(identities: typeof pair.identities): BlindOpener {
  return new BlindOpener(new Opener({ ageIdentities: identities, sealingKeys: [] }));
}

function close(file: EncryptedFile, opener: BlindOpener) {
  return closeFile(file, { key: testKey(), opener, recall: () => undefined });
}

async function document(text = SECRET): Promise<EncryptedFile> {
  const bytes = Buffer.from(await encrypted(text, pair.recipient, { selector }));
  return { path: 'db.yaml', bytes, format: 'yaml', role: 'document' };
}

async function variables(path: string, format: 'dotenv' | 'binary'): Promise<EncryptedFile> {
  const text = JSON.stringify({ data: 'A=hunter2\n' });
  const bytes = Buffer.from(await encrypted(text, pair.recipient, { format: 'json', file: path }));
  return { path, bytes, format, role: 'env-file' };
}

describe('an opener of somebody who may have no key', () => {
  it('opens what the keys fit, and knows nothing that was left closed', async () => {
    const file = await document();
    const opener = blind(pair.identities);
    const full = new Opener({ ageIdentities: pair.identities, sealingKeys: [] });
    const expected = await closeFile(file, { key: testKey(), opener: full, recall: () => undefined });
    expect((await close(file, opener)).memory).toEqual(expected.memory);
    expect(opener.unopened.size).toBe(0);
  });

  it('gives a token for what no key fits, of its ciphertext, and tells the file', async () => {
    const [first, second] = [await document(), await document()];
    const opener = blind(stranger.identities);
    const [one, again, other] = [await close(first, opener), await close(first, opener), await close(second, opener)];
    expect(one.memory.tokens).toEqual(again.memory.tokens);
    // Encrypted again it might be another value.
    expect(other.memory.tokens).not.toEqual(one.memory.tokens);
    expect([...opener.unopened.values()].map(({ code, place }) => [code, place.file])).toContainEqual([
      'SOTTO-AGE-001',
      'db.yaml',
    ]);
  });

  it('refuses an env file that is encrypted as a whole: its names are not known', async () => {
    const attempt = close(await variables('vars', 'binary'), blind(stranger.identities));
    await expect(attempt).rejects.toMatchObject({ code: 'SOTTO-AGE-001' });
  });

  it('does not take a damaged file for one without a key', async () => {
    const file = await document();
    const text = file.bytes
      .toString()
      .replace(/mac: ENC\[AES256_GCM,data:./, (part) => `${part.slice(0, -1)}${part.endsWith('A') ? 'B' : 'A'}`);
    const attempt = close({ ...file, bytes: Buffer.from(text) }, blind(pair.identities));
    await expect(attempt).rejects.toMatchObject({ code: expect.stringMatching(/^SOTTO-SOPS-/) });
  });
});
