import { createHmac, createSecretKey, randomFillSync, timingSafeEqual } from 'node:crypto';
import { ownedBytes, Sensitive } from '../core/sensitive.ts';
import { unsealText } from '../sealed/unseal.ts';
import { openAgeFile, parseAgeFile } from '../sops/age-file.ts';
import type { OpeningKeys } from './ring.ts';

/**
 * A proof that whoever answers holds a private key: it is sent a nonce that only this key opens, and answers with a MAC
 * that only who has the nonce can make. What a canary holds begins with words that nothing else encrypted begins with,
 * and a sealed one is bound to a label that no SealedSecret has: so no other secret is ever answered for.
 */
const WORDS = new TextEncoder().encode('sotto canary 1\n\n');
const NONCE_BYTES = 32;
export const CANARY_LABEL: Uint8Array<ArrayBuffer> = new TextEncoder().encode('sotto canary');

/** The keys that may have to be proved. */
export type CanaryKeys = Pick<OpeningKeys, 'ageIdentities' | 'sealingKeys'>;

/** What is encrypted for the new key. The caller wipes it. */
export function newCanary(): Sensitive {
  const bytes = ownedBytes(WORDS.length + NONCE_BYTES);
  randomFillSync(bytes);
  bytes.set(WORDS);
  return Sensitive.adopt(bytes);
}

/** The answer, bound to the name of the key; undefined for what is no canary. */
export function canaryProof(content: Sensitive, key: string): string | undefined {
  const bytes = content.reveal();
  if (bytes.length !== WORDS.length + NONCE_BYTES || !Buffer.from(bytes.subarray(0, WORDS.length)).equals(WORDS))
    return undefined;
  const nonce = createSecretKey(bytes.subarray(WORDS.length));
  return createHmac('sha256', nonce).update(`sotto/v1/canary\n${key}`).digest('base64url');
}

export function isCanaryProof(answer: string, content: Sensitive, key: string): boolean {
  const expected = Buffer.from(canaryProof(content, key) ?? '');
  const given = Buffer.from(answer);
  return given.length === expected.length && expected.length > 0 && timingSafeEqual(given, expected);
}

/** The proof for a canary that a key of this name opens; undefined when the keys do not, or it is none. */
export async function answerFor(sealed: string, key: string, keys: CanaryKeys): Promise<string | undefined> {
  const content = key.startsWith('age1') ? byAge(sealed, key, keys) : await bySealingKey(sealed, key, keys);
  if (content === undefined) return undefined;
  using opened = content;
  return canaryProof(opened, key);
}

function byAge(sealed: string, key: string, { ageIdentities }: CanaryKeys): Sensitive | undefined {
  const file = parseAgeFile(sealed);
  const identities = ageIdentities.filter(({ recipient }) => recipient === key);
  const opened = file === undefined ? undefined : openAgeFile(file, identities);
  return opened?.outcome === 'opened' ? Sensitive.adopt(opened.payload) : undefined;
}

async function bySealingKey(sealed: string, key: string, { sealingKeys }: CanaryKeys): Promise<Sensitive | undefined> {
  const own = sealingKeys.filter(({ fingerprint }) => fingerprint === key);
  return unsealText(sealed, CANARY_LABEL, own);
}
