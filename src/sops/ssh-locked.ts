import { createDecipheriv, createPrivateKey } from 'node:crypto';
import type { AgeIdentity } from './age-stanza.ts';
import { bcryptKdf } from './bcrypt-kdf.ts';
import { openSshBytes, type OpenSshFile, parseOpenSshFile, parseSshSecret } from './ssh-key.ts';
import { SshRsaIdentity } from './ssh.ts';
import { SshReader } from './ssh-wire.ts';

/** A private SSH key behind a passphrase. */
export interface LockedSshKey {
  /** `ssh-ed25519 AAAA…`; undefined where the file does not tell (PEM). */
  readonly recipient: string | undefined;
  /** The public key in SSH's wire form, by which stanzas name it. */
  readonly wire: Buffer | undefined;
  /** Undefined when the passphrase is another one. */
  unlock(passphrase: Uint8Array): AgeIdentity | undefined;
}

/** Those that ssh-keygen offers and the library of sops reads. */
const CIPHERS: Readonly<Record<string, string>> = { 'aes256-ctr': 'aes-256-ctr', 'aes256-cbc': 'aes-256-cbc' };
const KEY_BYTES = 32;
const IV_BYTES = 16;
/** ssh-keygen makes 16 or 24; each costs about 10 ms here. */
const MAX_ROUNDS = 2000;

/**
 * The key of a file of ssh-keygen in OpenSSH's form or, for RSA, in PEM; undefined for any other file, for one without
 * passphrase, and for ciphers that sops does not read either. `file` may be wiped afterwards.
 */
export function parseLockedSshKey(file: Uint8Array): LockedSshKey | undefined {
  const bytes = openSshBytes(file);
  if (bytes === undefined) return lockedPem(file);
  const parsed = parseOpenSshFile(bytes);
  const cipher = parsed === undefined ? undefined : CIPHERS[parsed.cipher];
  if (parsed === undefined || cipher === undefined || parsed.kdf !== 'bcrypt') return undefined;
  const options = new SshReader(parsed.kdfOptions);
  const [salt, rounds] = [options.bytes(), options.uint32()];
  if (salt === undefined || rounds === undefined || rounds < 1 || rounds > MAX_ROUNDS) return undefined;
  const type = new SshReader(parsed.publicBlob).text();
  if (type !== 'ssh-ed25519' && type !== 'ssh-rsa') return undefined;
  const recipient = `${type} ${parsed.publicBlob.toString('base64')}`;
  return {
    recipient,
    wire: parsed.publicBlob,
    unlock: (passphrase) => unlocked(parsed, { cipher, salt, rounds, recipient }, passphrase),
  };
}

interface Locking {
  readonly cipher: string;
  readonly salt: Uint8Array;
  readonly rounds: number;
  readonly recipient: string;
}

function unlocked(
  { secret }: OpenSshFile,
  { cipher, salt, rounds, recipient }: Locking,
  passphrase: Uint8Array,
): AgeIdentity | undefined {
  // OpenSSL says so by throwing.
  if (secret.length === 0 || secret.length % IV_BYTES !== 0) return undefined;
  const key = bcryptKdf(passphrase, salt, rounds, KEY_BYTES + IV_BYTES);
  let clear: Buffer | undefined;
  try {
    const decipher = createDecipheriv(cipher, key.subarray(0, KEY_BYTES), key.subarray(KEY_BYTES));
    decipher.setAutoPadding(false);
    clear = decipher.update(secret);
    decipher.final();
    const identity = parseSshSecret(new SshReader(clear));
    // The public part, by which the file is chosen, is in clear: nothing but this comparison vouches for it.
    return typeof identity === 'string' || identity.recipient !== recipient ? undefined : identity;
  } finally {
    key.fill(0);
    clear?.fill(0);
  }
}

/** The old form of OpenSSL. Whose key it is, it does not tell. */
function lockedPem(file: Uint8Array): LockedSshKey | undefined {
  const text = Buffer.from(file);
  if (!text.includes('-----BEGIN RSA PRIVATE KEY-----') || !text.includes('Proc-Type: 4,ENCRYPTED')) return undefined;
  return {
    recipient: undefined,
    wire: undefined,
    unlock: (passphrase) => {
      try {
        // No copy: the caller wipes these bytes and no others.
        const typed = Buffer.from(passphrase.buffer, passphrase.byteOffset, passphrase.length);
        const key = createPrivateKey({ key: text, format: 'pem', passphrase: typed });
        return key.asymmetricKeyType === 'rsa' ? new SshRsaIdentity(key) : undefined;
      } catch {
        return undefined;
      }
    },
  };
}
