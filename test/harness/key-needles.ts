import { CHUNK_BYTES, type Needles, needlesOf } from '../../src/demo/memory-scan.ts';

const PREFIX_BYTES = 6;
/** What frees a block writes into its first bytes. */
const FROM = 16;

/** Looks for a key of any bytes, from its seventeenth byte on. */
export function keyNeedles(key: Uint8Array): Needles {
  const text = Buffer.from(key).toString('latin1', FROM, FROM + CHUNK_BYTES);
  if (text.length < CHUNK_BYTES) throw new TypeError('a key that is too short to be looked for');
  return needlesOf({ prefix: text.slice(0, PREFIX_BYTES), values: [text] });
}
