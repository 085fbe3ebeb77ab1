import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readHttpAnswer } from '../../src/kube/http-bytes.ts';

function chunked(pieces: readonly Uint8Array[]): Buffer {
  const parts = pieces.flatMap((piece) => [
    Buffer.from(`${piece.length.toString(16)}\r\n`),
    piece,
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([
    Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'),
    ...parts,
    Buffer.from('0\r\n\r\n'),
  ]);
}

describe('readHttpAnswer', () => {
  it('gives the body of a chunked answer once it is whole, whatever the chunks', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 8 }),
        fc.nat(),
        (pieces, cut) => {
          const bytes = chunked(pieces);
          expect(readHttpAnswer(bytes.subarray(0, cut % bytes.length))).toBeUndefined();
          expect(readHttpAnswer(bytes)?.bytes).toEqual(Buffer.concat(pieces));
        },
      ),
    );
  });

  it('gives the body of an answer with a length, and its status and wait', () => {
    const bytes = Buffer.from('HTTP/1.1 429 Too Many Requests\r\ncontent-LENGTH: 3\r\nRetry-After: 2\r\n\r\nabc');
    expect(readHttpAnswer(bytes)).toEqual({
      kind: 'answer',
      status: 429,
      retryAfterMs: 2000,
      bytes: Buffer.from('abc'),
    });
    expect(readHttpAnswer(bytes.subarray(0, -1))).toBeUndefined();
  });

  it('leaves nothing of the body behind the place where it was joined', () => {
    const bytes = chunked([Buffer.from('secret-1'), Buffer.from('secret-2')]);
    const answer = readHttpAnswer(bytes);
    answer?.bytes.fill(0);
    expect(bytes.includes('secret')).toBe(false);
  });

  it('ends in a SyntaxError, an answer or the wish for more on any bytes', () => {
    const heads = [
      '',
      'HTTP/1.1 200 OK\r\n\r\n',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
      'HTTP/1.1 200\r\nContent-Length: 5\r\n\r\n',
    ];
    fc.assert(
      fc.property(fc.constantFrom(...heads), fc.string(), (head, rest) => {
        try {
          readHttpAnswer(Buffer.from(head + rest));
        } catch (error) {
          expect(error).toBeInstanceOf(SyntaxError);
        }
      }),
    );
  });
});
