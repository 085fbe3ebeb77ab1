import { PIECE_LENGTH, type TokenEntry, type TokenTable } from './table.ts';
import { TOKEN_LENGTH, TOKEN_MARK } from './token.ts';

/** What is left of a token in a text, in whatever disguise. */
export type Trace =
  | { readonly kind: 'whole'; readonly entry: TokenEntry; readonly layers: number }
  /** In pieces, in another case, or with something missing. */
  | { readonly kind: 'piece'; readonly entry: TokenEntry | undefined }
  /** Of the form of a token, but none of this render. */
  | { readonly kind: 'unknown' };

/** Layers of base64 that are looked into. */
const MAX_LAYERS = 2;
const MARK = TOKEN_MARK.toLowerCase();
const RUN = /[A-Za-z0-9]{5,}/g;
/** Of both alphabets: at four alignments, whatever stands before a token does not matter. */
const BASE64_RUN = /[A-Za-z0-9+/_-]{11,}/g;

/** The first trace of a token: plain, or in base64 of any alignment and alphabet, blanks in between or not. */
export function findTrace(text: string, table: TokenTable): Trace | undefined {
  if (text.length < MARK.length || table.isClear(text)) return undefined;
  const packed = text.replace(/\s+/g, '');
  const trace = traceIn(text, table, 0) ?? (packed === text ? undefined : traceIn(packed, table, 0));
  if (trace === undefined) table.noteClear(text);
  return trace;
}

function traceIn(text: string, table: TokenTable, layers: number): Trace | undefined {
  return plainTrace(text, table, layers) ?? (layers === MAX_LAYERS ? undefined : base64Trace(text, table, layers));
}

function plainTrace(text: string, table: TokenTable, layers: number): Trace | undefined {
  for (const [run] of text.matchAll(RUN)) {
    const small = run.toLowerCase();
    for (let at = 0; at + MARK.length <= run.length; at += 1) {
      const trace = small.startsWith(MARK, at) ? markTrace(run.slice(at, at + TOKEN_LENGTH), table, layers) : undefined;
      if (trace !== undefined) return trace;
      const entry = at + PIECE_LENGTH > run.length ? undefined : table.findPiece(small.slice(at, at + PIECE_LENGTH));
      if (entry !== undefined) return { kind: 'piece', entry };
    }
  }
  return undefined;
}

/**
 * The mark in its own spelling is no word, so it is refused wherever it stands. In another case it is the name of this
 * program (`sotto.dev/prune`): there it counts with all letters of a token, or as a piece of a known one. In decoded
 * bytes five letters may be chance.
 */
function markTrace(run: string, table: TokenTable, layers: number): Trace | undefined {
  const entry = table.find(run);
  if (entry !== undefined) return { kind: 'whole', entry, layers };
  const piece = table.findPiece(run.slice(0, PIECE_LENGTH).toLowerCase());
  if (piece !== undefined) return { kind: 'piece', entry: piece };
  if (run.length === TOKEN_LENGTH) return { kind: 'unknown' };
  return run.startsWith(TOKEN_MARK) && layers === 0 ? { kind: 'piece', entry: undefined } : undefined;
}

function base64Trace(text: string, table: TokenTable, layers: number): Trace | undefined {
  for (const [run] of text.matchAll(BASE64_RUN)) {
    for (let start = 0; start < 4; start += 1) {
      const decoded = Buffer.from(run.slice(start), 'base64').toString('latin1');
      const trace = traceIn(decoded, table, layers + 1);
      if (trace !== undefined) return trace;
    }
  }
  return undefined;
}
