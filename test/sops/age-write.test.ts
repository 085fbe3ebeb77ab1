import { armor, Decrypter, generateHybridIdentity, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { describe, expect, it } from 'vitest';
import { encodeBech32 } from '../../src/sops/bech32.ts';
import { encryptForRecipients, wrapDataKey } from '../../src/sops/recipients.ts';
import { refusal } from './fixtures.ts';

/** What the library of age opens, which has nothing to do with our writer. */
function openedBy(identity: string, file: string): Promise<Uint8Array> {
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  return decrypter.decrypt(armor.decode(file));
}

const CHUNK = 64 * 1024;

describe('an age file that sotto writes', () => {
  it.each([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1])(
    'opens with the library of age: %d bytes',
    async (length) => {
      const identity = await generateX25519Identity();
      const bytes = Uint8Array.from({ length }, (_, at) => (at * 7 + (at >> 8)) & 0xff);
      const file = await encryptForRecipients(bytes, [await identityToRecipient(identity)]);
      expect(Buffer.from(await openedBy(identity, file)).equals(bytes)).toBe(true);
      expect(armor.encode(armor.decode(file))).toBe(file);
    },
  );

  it('opens for each of its recipients, also for a post-quantum one, and for nobody else', async () => {
    const identities = [await generateX25519Identity(), await generateHybridIdentity(), await generateX25519Identity()];
    const recipients = await Promise.all(identities.map((identity) => identityToRecipient(identity)));
    const bytes = Buffer.from('a key');
    const file = await encryptForRecipients(bytes, recipients);
    for (const identity of identities) expect(Buffer.from(await openedBy(identity, file))).toEqual(bytes);
    await expect(openedBy(await generateX25519Identity(), file)).rejects.toThrow('no identity matched');
    for (const [at, { enc, recipient }] of (await wrapDataKey(bytes, recipients)).entries()) {
      expect(recipient).toBe(recipients[at]);
      expect(Buffer.from(await openedBy(identities[at] ?? '', enc))).toEqual(bytes);
    }
  });

  it.each([
    ['a point of low order', encodeBech32('age', new Uint8Array(32))],
    ['no ML-KEM key', encodeBech32('age1pq', new Uint8Array(1184 + 32).fill(0xff))],
    ['a low point beside an ML-KEM key', encodeBech32('age1pq', new Uint8Array(1184 + 32))],
    ['no recipient', 'age1abc'],
  ])('is for somebody with a key, and refused otherwise: %s', async (_, recipient) => {
    for (const write of [encryptForRecipients, wrapDataKey] as const)
      expect((await refusal(() => write(Buffer.from('a key'), [recipient]))).code).toBe('SOTTO-AGE-007');
  });
});
