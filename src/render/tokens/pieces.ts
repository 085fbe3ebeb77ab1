import type { Piece, SecretRef } from '../../core/closed.ts';
import { SottoError } from '../../core/errors.ts';
import type { Place } from './findings.ts';

/** A part of a text that stands for a secret. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly piece: Piece;
}

/** A text with the parts of it that stand for secrets, in order. Text that is not UTF-8 has a character for each byte. */
export interface Spanned {
  readonly text: string;
  readonly encoding: 'utf8' | 'latin1';
  readonly spans: readonly Span[];
  readonly place: Place;
}

export function literal(text: string, encoding: 'utf8' | 'latin1'): readonly Piece[] {
  return text === '' ? [] : [{ kind: 'literal', bytes: Buffer.from(text, encoding) }];
}

/** The pieces of a part of the text; a span is in it or out of it. */
export function cut({ text, encoding, spans, place }: Spanned, from: number, to: number): readonly Piece[] {
  const pieces: Piece[] = [];
  let at = from;
  for (const span of spans) {
    if (span.end <= from || span.start >= to) continue;
    if (span.start < from || span.end > to) throw unfit(place, 'it stands across the border of a value');
    pieces.push(...literal(text.slice(at, span.start), encoding), span.piece);
    at = span.end;
  }
  return [...pieces, ...literal(text.slice(at, to), encoding)];
}

export function hasSecret(pieces: readonly Piece[]): boolean {
  return pieces.some((piece) => piece.kind !== 'literal');
}

/** The references of pieces, in order. */
export function refsOf(pieces: readonly Piece[]): SecretRef[] {
  return pieces.flatMap((piece): SecretRef[] => {
    if (piece.kind === 'literal') return [];
    if (piece.kind === 'value') return [piece.ref];
    return refsOf(piece.kind === 'yaml' ? piece.scalar.meaning : piece.of);
  });
}

export function unfit(place: Place, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-047',
    what: 'a secret does not fit into the text around it',
    why,
    next: 'give the secret an entry of its own, and let the program put the text together',
    ...place,
  });
}
