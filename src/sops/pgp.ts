import type { PartialConfig, PrivateKey } from 'openpgp';
import { SottoError } from '../core/errors.ts';
import { Sensitive } from '../core/sensitive.ts';
import type { PgpIdentity, PgpMessage } from './identity.ts';
import { keyIdOf, type PgpKeyBlock } from './pgp-key.ts';
import { dearmour, ownCopy, packetsOf, TAG } from './pgp-packets.ts';

/** A message to whoever finds that it opens. */
const HIDDEN = '0000000000000000';
const MAX_MESSAGE_BYTES = 16 * 1024;
const MAX_ENC_CHARS = 32 * 1024;
const MAX_PACKETS = 12;
/** A share of a data key has 33 bytes, and around it is a little of OpenPGP. */
const MAX_CONTENT_BYTES = 4 * 1024;

/** Undefined for text that is not one armoured message of whole keys and integrity-protected data. */
export function parsePgpMessage(enc: string): PgpMessage | undefined {
  const blocks = enc.length > MAX_ENC_CHARS ? undefined : dearmour(Buffer.from(enc, 'latin1'));
  const [block, second] = blocks ?? [];
  if (block?.kind !== 'MESSAGE' || second !== undefined || block.bytes.length > MAX_MESSAGE_BYTES) return undefined;
  const packets = packetsOf(block.bytes, MAX_PACKETS);
  const data = packets?.at(-1)?.tag;
  // Data without integrity protection could be changed unseen: sops never writes it.
  if (packets === undefined || (data !== TAG.protectedData && data !== TAG.aeadData)) return undefined;
  const wrapped = packets.slice(0, -1);
  if (wrapped.length === 0 || wrapped.some(({ tag, body }) => tag !== TAG.wrappedKey || body.length < 9)) {
    return undefined;
  }
  const keyIds = wrapped.map(({ body }) => Buffer.from(body.subarray(1, 9)).toString('hex').toUpperCase());
  return { bytes: block.bytes, keyIds };
}

const CONFIG: PartialConfig = {
  maxDecompressedMessageSize: MAX_CONTENT_BYTES,
  allowUnauthenticatedMessages: false,
  enforceGrammar: true,
  showVersion: false,
  showComment: false,
};

/** The key stays as it was in the file, in memory of its own. Made of a key whose secret parts are open. */
export function pgpIdentity(key: PgpKeyBlock): PgpIdentity {
  const ids = key.fingerprints.map(keyIdOf);
  return {
    kind: 'pgp',
    recipient: key.fingerprint,
    fingerprints: key.fingerprints,
    open: async (message) => {
      if (!message.keyIds.some((id) => ids.includes(id) || id === HIDDEN)) return { outcome: 'not-for-us' };
      const payload = await openWith(key.bytes, message);
      if (payload !== undefined) return { outcome: 'opened', payload };
      return { outcome: message.keyIds.some((id) => ids.includes(id)) ? 'damaged' : 'not-for-us' };
    },
  };
}

async function openWith(key: Sensitive, { bytes }: PgpMessage): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { decrypt, readMessage, readPrivateKey } = await import('openpgp');
  try {
    const decryptionKeys = await readPrivateKey({ binaryKey: key.reveal(), config: CONFIG });
    const message = await readMessage({ binaryMessage: bytes, config: CONFIG });
    const { data } = await decrypt({ message, decryptionKeys, format: 'binary', config: CONFIG });
    const own = ownCopy(data);
    data.fill(0);
    return own;
  } catch (thrown) {
    // The library throws what its parsers met; that says nothing a person can use, and may quote bytes.
    if (thrown instanceof Error) return undefined;
    throw thrown;
  }
}

/** The same key with its secret parts open; undefined for another passphrase. The library takes it as a string only. */
export async function unlockPgpKey(key: PgpKeyBlock, passphrase: Uint8Array): Promise<PgpKeyBlock | undefined> {
  const { decryptKey, readPrivateKey } = await import('openpgp');
  const config: PartialConfig = { ...CONFIG, maxArgon2MemoryExponent: MAX_ARGON2_MEMORY_EXPONENT };
  let opened: PrivateKey;
  try {
    const privateKey = await readPrivateKey({ binaryKey: key.bytes.reveal(), config });
    opened = await decryptKey({ privateKey, passphrase: Buffer.from(passphrase).toString('utf8'), config });
  } catch (thrown) {
    if (thrown instanceof Error) return undefined;
    throw thrown;
  }
  const bytes = opened.write();
  const own = Sensitive.adopt(ownCopy(bytes));
  bytes.fill(0);
  return { ...key, isLocked: false, bytes: own };
}

/** 256 MiB. */
const MAX_ARGON2_MEMORY_EXPONENT = 18;

/** Someone with an OpenPGP key, and the public part of it. */
export interface PgpRecipient {
  readonly kind: 'pgp';
  /** As the rule has it and the file will: a fingerprint, with `!` behind it when exactly that subkey is meant. */
  readonly fingerprint: string;
  readonly key: PgpKeyBlock;
}

/** Blanks are for the eye only; a long key id is enough where the keys at hand tell whose it is. */
export function isPgpFingerprint(text: string): boolean {
  return /^(?:0x)?(?:[0-9A-Fa-f]{40}|[0-9A-Fa-f]{16})!?$/.test(text.replaceAll(' ', ''));
}

/** Whether a name of a key, as rules and files have it, is the one of these fingerprints. */
export function namesKey(name: string, fingerprints: readonly string[]): boolean {
  const wanted = bareFingerprint(name);
  return isPgpFingerprint(name) && fingerprints.some((fingerprint) => fingerprint.endsWith(wanted));
}

export function bareFingerprint(name: string): string {
  return name.replaceAll(' ', '').replace(/^0x/, '').replace(/!$/, '').toUpperCase();
}

/** The data key as an armoured message to one key. Throws SottoError for a key that must not be encrypted to. */
export async function wrapForPgp(dataKey: Uint8Array, { fingerprint, key }: PgpRecipient): Promise<string> {
  const { createMessage, encrypt, readKey } = await import('openpgp');
  const subkey = fingerprint.endsWith('!')
    ? key.fingerprints.find((each) => each.endsWith(bareFingerprint(fingerprint)))
    : undefined;
  try {
    const publicKey = await readKey({ binaryKey: key.bytes.reveal(), config: CONFIG });
    const wanted = publicKey
      .getKeys()
      .find((each) => each.getFingerprint().toUpperCase() === subkey)
      ?.getKeyID();
    return await encrypt({
      message: await createMessage({ binary: dataKey }),
      encryptionKeys: publicKey,
      ...(wanted === undefined ? {} : { encryptionKeyIDs: [wanted] }),
      config: CONFIG,
    });
  } catch (thrown) {
    if (!(thrown instanceof Error)) throw thrown;
    throw cannotEncrypt(fingerprint, thrown.message);
  }
}

function cannotEncrypt(fingerprint: string, message: string): SottoError {
  const why = /revoked/.test(message)
    ? 'it was revoked'
    : /expired/.test(message)
      ? 'it has expired'
      : 'it has no part that may encrypt and is of a kind known here';
  return new SottoError({
    code: 'SOTTO-SOPS-061',
    what: `nothing can be encrypted for OpenPGP key ${fingerprint}`,
    why,
    next: 'ask its owner for the key as it is now: gpg --armor --export FINGERPRINT',
  });
}
