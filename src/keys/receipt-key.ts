import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { SottoError } from '../core/errors.ts';
import { isReceiptKeyName, publicBytesOf, type ReceiptKeyName } from '../core/receipt-key.ts';
import { copySecret, ownedBytes } from '../core/sensitive.ts';
import { type FingerprintKey, keyedDigest } from './fingerprint.ts';

/** What signs receipts. It holds no private key: that is derived for one signature at a time. */
export interface ReceiptSigner {
  readonly name: ReceiptKeyName;
  readonly sign: (text: Uint8Array) => Buffer;
}

const SIGNATURE_BYTES = 64;
/** What stands before the 32 bytes of an Ed25519 key in PKCS #8 and in SPKI (RFC 8410). */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex');
const KEY_BYTES = 32;

/** Of the agent that has this fingerprint key, and of nobody who has not (docs/adr/0061). */
export function receiptSigner(key: FingerprintKey): ReceiptSigner {
  const spki = createPublicKey(privateKeyOf(key)).export({ type: 'spki', format: 'der' });
  const name = `ed25519:${spki.subarray(SPKI_HEAD.length).toString('base64')}`;
  if (!isReceiptKeyName(name)) throw new TypeError('an Ed25519 key of another form');
  return { name, sign: (text) => sign(null, text, privateKeyOf(key)) };
}

/** What is wrong when it is not the key that the settings pin; undefined when it is, or none is pinned. */
export function receiptKeyProblem(own: ReceiptKeyName, pinned: ReceiptKeyName | undefined): SottoError | undefined {
  if (pinned === undefined || pinned === own) return undefined;
  return new SottoError({
    code: 'SOTTO-ROTATE-047',
    what: 'receipts of this agent are signed by another key than the pinned one',
    why: `it signs as ${own}, rotation.receiptKey says ${pinned}`,
    next: 'find out which one is right (sotto keys export), then correct sotto.yaml or restore the fingerprint Secret',
    key: 'rotation.receiptKey',
  });
}

/** False also for bytes that are no signature, and for a name behind which no key stands. */
export function isSignedBy(name: ReceiptKeyName, text: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES) return false;
  const der = Buffer.concat([SPKI_HEAD, publicBytesOf(name)]);
  try {
    return verify(null, text, createPublicKey({ key: der, type: 'spki', format: 'der' }), signature);
  } catch {
    return false;
  }
}

/** The seed is in these two buffers and in OpenSSL only, and the buffers are overwritten. */
function privateKeyOf(key: FingerprintKey): KeyObject {
  const seed = keyedDigest(key, 'receipt-key');
  const der = ownedBytes(PKCS8_HEAD.length + KEY_BYTES);
  try {
    der.set(PKCS8_HEAD);
    copySecret(seed, der, PKCS8_HEAD.length);
    return createPrivateKey({ key: Buffer.from(der.buffer), type: 'pkcs8', format: 'der' });
  } finally {
    seed.fill(0);
    der.fill(0);
  }
}
