import { hash } from 'node:crypto';
import { SottoError } from '../core/errors.ts';
import { inLanes } from '../core/in-lanes.ts';
import { copySecret, forgetCopied, ownedBytes } from '../core/sensitive.ts';
import { bytesOf, openEnc, pathAad } from './cipher.ts';
import { type DataKey, wrongPlace } from './data-key.ts';
import { byteLength, parseEnc } from './enc.ts';
import type { SopsFile } from './file.ts';
import type { EncryptedValue } from './leaf.ts';
import { sopsScalar, type WholeFormat } from './scalar.ts';
import type { YamlScalar } from '../yaml/tree.ts';

/** What a MAC over encrypted values only starts with, so that it cannot pass for a full one (spec 4.3). */
export const ONLY_ENCRYPTED_PREFIX = Buffer.from(
  '8a3fd2ad54ce66527b1034f3d147be0b0b975b3bf44f72c6fdadec8176f27d69',
  'hex',
);

type MacFile = Pick<SopsFile, 'file' | 'metadata' | 'macItems'> & { readonly format: WholeFormat };

/** Values decrypted at a time. */
export const LANES = 8;

export type OpenedValues = ReadonlyMap<EncryptedValue, Uint8Array>;

/**
 * Decrypts every value and checks the MAC over all of them; values that are open already are not decrypted again. All plaintext
 * goes into one buffer that is wiped. Throws SottoError: with line and key for a value that fails its own tag, else for the file.
 */
export async function verifyMac(file: MacFile, dataKey: DataKey, open: OpenedValues = new Map()): Promise<void> {
  const { mac, lastModified, line } = file.metadata;
  const place = { file: file.file, line, key: 'sops.mac' };
  if (mac === '') throw noMac(place);
  const enc = parseEnc(mac);
  const stored = enc === undefined ? undefined : await openEnc(enc, bytesOf(lastModified), dataKey.key);
  const computed = await computeMac(file, dataKey, open);
  const fits = stored !== undefined && Buffer.from(stored.buffer).equals(computed);
  stored?.fill(0);
  computed.fill(0);
  if (!fits) throw changed(place);
}

/** Where the plaintext of an encrypted value goes. GCM keeps the length, so that is known before it is decrypted. */
interface Slot {
  readonly at: number;
  readonly value: EncryptedValue;
}

/** The MAC as its 128 upper-case hexadecimal digits. */
async function computeMac(file: MacFile, dataKey: DataKey, open: OpenedValues): Promise<Uint8Array<ArrayBuffer>> {
  const slots: Slot[] = [];
  const clear: { at: number; text: string }[] = [];
  let length = file.metadata.macOnlyEncrypted ? ONLY_ENCRYPTED_PREFIX.length : 0;
  for (const item of file.macItems) {
    if (item.kind === 'encrypted') {
      slots.push({ at: length, value: item.value });
      length += byteLength(item.value.enc.data);
      continue;
    }
    const text = item.kind === 'text' ? item.text : clearText(item.scalar, file);
    if (text === undefined) continue;
    clear.push({ at: length, text });
    length += Buffer.byteLength(text);
  }
  const plaintext = ownedBytes(length);
  try {
    if (file.metadata.macOnlyEncrypted) plaintext.set(ONLY_ENCRYPTED_PREFIX);
    for (const { at, text } of clear) Buffer.from(plaintext.buffer, at).write(text);
    const sealed = slots.filter(({ at, value }) => {
      const bytes = open.get(value);
      if (bytes !== undefined) copySecret(bytes, plaintext, at);
      return bytes === undefined;
    });
    await openInto(plaintext, sealed, file.file, dataKey);
    return macText(plaintext);
  } finally {
    plaintext.fill(0);
  }
}

/** Undefined for null, which does not count. */
function clearText(scalar: YamlScalar, { format, file }: MacFile): string | undefined {
  const value = sopsScalar(scalar, format === 'yaml' ? 'yaml' : 'json', file);
  return value.type === 'null' ? undefined : value.text;
}

async function openInto(plaintext: Uint8Array, slots: readonly Slot[], file: string, dataKey: DataKey): Promise<void> {
  const open = async ({ at, value }: Slot): Promise<void> => {
    const opened = await openEnc(value.enc, pathAad(value.path), dataKey.key);
    if (opened === undefined) throw wrongPlace(file, value);
    copySecret(opened, plaintext, at);
    opened.fill(0);
  };
  await inLanes(slots, LANES, open);
}

/** SHA-512 in one shot: a hash object keeps its last block until it is collected (spec/memory.md, R6). */
export function macText(plaintext: Uint8Array): Uint8Array<ArrayBuffer> {
  const digest = hash('sha512', plaintext, 'buffer');
  forgetCopied();
  const text = ownedBytes(digest.length * 2);
  digest.forEach((byte, at) => {
    text[at * 2] = hexDigit(byte >> 4);
    text[at * 2 + 1] = hexDigit(byte & 15);
  });
  digest.fill(0);
  return text;
}

function hexDigit(value: number): number {
  return value < 10 ? 48 + value : 55 + value;
}

function noMac(place: { file: string; line: number; key: string }): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-004',
    what: 'the file has no message authentication code',
    why: 'without sops.mac nobody can tell whether the file was changed',
    next: 'restore the file from Git history',
    ...place,
  });
}

function changed(place: { file: string; line: number; key: string }): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-001',
    what: 'the file was changed after it was encrypted',
    why: 'its message authentication code does not match its content',
    next: 'restore the file from Git history and make the change with sops or sotto',
    ...place,
  });
}
