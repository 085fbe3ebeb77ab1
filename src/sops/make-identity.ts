import { randomFillSync } from 'node:crypto';
import { rfc3339 } from '../core/clock.ts';
import { ownedBytes, Sensitive } from '../core/sensitive.ts';
import { encodeBech32Bytes } from './bech32.ts';
import { X25519Identity } from './x25519.ts';

const SCALAR_BYTES = 32;

/** A new identity, and the content of its key file as age-keygen writes it. The caller wipes that. */
export interface MadeIdentity {
  readonly identity: X25519Identity;
  readonly keyFile: Sensitive;
}

export function makeIdentity(now: Date): MadeIdentity {
  const scalar = randomFillSync(ownedBytes(SCALAR_BYTES));
  let line: Uint8Array | undefined;
  try {
    const identity = new X25519Identity(scalar);
    const head = new TextEncoder().encode(`# created: ${rfc3339(now)}\n# public key: ${identity.recipient}\n`);
    line = encodeBech32Bytes('AGE-SECRET-KEY-', scalar);
    const text = ownedBytes(head.length + line.length + 1);
    text.set(head);
    text.set(line, head.length);
    text[text.length - 1] = 10;
    return { identity, keyFile: Sensitive.adopt(text) };
  } finally {
    scalar.fill(0);
    line?.fill(0);
  }
}
