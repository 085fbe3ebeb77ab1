import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { expect } from 'vitest';
import { SottoError } from '../../src/core/errors.ts';
import { type AgeIdentity, parseAgeIdentities } from '../../src/sops/age.ts';
import { decryptSops } from '../../src/sops/decrypt.ts';
import { encryptSops, type EncryptOptions } from '../../src/sops/encrypt.ts';
import type { SopsFormat } from '../../src/sops/file.ts';

export interface KeyPair {
  readonly recipient: string;
  readonly identity: string;
  readonly identities: readonly AgeIdentity[];
}

export async function newKeyPair(): Promise<KeyPair> {
  const identity = await generateX25519Identity();
  const identities = parseAgeIdentities(new TextEncoder().encode(identity));
  return { identity, identities, recipient: await identityToRecipient(identity) };
}

export function encrypted(text: string, recipient: string, options: Partial<EncryptOptions> = {}): Promise<string> {
  return encryptSops(text, {
    format: 'yaml',
    file: 'a.yaml',
    recipients: [recipient],
    now: new Date('2026-01-02T03:04:05.678Z'),
    ...options,
  });
}

export async function decrypted(
  text: string,
  identities: readonly AgeIdentity[],
  format: SopsFormat = 'yaml',
): Promise<string> {
  using clear = await decryptSops(text, format, 'a.yaml', identities);
  return Buffer.from(clear.reveal()).toString();
}

/** Any input ends in a value or a coded error. */
export async function valueOrCode(attempt: () => unknown): Promise<void> {
  try {
    await attempt();
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(SottoError);
  }
}

/** What came of it: the code and the place, or `none`. */
export async function refusal(attempt: () => unknown): Promise<{ code: string; line?: number; key?: string }> {
  try {
    await attempt();
  } catch (thrown) {
    if (!(thrown instanceof SottoError)) throw thrown;
    const { line, key } = thrown.place;
    return { code: thrown.code, ...(line === undefined ? {} : { line }), ...(key === undefined ? {} : { key }) };
  }
  return { code: 'none' };
}
