import type { Recipient, Stanza } from 'age-encryption';
import { createCipheriv, randomBytes, randomFillSync } from 'node:crypto';
import { ownedBytes } from '../core/sensitive.ts';
import { AGE_BEGIN, AGE_END, CHUNK_BYTES, deriveKey, FILE_KEY_BYTES, headerMac, NONCE_BYTES } from './age-file.ts';
import { unpaddedBase64 } from './age-stanza.ts';

/**
 * Writer of armoured age files, beside the reader in age-file.ts. Not by age-encryption, whose stream keeps what it encrypts in
 * a buffer of its own that nobody overwrites: a private key encrypted for recovery stayed in the agent for good.
 */

const LINE_BYTES = 48;
const ARMOUR_LINE = 64;
const COUNTER_AT = 7;
const LAST_AT = 11;
const STREAM_NONCE_BYTES = 12;
const TAG = { authTagLength: 16 };

/** One file for all of them. The caller keeps and wipes the bytes. */
export async function writeAgeFile(bytes: Uint8Array, recipients: readonly Recipient[]): Promise<string> {
  const fileKey = randomFillSync(ownedBytes(FILE_KEY_BYTES));
  try {
    const stanzas: Stanza[] = [];
    for (const recipient of recipients) stanzas.push(...(await recipient.wrapFileKey(fileKey)));
    const header = headerOf(stanzas);
    const mac = Buffer.from(` ${unpaddedBase64(headerMac(header, fileKey))}\n`);
    const nonce = randomBytes(NONCE_BYTES);
    return armoured(Buffer.concat([header, mac, nonce, ...sealedChunks(bytes, fileKey, nonce)]));
  } finally {
    fileKey.fill(0);
  }
}

/** Up to and with `---`, which the MAC covers. */
function headerOf(stanzas: readonly Stanza[]): Buffer {
  const lines = stanzas.flatMap(({ args, body }) => {
    const parts: string[] = [];
    // A last line that is full has an empty one behind it.
    for (let at = 0; at <= body.length; at += LINE_BYTES)
      parts.push(unpaddedBase64(body.subarray(at, at + LINE_BYTES)));
    return [`-> ${args.join(' ')}`, ...parts];
  });
  return Buffer.from(['age-encryption.org/v1', ...lines, '---'].join('\n'), 'latin1');
}

/** Each with the number of it in its nonce, the last one marked; nothing at all is one chunk too. */
function sealedChunks(bytes: Uint8Array, fileKey: Uint8Array, fileNonce: Uint8Array): Buffer[] {
  const key = deriveKey(fileKey, fileNonce, 'payload');
  const chunks: Buffer[] = [];
  try {
    let at = 0;
    do {
      const piece = bytes.subarray(at, at + CHUNK_BYTES);
      const nonce = Buffer.alloc(STREAM_NONCE_BYTES);
      nonce.writeUInt32BE(chunks.length / 2, COUNTER_AT);
      at += CHUNK_BYTES;
      nonce[LAST_AT] = at >= bytes.length ? 1 : 0;
      const cipher = createCipheriv('chacha20-poly1305', key, nonce, TAG);
      chunks.push(Buffer.concat([cipher.update(piece), cipher.final()]), cipher.getAuthTag());
    } while (at < bytes.length);
    return chunks;
  } finally {
    key.fill(0);
  }
}

function armoured(file: Buffer): string {
  const lines = file.toString('base64').match(new RegExp(`.{1,${ARMOUR_LINE}}`, 'g')) ?? [];
  return [AGE_BEGIN, ...lines, AGE_END, ''].join('\n');
}
