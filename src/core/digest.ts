import { createHash } from 'node:crypto';
import type { SourceDigest } from './ids.ts';

/** Digest of what stands in Git. Never of a secret value: those have keyed digests only (architecture, Digest rule). */
export function sourceDigest(...parts: readonly (string | Uint8Array)[]): SourceDigest {
  const hash = createHash('sha256');
  // Lengths between the parts: ("ab","c") and ("a","bc") must differ.
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('hex') as SourceDigest;
}
