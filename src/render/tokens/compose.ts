import type { Base64Alphabet, Piece } from '../../core/closed.ts';
import { isUtf8 } from '../../sops/utf8.ts';
import { type Place, unusableTrace } from './findings.ts';
import { cut, hasSecret, literal, type Span, type Spanned } from './pieces.ts';
import type { TokenTable } from './table.ts';
import { TOKEN_SHAPE } from './token.ts';
import { findTrace } from './traces.ts';
import { yamlPieces } from './yaml-text.ts';

/** Layers of base64 around a secret that are kept. */
const MAX_LAYERS = 2;
const BASE64_RUN = /[A-Za-z0-9+/]{44,}={0,2}|[A-Za-z0-9_-]{44,}={0,2}/g;

/** How the text around a secret is written: that of kustomize is joined raw. */
export interface TextRules {
  readonly table: TokenTable;
  readonly place: Place;
}

/**
 * A text of a Secret with its tokens as references: undefined when there is none in it. Which form a value takes is
 * told by the text around it, and whether it fits there by the fill step. Throws SottoError for what is left of a
 * token that cannot be filled.
 */
export function compose(text: Uint8Array, rules: TextRules): readonly Piece[] | undefined {
  const pieces = piecesOf(text, rules, 0);
  return hasSecret(pieces) ? pieces : undefined;
}

function piecesOf(bytes: Uint8Array, rules: TextRules, layers: number): readonly Piece[] {
  const encoding = isUtf8(bytes) ? 'utf8' : 'latin1';
  const text = Buffer.from(bytes).toString(encoding);
  const whole = rules.table.find(text);
  if (whole !== undefined) return [{ kind: 'value', ref: whole.ref }];
  const spans = spansOf(text, rules, layers);
  refuseRemains(text, spans, rules);
  if (spans.length === 0) return literal(text, encoding);
  const spanned: Spanned = { text, encoding, spans, place: rules.place };
  if (encoding === 'latin1') return cut(spanned, 0, text.length);
  if (isJson(text)) return jsonPieces(spanned);
  return yamlPieces(spanned) ?? cut(spanned, 0, text.length);
}

function spansOf(text: string, rules: TextRules, layers: number): Span[] {
  const spans: Span[] = [];
  for (const match of text.matchAll(TOKEN_SHAPE)) {
    const entry = rules.table.find(match[0]);
    if (entry === undefined) continue;
    spans.push({
      start: match.index,
      end: match.index + match[0].length,
      piece: { kind: 'value', ref: entry.ref },
    });
  }
  if (layers < MAX_LAYERS) spans.push(...base64Spans(text, spans, rules, layers));
  return spans.toSorted((a, b) => a.start - b.start);
}

function base64Spans(text: string, plain: readonly Span[], rules: TextRules, layers: number): Span[] {
  return [...text.matchAll(BASE64_RUN)].flatMap((match): Span[] => {
    const [run] = match;
    const start = match.index;
    const end = start + run.length;
    if (plain.some((span) => span.start < end && span.end > start)) return [];
    const decoded = decodeExactly(run);
    if (decoded === undefined) return [];
    if (findTrace(decoded.bytes.toString('latin1'), rules.table) === undefined) return [];
    const of = piecesOf(decoded.bytes, rules, layers + 1);
    return hasSecret(of) ? [{ start, end, piece: { kind: 'base64', of, alphabet: decoded.alphabet } }] : [];
  });
}

/** Undefined unless the run is what encoding gives again: else the text could not be written like it was. */
function decodeExactly(run: string): { readonly bytes: Buffer; readonly alphabet: Base64Alphabet } | undefined {
  const bytes = Buffer.from(run, 'base64');
  for (const letters of ['standard', 'url'] as const) {
    for (const padded of [true, false]) {
      if (encode(bytes, { letters, padded }) === run) return { bytes, alphabet: { letters, padded } };
    }
  }
  return undefined;
}

function encode(bytes: Buffer, { letters, padded }: Base64Alphabet): string {
  const text = bytes.toString(letters === 'standard' ? 'base64' : 'base64url').replace(/=+$/, '');
  return padded ? text.padEnd(Math.ceil(text.length / 4) * 4, '=') : text;
}

/** Everything that is not going to be filled is looked at as if it stood outside of a Secret. */
function refuseRemains(text: string, spans: readonly Span[], { table, place }: TextRules): void {
  let at = 0;
  let rest = '';
  for (const { start, end } of spans) {
    // A blank that no alphabet has: what stands left and right of a secret is not joined.
    rest += `${text.slice(at, start)}\0`;
    at = end;
  }
  const trace = findTrace(rest + text.slice(at), table);
  if (trace !== undefined) throw unusableTrace(trace, place);
}

/** A JSON object, list or string. */
function isJson(text: string): boolean {
  if (!/^\s*[{["]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Tokens are letters and digits, so in JSON they stand inside of strings. */
function jsonPieces({ text, encoding, spans }: Spanned): readonly Piece[] {
  let at = 0;
  const pieces: Piece[] = [];
  for (const { start, end, piece } of spans) {
    pieces.push(...literal(text.slice(at, start), encoding), { kind: 'json', of: [piece] });
    at = end;
  }
  return [...pieces, ...literal(text.slice(at), encoding)];
}
