import { randomFillSync, webcrypto } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { forgetCopied } from '../core/sensitive.ts';
import { byteLength, type Enc, type EncType, formatEnc, TAG_BYTES } from './enc.ts';

/** sops writes 32-byte nonces; WebCrypto derives the counter block from any length as GCM says. */
const NONCE_BYTES = 32;

/** The additional data that binds a value to its place: the map keys, list indices left out (spec 2.1). */
export function pathAad(path: readonly string[]): Uint8Array<ArrayBuffer> {
  return bytesOf(`${path.join(':')}:`);
}

export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(new ArrayBuffer(Buffer.byteLength(text)));
  Buffer.from(bytes.buffer).write(text);
  return bytes;
}

/**
 * The plaintext, in memory of its own that the caller wipes; undefined when the tag does not fit. WebCrypto and not
 * `createDecipheriv`, which leaves a copy in a block it frees (spec/memory.md, R2).
 */
export async function openEnc(
  enc: Enc,
  aad: Uint8Array<ArrayBuffer>,
  key: webcrypto.CryptoKey,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const dataBytes = byteLength(enc.data);
  const sealed = Buffer.from(new ArrayBuffer(dataBytes + TAG_BYTES));
  sealed.write(enc.data, 0, 'base64');
  sealed.write(enc.tag, dataBytes, 'base64');
  const iv = Buffer.from(enc.iv, 'base64');
  try {
    const opened = await webcrypto.subtle.decrypt(
      { name: 'AES-GCM', iv, additionalData: aad, tagLength: TAG_BYTES * 8 },
      key,
      sealed,
    );
    forgetCopied();
    return new Uint8Array(opened);
  } catch (thrown) {
    if (thrown instanceof DOMException && thrown.name === 'OperationError') return undefined;
    throw thrown;
  }
}

/** `ENC[…]` of a plaintext with a fresh nonce. The caller keeps and wipes the plaintext. */
export async function sealEnc(
  plaintext: Uint8Array<ArrayBuffer>,
  type: EncType,
  aad: Uint8Array<ArrayBuffer>,
  key: webcrypto.CryptoKey,
): Promise<string> {
  const iv = randomFillSync(new Uint8Array(NONCE_BYTES));
  const sealed = Buffer.from(
    await webcrypto.subtle.encrypt(
      { name: 'AES-GCM', iv, additionalData: aad, tagLength: TAG_BYTES * 8 },
      key,
      plaintext,
    ),
  );
  return formatEnc({
    data: sealed.toString('base64', 0, plaintext.length),
    iv: Buffer.from(iv.buffer).toString('base64'),
    tag: sealed.toString('base64', plaintext.length),
    type,
  });
}

/** Both lengths that have a path of their own come to each of the four threads, several times. */
const OVERWRITES = 48;
const BLOCK_BYTES = 16;

/**
 * OpenSSL leaves the last block that it opened in a register of the thread, and a signal puts registers on the stack of
 * the thread, where they stay (seen with a process that was stopped and went on; spec/memory.md 4 has it of answers). The
 * same work on zeros, once everything is opened, takes its place. One after the other: the thread of the pool that has
 * waited longest takes the next, where many at once may all go to the first that wakes.
 */
export async function overwriteLastOpened(): Promise<void> {
  const zeros = new Uint8Array(new ArrayBuffer(2 * BLOCK_BYTES));
  const key = await webcrypto.subtle.importKey('raw', zeros, 'AES-GCM', false, ['encrypt']);
  const iv = zeros.subarray(0, NONCE_BYTES);
  for (let at = 0; at < OVERWRITES; at += 1) {
    const clear = zeros.subarray(0, at % 3 === 0 ? BLOCK_BYTES - 1 : BLOCK_BYTES);
    await webcrypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, clear);
    await sleep(1);
  }
}
