import { createHash } from 'node:crypto';

/** The id that git gives a content, without git. */
export function blobIdOf(content: Uint8Array): string {
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
}
