import { expect, it } from 'vitest';
import { bcryptKdf } from '../../src/sops/bcrypt-kdf.ts';

// The vectors that OpenBSD and the Go library publish.
it.each([
  ['password', 'salt', 4, '5bbf0cc293587f1c3635555c27796598d47e579071bf427e9d8fbe842aba34d9'],
  ['password', '\0', 4, 'c12b566235eee04c212598970a579a67'],
  [
    'password',
    'salt',
    8,
    'e1367ec5151a33faac4cc1c144cd23fa15d5548493ecc99b9b5d9c0d3b27bec76227ea66088b849b20ab7aa478010246e74bba51723fefa9f9474d6508845e8d',
  ],
  ['password', 'salt', 42, '833cf0dcf56db65608e8f0dc0ce882bd'],
])('bcrypt_pbkdf of %j and %j in %i rounds is the known answer', (passphrase, salt, rounds, expected) => {
  const key = bcryptKdf(Buffer.from(passphrase), Buffer.from(salt), rounds, expected.length / 2);
  expect(Buffer.from(key).toString('hex')).toBe(expected);
});
