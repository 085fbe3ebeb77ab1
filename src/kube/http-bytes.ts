import { forgetCopied } from '../core/sensitive.ts';
import type { Answer } from './exchange.ts';

/**
 * An HTTP/1.1 answer read from bytes that nobody else holds: the body stays where it arrived (spec/memory.md section 4).
 * Undefined while it is not complete; throws SyntaxError for what is no such answer. The pieces of a chunked body are
 * moved together in place.
 */
export function readHttpAnswer(bytes: Buffer): Answer | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd === -1) {
    if (bytes.length > MAX_HEAD_BYTES) throw new SyntaxError('no end of the head');
    return undefined;
  }
  const head = readHead(bytes.toString('latin1', 0, headEnd));
  const start = headEnd + 4;
  if (head.chunked) {
    const pieces = chunksFrom(bytes, start);
    return pieces === undefined ? undefined : { ...head.answer, bytes: joinInPlace(bytes, pieces) };
  }
  if (bytes.length < start + head.contentLength) return undefined;
  return { ...head.answer, bytes: bytes.subarray(start, start + head.contentLength) };
}

const MAX_HEAD_BYTES = 64 * 1024;

interface Head {
  readonly answer: Omit<Answer, 'bytes'>;
  readonly chunked: boolean;
  readonly contentLength: number;
}

function readHead(text: string): Head {
  const [statusLine = '', ...lines] = text.split('\r\n');
  const status = /^HTTP\/1\.1 (\d{3})(?: |$)/.exec(statusLine)?.[1];
  if (status === undefined) throw new SyntaxError('no HTTP/1.1 answer');
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }),
  );
  const chunked = headers.get('transfer-encoding') === 'chunked';
  const length = headers.get('content-length') ?? '';
  if (!chunked && !/^\d{1,9}$/.test(length)) throw new SyntaxError('no length');
  const retryAfter = headers.get('retry-after') ?? '';
  const retryAfterMs = /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) * 1000 : undefined;
  return { answer: { kind: 'answer', status: Number(status), retryAfterMs }, chunked, contentLength: Number(length) };
}

interface Piece {
  readonly start: number;
  readonly end: number;
}

function chunksFrom(bytes: Buffer, from: number): Piece[] | undefined {
  const pieces: Piece[] = [];
  let at = from;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd === -1) return undefined;
    const size = /^[0-9a-fA-F]{1,8}(?=$|;)/.exec(bytes.toString('latin1', at, Math.min(lineEnd, at + 64)))?.[0];
    if (size === undefined) throw new SyntaxError('no chunk size');
    const start = lineEnd + 2;
    const end = start + Number.parseInt(size, 16);
    if (bytes.length < end + 2) return undefined;
    // Trailers are not asked for; the end of the body is an empty chunk.
    if (end === start) return pieces;
    pieces.push({ start, end });
    at = end + 2;
  }
}

function joinInPlace(bytes: Buffer, pieces: readonly Piece[]): Buffer {
  const start = pieces[0]?.start ?? bytes.length;
  let at = start;
  for (const piece of pieces) {
    bytes.copyWithin(at, piece.start, piece.end);
    at += piece.end - piece.start;
  }
  bytes.fill(0, at);
  forgetCopied();
  return bytes.subarray(start, at);
}
