import { createHash } from 'node:crypto';

const ALGORITHMS = ['md5', 'sha1', 'sha256', 'sha512'];
const FORMS = ['hex', 'base64', 'base64url'] as const;
/** Enough to be no chance, few enough to find what is shown in short. */
const SEEN = 12;

/** Beginnings of the digests of each value, and of its base64 as a Secret has it: without a key they tell which it is. */
export function digestsOf(values: readonly string[]): ReadonlySet<string> {
  const texts = values.flatMap((value) => [value, Buffer.from(value).toString('base64')]);
  const digests = texts.flatMap((text) => ALGORITHMS.map((name) => createHash(name).update(text).digest()));
  return new Set(digests.flatMap((digest) => FORMS.map((form) => begin(digest.toString(form)))));
}

/** How many places hold one. */
export function countDigests(bytes: Uint8Array, digests: ReadonlySet<string>): number {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  // Capped: a word of megabytes is more than the engine can hold.
  const words = [/[0-9a-f]{12,512}/gi, /[a-z0-9+/]{12,512}/gi, /[a-z0-9_-]{12,512}/gi].flatMap(
    (form) => text.match(form) ?? [],
  );
  return new Set(words.filter((word) => digests.has(begin(word)) || digests.has(begin(word).toLowerCase()))).size;
}

function begin(text: string): string {
  return text.slice(0, SEEN);
}
