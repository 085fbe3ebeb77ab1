import type { Agent as HttpAgent, ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { LIMITS } from '../core/limits.ts';

/** The body of a request. A secret one is sent by the rules of spec/memory.md R4 and is gone afterwards. */
export type Body =
  | { readonly secret: false; readonly bytes: Uint8Array }
  | {
      readonly secret: true;
      /** One owned buffer, the whole body. */
      readonly bytes: Uint8Array;
      /** Overwrites the buffer; called when the bytes are written and again at the end, whatever happened. */
      readonly wipe: () => void;
    };

export interface Answer {
  readonly kind: 'answer';
  readonly status: number;
  readonly retryAfterMs: number | undefined;
  readonly bytes: Buffer;
}

/** Nothing came back that can be used. */
export interface NoAnswer {
  readonly kind: 'none';
  readonly cause: 'unreachable' | 'timeout' | 'aborted' | 'protocol';
  /** Node's error code or our own word; never text from the other side. */
  readonly detail: string;
  /** The server may have acted on the request. */
  readonly bodySent: boolean;
  /** A kept connection turned out to be closed before anything was read from it. */
  readonly staleConnection: boolean;
}

export type Reply = Answer | NoAnswer;

export interface Exchange {
  readonly server: URL;
  readonly agent: HttpAgent;
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Body | undefined;
  /** From the moment a connection is assigned until the last byte of the answer; waiting for a free one is not in it. */
  readonly timeoutMs: number;
  readonly maxAnswerBytes: number;
  /** What arrives is overwritten after it was copied to its one place. */
  readonly wipeChunks: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Starts a request without a body or waiting for one: the protocol follows the server's URL. */
export function openRequest(
  request: Pick<Exchange, 'server' | 'agent' | 'method' | 'path' | 'headers'>,
): ClientRequest {
  const { server, agent, method, path, headers } = request;
  const options = { agent, method, path, headers, host: hostOf(server), port: portOf(server) };
  return server.protocol === 'http:' ? http.request(options) : https.request(options);
}

/** One request and its whole answer. Never rejects: what went wrong is a value. */
export function exchange(request: Exchange): Promise<Reply> {
  const { promise, resolve } = Promise.withResolvers<Reply>();
  const req = openRequest(request);
  let bodySent = false;
  let answered = false;
  let settled = false;
  let timer: NodeJS.Timeout | undefined;

  const settle = (reply: Reply): void => {
    if (settled) return;
    settled = true;
    clearTimeout(timer);
    request.signal?.removeEventListener('abort', onAbort);
    // Settled before everything was written: nothing more may leave, and the buffer must not be sent half wiped.
    if (!req.writableFinished || reply.kind === 'none') req.destroy();
    wipeBody(request.body);
    resolve(reply);
  };
  const fail = (cause: NoAnswer['cause'], detail: string): void => {
    const staleConnection = req.reusedSocket && !answered && cause === 'unreachable';
    settle({ kind: 'none', cause, detail, bodySent, staleConnection });
  };
  const onAbort = (): void => fail('aborted', 'aborted');

  req.on('error', (error) => fail('unreachable', errorCode(error)));
  req.on('socket', () => {
    timer = setTimeout(() => fail('timeout', `no answer within ${request.timeoutMs} ms`), request.timeoutMs);
  });
  req.on('response', (response) => {
    answered = true;
    collect(response, request, settle, fail);
  });
  request.signal?.addEventListener('abort', onAbort, { once: true });
  if (request.signal?.aborted === true) onAbort();
  else {
    sendBody(req, request.body, {
      onSending: () => (bodySent = true),
      // The caller reuses its buffer once this request is settled: a late callback must not touch it.
      wipe: () => (settled ? undefined : wipeBody(request.body)),
    });
  }
  return promise;
}

function sendBody(
  req: ClientRequest,
  body: Body | undefined,
  on: { readonly onSending: () => void; readonly wipe: () => void },
): void {
  if (body?.secret !== true) {
    on.onSending();
    req.end(body?.bytes);
    return;
  }
  req.flushHeaders();
  req.once('socket', (socket) => {
    whenReady(socket, () => {
      if (req.destroyed) return;
      on.onSending();
      // One write of one buffer, alone: two pieces are joined by the TLS layer in memory nobody wipes (R4).
      req.write(body.bytes, () => {
        on.wipe();
        req.end();
      });
    });
  });
}

/**
 * Runs `then` once the connection can encrypt and the request's head has been handed to it. Before that a body would be
 * copied and parked, or joined with the head.
 */
function whenReady(socket: Socket, then: () => void): void {
  if (!isConnecting(socket)) setImmediate(then);
  else socket.once('secureConnecting' in socket ? 'secureConnect' : 'connect', () => setImmediate(then));
}

function isConnecting(socket: Socket): boolean {
  // `reusedSocket` of the request does not do: it is false for a request that waited for a busy connection.
  return 'secureConnecting' in socket ? socket.secureConnecting === true : socket.connecting;
}

/** Gathers a whole answer under its cap. */
export function collect(
  response: IncomingMessage,
  request: Pick<Exchange, 'maxAnswerBytes' | 'wipeChunks'>,
  settle: (reply: Answer) => void,
  fail: (cause: NoAnswer['cause'], detail: string) => void,
): void {
  const status = response.statusCode ?? 0;
  const maxBytes = status < 400 ? request.maxAnswerBytes : LIMITS.maxErrorBodyBytes;
  const retryAfterMs = retryAfter(response.headers['retry-after']);
  const chunks: Buffer[] = [];
  let length = 0;
  const answer = (bytes: Buffer): void => settle({ kind: 'answer', status, retryAfterMs, bytes });
  response.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length <= maxBytes) {
      chunks.push(chunk);
      return;
    }
    // An error's status is worth more than its text, which may be a whole object.
    if (status >= 400) answer(Buffer.alloc(0));
    else fail('protocol', `answer is larger than ${maxBytes} bytes`);
    response.destroy();
    wipeAll([...chunks, chunk], request.wipeChunks);
  });
  response.on('end', () => {
    const bytes = joined(chunks, length);
    wipeAll(chunks, request.wipeChunks);
    answer(bytes);
  });
  response.on('error', (error) => {
    wipeAll(chunks, request.wipeChunks);
    fail('unreachable', errorCode(error));
  });
}

/** Own memory and no pool: whoever must wipe it wipes all there is. */
function joined(chunks: readonly Buffer[], length: number): Buffer {
  const bytes = Buffer.from(new ArrayBuffer(length));
  let at = 0;
  for (const chunk of chunks) at += chunk.copy(bytes, at);
  return bytes;
}

function wipeAll(chunks: readonly Buffer[], wipe: boolean): void {
  if (wipe) for (const chunk of chunks) chunk.fill(0);
}

function wipeBody(body: Body | undefined): void {
  if (body?.secret === true) body.wipe();
}

/** Seconds; the form with a date is not used by API servers. */
function retryAfter(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) * 1000 : undefined;
}

export function errorCode(error: Error): string {
  const code = 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : error.name;
}

export function hostOf(server: URL): string {
  // node:net wants an IPv6 address without the brackets of a URL.
  return server.hostname.replace(/^\[(.*)\]$/, '$1');
}

export function portOf(server: URL): number {
  if (server.port !== '') return Number(server.port);
  return server.protocol === 'http:' ? 80 : 443;
}
