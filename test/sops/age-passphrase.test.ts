import { describe, expect, it } from 'vitest';
import {
  openPassphraseFile,
  parsePassphraseFile,
  passphraseIdentity,
  passphraseRecipient,
} from '../../src/sops/age-scrypt.ts';
import { decryptWithIdentities, encryptForRecipients } from '../../src/sops/recipients.ts';

describe('an age file behind a passphrase', () => {
  it('opens with it alone, whatever its size, and as the files of age -p do', async () => {
    const passphrase = Buffer.from('correct horse ü');
    for (const size of [1, 200_000]) {
      const bytes = Buffer.alloc(size, 'key ');
      const sealed = Buffer.from(await encryptForRecipients(bytes, [passphraseRecipient(passphrase)]));
      const opened = await decryptWithIdentities(sealed, [passphraseIdentity(passphrase)]);
      expect(Buffer.from(opened ?? []).equals(bytes)).toBe(true);
      expect(await decryptWithIdentities(sealed, [passphraseIdentity(Buffer.from('wrong'))])).toBeUndefined();
      if (size > 60_000) continue;
      const file = parsePassphraseFile(sealed);
      if (file === undefined) throw new Error('it is no such file');
      expect(openPassphraseFile(file, passphrase)).toEqual(new Uint8Array(bytes));
    }
    // Each try is work on purpose.
  }, 120_000);
});
