import { SottoError } from '../core/errors.ts';
import { decodeBech32 } from './bech32.ts';
import { bytesOf } from './cipher.ts';

/** Checks that recipients are X25519 ones, and removes doubles. Throws SottoError; `place` says where they came from. */
export function checkRecipients(recipients: readonly string[], file?: string): string[] {
  const distinct = [...new Set(recipients.map((recipient) => recipient.trim()))];
  if (distinct.length === 0) throw noRecipient(file);
  for (const recipient of distinct) checkRecipient(recipient, file);
  return distinct;
}

export function isX25519Recipient(recipient: string): boolean {
  return decodeBech32(bytesOf(recipient), 'age', 32) !== undefined;
}

function checkRecipient(recipient: string, file: string | undefined): void {
  if (isX25519Recipient(recipient)) return;
  const other = otherKind(recipient);
  if (other !== undefined) {
    throw new SottoError({
      code: 'SOTTO-AGE-008',
      what: `${other} is not in this version`,
      why: 'this version encrypts for X25519 recipients (age1 and 58 more characters)',
      next: 'name the X25519 recipient of an identity: age-keygen -y keys.txt',
      file,
    });
  }
  throw new SottoError({
    code: 'SOTTO-AGE-007',
    what: 'an age recipient is not usable',
    // A secret key in place of a recipient must not be printed.
    why: recipient.startsWith('age1')
      ? `${recipient} is not age1 and 58 more characters with a fitting checksum`
      : 'it does not start with age1',
    next: 'copy the recipient again: age-keygen -y keys.txt',
    file,
  });
}

function otherKind(recipient: string): string | undefined {
  if (recipient.startsWith('age1pq1')) return 'a post-quantum recipient';
  if (recipient.startsWith('ssh-')) return 'an SSH recipient';
  return /^age1[a-z0-9]+1/.test(recipient) ? 'a plugin recipient' : undefined;
}

function noRecipient(file: string | undefined): SottoError {
  return new SottoError({
    code: 'SOTTO-AGE-009',
    what: 'no recipient was given',
    why: 'a file is encrypted for at least one recipient',
    next: 'name one with --age, or put it into .sops.yaml',
    file,
  });
}

/** The data key in an armoured age file of its own for each recipient, as sops keeps it. */
export async function wrapDataKey(
  dataKey: Uint8Array,
  recipients: readonly string[],
): Promise<{ recipient: string; enc: string }[]> {
  const { armor, Encrypter } = await import('age-encryption');
  return Promise.all(
    recipients.map(async (recipient) => {
      const encrypter = new Encrypter();
      encrypter.addRecipient(recipient);
      return { recipient, enc: armor.encode(await encrypter.encrypt(dataKey)) };
    }),
  );
}

/** One armoured age file for all of them. The caller wipes the bytes. */
export async function encryptForRecipients(bytes: Uint8Array, recipients: readonly string[]): Promise<string> {
  const { armor, Encrypter } = await import('age-encryption');
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  return armor.encode(await encrypter.encrypt(bytes));
}
