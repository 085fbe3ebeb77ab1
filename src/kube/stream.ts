import type { IncomingMessage } from 'node:http';
import { LIMITS } from '../core/limits.ts';
import type { Answer, Exchange, NoAnswer } from './exchange.ts';
import { collect, errorCode, openRequest } from './exchange.ts';

/** A 200 whose body goes on. Nothing is read before `readLines`. */
export interface OpenedStream {
  readonly kind: 'stream';
  readonly response: IncomingMessage;
  /** Ends the connection. */
  close(): void;
}

export type StreamReply = OpenedStream | Answer | NoAnswer;

export interface StreamRequest
  extends Pick<Exchange, 'server' | 'agent' | 'method' | 'path' | 'headers' | 'timeoutMs' | 'signal'> {
  /** Idle time after which the kernel asks whether the other side is still there. */
  readonly keepAliveMs: number;
}

/** Opens a stream: the deadline holds until the head is there, the signal until the end. Never rejects. */
export function openStream(request: StreamRequest): Promise<StreamReply> {
  const { promise, resolve } = Promise.withResolvers<StreamReply>();
  const req = openRequest(request);
  const fail = (cause: NoAnswer['cause'], detail: string): void => {
    clearTimeout(timer);
    req.destroy();
    resolve({ kind: 'none', cause, detail, bodySent: false, staleConnection: false });
  };
  const settle = (answer: Answer): void => {
    clearTimeout(timer);
    resolve(answer);
  };
  const onAbort = (): void => fail('aborted', 'aborted');
  const timer = setTimeout(() => fail('timeout', `no answer within ${request.timeoutMs} ms`), request.timeoutMs);
  req.on('error', (error) => fail('unreachable', errorCode(error)));
  req.on('close', () => request.signal?.removeEventListener('abort', onAbort));
  req.on('socket', (socket) => socket.setKeepAlive(true, request.keepAliveMs));
  req.on('response', (response) => {
    if (response.statusCode === 200) {
      clearTimeout(timer);
      resolve({ kind: 'stream', response, close: () => req.destroy() });
      return;
    }
    collect(response, { maxAnswerBytes: LIMITS.maxErrorBodyBytes, wipeChunks: false }, settle, fail);
  });
  request.signal?.addEventListener('abort', onAbort, { once: true });
  if (request.signal?.aborted === true) onAbort();
  req.end();
  return promise;
}

export type LinesEnd<Stop> =
  /** The server ended the body as HTTP ends one. */
  | { readonly kind: 'closed' }
  | { readonly kind: 'broken'; readonly detail: string }
  /** Nothing came for the time asked; the connection is still open. */
  | { readonly kind: 'silent' }
  | { readonly kind: 'too-long' }
  /** `onLine` returned something. */
  | { readonly kind: 'stopped'; readonly value: Stop };

export interface LinesOptions<Stop> {
  readonly maxLineBytes: number;
  /** Asked again after every piece that arrived. */
  readonly silenceMs: () => number;
  /** What arrived is overwritten once its lines were handed over. */
  readonly wipe: boolean;
  /** One line without its end, valid during the call. Undefined: go on. What it throws ends the reading and is thrown. */
  readonly onLine: (line: Buffer) => Stop | undefined;
}

const LINE_FEED = 0x0a;

/** Reads lines until something ends it. Closes nothing. */
export function readLines<Stop>(stream: OpenedStream, options: LinesOptions<Stop>): Promise<LinesEnd<Stop>> {
  const { response } = stream;
  const { promise, resolve, reject } = Promise.withResolvers<LinesEnd<Stop>>();
  const splitter = new LineSplitter(options.maxLineBytes);
  let timer = setTimeout(() => finish({ kind: 'silent' }), options.silenceMs());

  const onData = (chunk: Buffer): void => {
    clearTimeout(timer);
    try {
      for (const line of splitter.push(chunk)) {
        const value = options.onLine(line);
        if (value !== undefined) return finish({ kind: 'stopped', value });
      }
    } catch (error) {
      detach();
      reject(error);
      return;
    }
    if (options.wipe) chunk.fill(0);
    if (splitter.overflown) return finish({ kind: 'too-long' });
    timer = setTimeout(() => finish({ kind: 'silent' }), options.silenceMs());
  };
  const onEnd = (): void => finish({ kind: 'closed' });
  const onError = (error: Error): void => finish({ kind: 'broken', detail: errorCode(error) });
  const onClose = (): void => finish({ kind: 'broken', detail: 'closed' });
  const detach = (): void => {
    clearTimeout(timer);
    response.pause();
    response.off('data', onData).off('end', onEnd).off('close', onClose);
    // An error after the end of reading has nobody else to hear it; without a listener it would end the process.
    response.off('error', onError).on('error', () => undefined);
  };
  const finish = (end: LinesEnd<Stop>): void => {
    detach();
    resolve(end);
  };
  response.on('error', onError).on('end', onEnd).on('close', onClose).on('data', onData);
  if (response.destroyed) onClose();
  return promise;
}

/** Bytes in, whole lines out; a line over the cap ends it. */
class LineSplitter {
  readonly #maxBytes: number;
  #pieces: Buffer[] = [];
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get overflown(): boolean {
    return this.#length > this.#maxBytes;
  }

  *push(chunk: Buffer): Generator<Buffer> {
    let start = 0;
    while (!this.overflown) {
      const end = chunk.indexOf(LINE_FEED, start);
      if (end === -1) break;
      yield this.#complete(chunk.subarray(start, end));
      start = end + 1;
    }
    if (start === chunk.length) return;
    // A copy: the chunk is overwritten or reused once this returns.
    this.#pieces.push(Buffer.from(chunk.subarray(start)));
    this.#length += chunk.length - start;
  }

  #complete(last: Buffer): Buffer {
    if (this.#pieces.length === 0) return last;
    const line = Buffer.concat([...this.#pieces, last]);
    for (const piece of this.#pieces) piece.fill(0);
    this.#pieces = [];
    this.#length = 0;
    return line;
  }
}
