import { copySecret, ownedBytes, Sensitive } from '../core/sensitive.ts';
import { writeBase64 } from './pem.ts';
import type { SealedItem } from './sealed-item.ts';
import type { FilledPart } from './template.ts';

/** An entry of `template.data` with its values in it. The caller wipes the result; the values stay the owner's. */
export function fillParts(parts: readonly FilledPart[], valueOf: (item: SealedItem) => Sensitive): Sensitive {
  const pieces = parts.map((part) => filled(part, valueOf));
  try {
    return joined(pieces.map(({ bytes }) => bytes));
  } finally {
    for (const { bytes, isOwned } of pieces) if (isOwned) bytes.fill(0);
  }
}

interface Filled {
  readonly bytes: Uint8Array;
  readonly isOwned: boolean;
}

function filled(part: FilledPart, valueOf: (item: SealedItem) => Sensitive): Filled {
  if (part.kind === 'text') return { bytes: new TextEncoder().encode(part.text), isOwned: true };
  if (part.kind === 'item') return { bytes: valueOf(part.item).reveal(), isOwned: false };
  const inner = filled(part.of, valueOf);
  const bytes = ownedBytes(Math.ceil(inner.bytes.length / 3) * 4);
  writeBase64(inner.bytes, bytes, 0);
  if (inner.isOwned) inner.bytes.fill(0);
  return { bytes, isOwned: true };
}

function joined(pieces: readonly Uint8Array[]): Sensitive {
  const bytes = ownedBytes(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    copySecret(piece, bytes, at);
    at += piece.length;
  }
  return Sensitive.adopt(bytes);
}
