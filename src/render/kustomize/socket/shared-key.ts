import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { TlsOptions } from 'node:tls';
import { badToken } from '../renderer-failure.ts';

/** Agent and renderer in two Pods know each other by one Secret, mounted as a file into both (ADR 18). */
export type SharedKey = () => KeyObject;

const MIN_TOKEN_BYTES = 32;
const MAX_TOKEN_BYTES = 4_096;
const IDENTITY = 'sotto-renderer';

/**
 * One suite: both sides prove that they know the key, what passes is encrypted and cannot be said again, and a key that
 * gets known later opens nothing that was recorded. No certificates that could expire.
 */
const SUITE = { ciphers: 'ECDHE-PSK-CHACHA20-POLY1305', minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;

/** Read with each connection, so that a new token needs no restart. The key throws SottoError. */
export function sharedKey(file: string): SharedKey {
  return () => {
    const token = readToken(file);
    try {
      return createSecretKey(
        Buffer.from(hkdfSync('sha256', token.subarray(0, lengthOf(token)), '', 'sotto renderer 1', 32)),
      );
    } finally {
      token.fill(0);
    }
  };
}

function readToken(file: string): Buffer {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch {
    throw badToken(file, 'the file is not there or cannot be read');
  }
  if (lengthOf(bytes) >= MIN_TOKEN_BYTES && bytes.length <= MAX_TOKEN_BYTES) return bytes;
  bytes.fill(0);
  throw badToken(file, `it holds fewer than ${MIN_TOKEN_BYTES} or more than ${MAX_TOKEN_BYTES} bytes`);
}

/** Editors and `echo` end a file with a line break. */
function lengthOf(bytes: Uint8Array): number {
  let length = bytes.length;
  while (length > 0 && (bytes[length - 1] === 0x0a || bytes[length - 1] === 0x0d)) length -= 1;
  return length;
}

export function serverTls(key: SharedKey): TlsOptions {
  return { ...SUITE, pskCallback: (_socket, identity) => (identity === IDENTITY ? exported(key) : null) };
}

/** Throws SottoError: the key is read before anything is connected. */
export function clientTls(key: SharedKey) {
  const psk = key().export();
  return {
    ...SUITE,
    pskCallback: () => ({ psk, identity: IDENTITY }),
    // There is no certificate: who knows the key is the renderer.
    checkServerIdentity: () => undefined,
  };
}

/** A server without a token lets nobody in; that it has none was said when it began. */
function exported(key: SharedKey): Buffer | null {
  try {
    return key().export();
  } catch {
    return null;
  }
}
