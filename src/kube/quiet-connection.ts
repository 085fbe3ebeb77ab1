import type { Socket } from 'node:net';
import { connect as connectPlain, isIP } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { LIMITS } from '../core/limits.ts';
import { copySecret } from '../core/sensitive.ts';
import type { AuthHeaders, Connection } from './api-server.ts';
import { errorCode, hostOf, portOf } from './exchange.ts';
import type { NoAnswer, Reply } from './exchange.ts';
import { readHttpAnswer } from './http-bytes.ts';

// What node:https reads passes through blocks of 64 KB that are freed as they are (measured: half of the values of 200
// Secrets were left). With `onread` there is one buffer, ours.
const READ_BYTES = 64 * 1024;

/**
 * One connection for reading values (spec/memory.md section 4): what arrives is in one owned buffer, overwritten by the
 * next answer and on `close`. One request at a time.
 */
export class QuietConnection {
  readonly #connection: Connection;
  readonly #timeoutMs: number;
  readonly #socket: Socket;
  #received = Buffer.from(new ArrayBuffer(READ_BYTES));
  #length = 0;
  #settle: ((reply: Reply) => void) | undefined;

  constructor(connection: Connection, timeoutMs: number) {
    this.#connection = connection;
    this.#timeoutMs = timeoutMs;
    this.#socket = connect(connection, (chunk) => this.#take(chunk));
    this.#socket.on('error', (error) => this.#fail('unreachable', errorCode(error)));
    this.#socket.on('close', () => this.#fail('unreachable', 'closed'));
  }

  /** The answer's bytes are valid until the next call. Never rejects. */
  get(path: string, headers: AuthHeaders, signal: AbortSignal | undefined): Promise<Reply> {
    const { promise, resolve } = Promise.withResolvers<Reply>();
    const onAbort = (): void => this.#fail('aborted', 'aborted');
    const timer = setTimeout(() => this.#fail('timeout', `no answer within ${this.#timeoutMs} ms`), this.#timeoutMs);
    this.#received.fill(0, 0, this.#length);
    this.#length = 0;
    this.#settle = (reply) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      this.#settle = undefined;
      resolve(reply);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted === true) onAbort();
    else if (this.#socket.destroyed) this.#fail('unreachable', 'closed');
    else this.#socket.write(requestHead(this.#connection, path, headers));
    return promise;
  }

  close(): void {
    this.#socket.destroy();
    this.#received.fill(0);
  }

  #fail(cause: NoAnswer['cause'], detail: string): void {
    this.#socket.destroy();
    this.#settle?.({ kind: 'none', cause, detail, bodySent: false, staleConnection: false });
  }

  #take(chunk: Uint8Array): void {
    if (this.#length + chunk.length > this.#received.length) this.#grow(this.#length + chunk.length);
    copySecret(chunk, this.#received, this.#length);
    this.#length += chunk.length;
    chunk.fill(0);
    if (this.#length > LIMITS.maxAnswerBytes) {
      this.#fail('protocol', `answer is larger than ${LIMITS.maxAnswerBytes} bytes`);
      return;
    }
    try {
      const answer = readHttpAnswer(this.#received.subarray(0, this.#length));
      if (answer !== undefined) this.#settle?.(answer);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      this.#fail('protocol', error.message);
    }
  }

  #grow(needed: number): void {
    const larger = Buffer.from(new ArrayBuffer(Math.max(needed, this.#received.length * 2)));
    copySecret(this.#received, larger);
    this.#received.fill(0);
    this.#received = larger;
  }
}

function connect(connection: Connection, take: (chunk: Uint8Array) => void): Socket {
  const { server, tls } = connection;
  const [host, port] = [hostOf(server), portOf(server)];
  const onread = {
    buffer: new Uint8Array(new ArrayBuffer(READ_BYTES)),
    callback: (length: number, buffer: Uint8Array): boolean => {
      take(buffer.subarray(0, length));
      return true;
    },
  };
  if (server.protocol === 'http:') return connectPlain({ host, port, onread });
  const servername = tls.servername ?? (isIP(host) === 0 ? host : undefined);
  // In a constant: node's own types do not know that `onread` is taken here too.
  const options = { ...tls, host, port, onread, ...(servername === undefined ? {} : { servername }) };
  return connectTls(options);
}

function requestHead(connection: Connection, path: string, headers: AuthHeaders): string {
  const lines = Object.entries({ Host: connection.server.host, ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  return [`GET ${path} HTTP/1.1`, ...lines, '', ''].join('\r\n');
}
