import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER = 'aes-256-gcm';

/** What the agent keeps in ConfigMaps for itself alone: nonce, tag, then the compressed text, encrypted. */
export function sealText(text: string, key: KeyObject, boundTo: Uint8Array): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(boundTo);
  const sealed = Buffer.concat([cipher.update(gzipSync(text)), cipher.final()]);
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
