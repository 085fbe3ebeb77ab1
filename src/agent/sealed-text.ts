import { createCipheriv, createDecipheriv, type KeyObject, randomBytes, webcrypto } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { ownedBytes } from '../core/sensitive.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER = 'aes-256-gcm';

/** What the agent keeps in ConfigMaps for itself alone: nonce, tag, then the compressed text, encrypted. */
export function sealText(text: string, key: KeyObject, boundTo: Uint8Array): Buffer {
  return sealBytes(gzipSync(text), key, boundTo);
}

/** The same of bytes as they are. The caller keeps and wipes them. */
export function sealBytes(bytes: Uint8Array, key: KeyObject, boundTo: Uint8Array): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(boundTo);
  const sealed = Buffer.concat([cipher.update(bytes), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
}

/** The compressed text; undefined for what this key has not sealed so, whole and unchanged. */
export function openText(bytes: Uint8Array, key: KeyObject, boundTo: Uint8Array): Buffer | undefined {
  const from = NONCE_BYTES + TAG_BYTES;
  if (bytes.length < from) return undefined;
  const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(boundTo);
  decipher.setAuthTag(bytes.subarray(NONCE_BYTES, from));
  const packed = decipher.update(bytes.subarray(from));
  try {
    return Buffer.concat([packed, decipher.final()]);
  } catch {
    return undefined;
  }
}

/**
 * What `sealBytes` has sealed, in memory of its own that the caller wipes; undefined as above. WebCrypto, because a decipher
 * leaves a copy in a block that it frees (spec/memory.md, R2).
 */
export async function openBytes(
  bytes: Uint8Array,
  key: KeyObject,
  boundTo: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const from = NONCE_BYTES + TAG_BYTES;
  if (bytes.length < from) return undefined;
  // The tag stands behind the ciphertext there.
  const sealed = ownedBytes(bytes.length - NONCE_BYTES);
  sealed.set(bytes.subarray(from));
  sealed.set(bytes.subarray(NONCE_BYTES, from), bytes.length - from);
  const iv = Buffer.from(bytes.subarray(0, NONCE_BYTES));
  const how = { name: 'AES-GCM', iv, additionalData: boundTo, tagLength: TAG_BYTES * 8 };
  try {
    return new Uint8Array(await webcrypto.subtle.decrypt(how, key.toCryptoKey('AES-GCM', false, ['decrypt']), sealed));
  } catch (thrown) {
    if (thrown instanceof DOMException && thrown.name === 'OperationError') return undefined;
    throw thrown;
  }
}
