import type { KeyObject } from 'node:crypto';
import { ownedBytes, Sensitive } from '../core/sensitive.ts';

const HEADER = '-----BEGIN RSA PRIVATE KEY-----\n';
const FOOTER = '-----END RSA PRIVATE KEY-----\n';
const LINE_BYTES = 48;
const ALPHABET = new TextEncoder().encode('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
const PADDING = 0x3d;
const NEWLINE = 0x0a;

/** PKCS#1 PEM of a private key, made byte by byte: KeyObject.export gives PEM as a string, which stays in memory. */
export function privateKeyPem(key: KeyObject): Sensitive {
  const der = key.export({ type: 'pkcs1', format: 'der' });
  try {
    return Sensitive.adopt(armor(der));
  } finally {
    der.fill(0);
  }
}

function armor(der: Uint8Array): Uint8Array<ArrayBuffer> {
  const lines = Math.ceil(der.length / LINE_BYTES);
  const base64Bytes = Math.ceil(der.length / 3) * 4;
  const pem = ownedBytes(HEADER.length + base64Bytes + lines + FOOTER.length);
  const encoder = new TextEncoder();
  encoder.encodeInto(HEADER, pem);
  let at = HEADER.length;
  for (let line = 0; line < der.length; line += LINE_BYTES) {
    at = writeBase64(der.subarray(line, line + LINE_BYTES), pem, at);
    pem[at++] = NEWLINE;
  }
  encoder.encodeInto(FOOTER, pem.subarray(at));
  return pem;
}

/** Returns the offset behind it. */
export function writeBase64(from: Uint8Array, to: Uint8Array, start: number): number {
  let at = start;
  for (let i = 0; i < from.length; i += 3) {
    const [a = 0, b = 0, c = 0] = from.subarray(i, i + 3);
    to[at++] = letter(a >> 2);
    to[at++] = letter(((a & 3) << 4) | (b >> 4));
    to[at++] = i + 1 < from.length ? letter(((b & 15) << 2) | (c >> 6)) : PADDING;
    to[at++] = i + 2 < from.length ? letter(c & 63) : PADDING;
  }
  return at;
}

function letter(sextet: number): number {
  return ALPHABET[sextet] ?? PADDING;
}
