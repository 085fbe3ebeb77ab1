import * as fc from 'fast-check';
import { createMessage, encrypt, enums, generateKey, readKey } from 'openpgp';
import { beforeAll, describe, expect, it } from 'vitest';
import { parsePassphraseFile } from '../../src/sops/age-scrypt.ts';
import { parsePgpMessage, pgpIdentity } from '../../src/sops/pgp.ts';
import { parsePgpKeys } from '../../src/sops/pgp-key.ts';
import { SottoError } from '../../src/core/errors.ts';

describe('OpenPGP from outside', () => {
  let secret: string;
  let publicKey: string;
  let message: string;
  beforeAll(async () => {
    const pair = await generateKey({ userIDs: [{ name: 'Test' }], type: 'curve25519' });
    [secret, publicKey] = [pair.privateKey, pair.publicKey];
    message = await messageOf(Buffer.alloc(32, 7));
  });

  const messageOf = async (binary: Uint8Array, compression = enums.compression.uncompressed): Promise<string> =>
    encrypt({
      message: await createMessage({ binary }),
      encryptionKeys: await readKey({ armoredKey: publicKey }),
      config: { preferredCompressionAlgorithm: compression },
    });
  const outcomeOf = async (text: string): Promise<string> => {
    const [key] = parsePgpKeys(Buffer.from(secret));
    const parsed = parsePgpMessage(text);
    if (parsed === undefined || typeof key !== 'object') return 'damaged';
    return (await pgpIdentity(key).open(parsed)).outcome;
  };

  it('opens what is a data key', async () => {
    expect(await outcomeOf(message)).toBe('opened');
    expect(await outcomeOf(await messageOf(Buffer.alloc(32, 7), enums.compression.zlib))).toBe('opened');
  });

  it('refuses what is far larger than a data key, also when it is packed small', async () => {
    expect(await outcomeOf(await messageOf(Buffer.alloc(64 * 1024)))).toBe('damaged');
    for (const kind of [enums.compression.zip, enums.compression.zlib]) {
      expect(await outcomeOf(await messageOf(Buffer.alloc(4 * 1024 * 1024), kind))).toBe('damaged');
    }
  });

  it('opens or refuses a damaged message, and never throws', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }), async (damages) => {
        const bytes = Buffer.from(message, 'latin1');
        for (const [at, by] of damages) bytes[at % bytes.length] = by;
        expect(['opened', 'damaged', 'not-for-us']).toContain(await outcomeOf(bytes.toString('latin1')));
      }),
      { numRuns: 100 },
    );
  });

  it('reads or refuses any bytes as key, message or locked file', () => {
    const texts = fc.oneof(
      fc.uint8Array({ maxLength: 400 }),
      damaged(() => Buffer.from(secret)),
    );
    fc.assert(
      fc.property(texts, (bytes) => {
        parsePgpKeys(bytes);
        parsePgpMessage(Buffer.from(bytes).toString('latin1'));
        try {
          parsePassphraseFile(Buffer.concat([Buffer.from('age-encryption.org/v1\n-> scrypt '), bytes]));
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(SottoError);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('has a locked file refused that asks for more work than age takes', () => {
    const head = `age-encryption.org/v1\n-> scrypt ${'A'.repeat(22)} 23\n${'A'.repeat(43)}\n--- ${'A'.repeat(43)}\n`;
    const file = Buffer.concat([Buffer.from(head), Buffer.alloc(48)]);
    expect(() => parsePassphraseFile(file)).toThrow(expect.objectContaining({ code: 'SOTTO-KEYS-044' }));
    expect(parsePassphraseFile(Buffer.from(file.toString('latin1').replace(' 23', ' 22'), 'latin1'))).toBeDefined();
  });
});

function damaged(original: () => Buffer): fc.Arbitrary<Uint8Array> {
  return fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }).map((damages) => {
    const bytes = original();
    for (const [at, by] of damages) bytes[at % bytes.length] = by;
    return bytes;
  });
}
