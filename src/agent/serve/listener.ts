import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { ListenAddress } from '../../settings/listen-address.ts';
import { type Answer, type Asked, text } from './answer.ts';

export interface Listener {
  /** Where it listens, with the port that was taken. */
  readonly host: string;
  readonly port: number;
  /** Takes no new connection, lets answers under way end, cuts what still hangs after `graceMs`. */
  close(graceMs?: number): Promise<void>;
}

export interface ListenerOptions {
  /** What it throws is told to `onDefect` and answered with 500. */
  readonly answer: (asked: Asked) => Answer | Promise<Answer>;
  readonly onDefect: (thrown: unknown) => void;
  readonly limits?: Partial<ListenerLimits>;
}

/** Probes, a scraper and a person are few and quick: whatever is more, or slower, is not for us. */
export interface ListenerLimits {
  readonly maxConnections: number;
  /** Until the head of a request is there, from the connection or the request before. */
  readonly headersTimeoutMs: number;
  /** From an answer's first byte to its last: for who reads slowly. */
  readonly answerTimeoutMs: number;
}

export const LISTENER_LIMITS: ListenerLimits = {
  maxConnections: 64,
  headersTimeoutMs: 5_000,
  answerTimeoutMs: 10_000,
};

const KEEP_ALIVE_MS = 5_000;
const MAX_HEADER_BYTES = 8 * 1024;
const MAX_HEADERS = 50;
const MAX_REQUESTS_PER_SOCKET = 1_000;
const CLOSE_GRACE_MS = 1_000;

/** Why an address cannot be listened on, in words; what to do about it the caller knows. */
export class CannotListen extends Error {
  readonly address: string;
  readonly why: string;

  constructor(address: string, why: string) {
    super(`cannot listen on ${address}: ${why}`);
    this.address = address;
    this.why = why;
  }
}

/** A listener that reads no body, keeps no state and cannot be held up by slow or many clients. Throws CannotListen. */
export async function startListener(address: ListenAddress, options: ListenerOptions): Promise<Listener> {
  const limits = { ...LISTENER_LIMITS, ...options.limits };
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    cutWhenSlow(response, limits.answerTimeoutMs);
    void respond(request, response, options);
  };
  const server = createServer(
    {
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.headersTimeoutMs + limits.answerTimeoutMs,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      connectionsCheckingInterval: Math.ceil(limits.headersTimeoutMs / 5),
    },
    serve,
  );
  server.maxHeadersCount = MAX_HEADERS;
  server.maxRequestsPerSocket = MAX_REQUESTS_PER_SOCKET;
  // Whoever asks whether a body is welcome gets the answer instead.
  server.on('checkContinue', serve);
  server.on('connection', yieldingOldest(limits.maxConnections));
  // Node's own answer to a broken request names the parser's state; ours says nothing.
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
    else socket.destroy();
  });
  const bound = await listen(server, address);
  return { host: bound.address, port: bound.port, close: (graceMs = CLOSE_GRACE_MS) => close(server, graceMs) };
}

/**
 * Over the limit the oldest connection goes, not the new one: somebody who holds all of them open must not be able to
 * let the kubelet's probe fail and the agent be restarted.
 */
function yieldingOldest(maxConnections: number): (socket: Socket) => void {
  const open = new Set<Socket>();
  return (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    if (open.size <= maxConnections) return;
    const [oldest] = open;
    if (oldest !== undefined) open.delete(oldest);
    oldest?.destroy();
  };
}

function cutWhenSlow(response: ServerResponse, timeoutMs: number): void {
  const timer = setTimeout(() => response.destroy(), timeoutMs);
  response.once('close', () => clearTimeout(timer));
}

async function respond(request: IncomingMessage, response: ServerResponse, options: ListenerOptions): Promise<void> {
  // A body is refused unread: the answer goes out and the connection ends.
  const hasBody = request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined;
  const answer = await answerTo(request, options);
  if (response.destroyed) return;
  const body = Buffer.from(answer.body, 'utf8');
  response.writeHead(answer.status, {
    ...answer.headers,
    'content-type': answer.contentType,
    'content-length': body.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(hasBody ? { connection: 'close' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

async function answerTo(request: IncomingMessage, { answer, onDefect }: ListenerOptions): Promise<Answer> {
  try {
    return await answer({
      method: request.method ?? '',
      target: request.url ?? '',
      host: onlyHost(request),
      localAddress: request.socket.localAddress,
    });
  } catch (thrown) {
    onDefect(thrown);
    // What went wrong is for the log, not for whoever asked.
    return text(500, 'internal error');
  }
}

/** Node keeps the first of several; which one another program before us went by is not known. */
function onlyHost({ rawHeaders, headers }: IncomingMessage): string | undefined {
  const hosts = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host');
  return hosts.length === 1 ? headers.host : undefined;
}

function listen(server: Server, address: ListenAddress): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    const shown = `${address.host ?? ''}:${address.port}`;
    server.once('error', (error: NodeJS.ErrnoException) => reject(new CannotListen(shown, reasonOf(error))));
    server.listen({ port: address.port, ...(address.host === undefined ? {} : { host: address.host }) }, () => {
      // From here on an error is one connection that could not be accepted; without a listener it would end the process.
      server.removeAllListeners('error').on('error', () => undefined);
      const bound = server.address();
      if (bound !== null && typeof bound === 'object') resolve(bound);
    });
  });
}

const REASONS: ReadonlyMap<string | undefined, string> = new Map([
  ['EADDRINUSE', 'another program listens there'],
  ['EACCES', 'this user may not listen there (ports below 1024 need rights)'],
  ['EADDRNOTAVAIL', 'the machine does not have this address'],
  ['ENOTFOUND', 'the host name has no address'],
  ['EAI_AGAIN', 'the host name has no address'],
]);

function reasonOf(error: NodeJS.ErrnoException): string {
  return REASONS.get(error.code) ?? `the system refused (${error.code ?? 'no code'})`;
}

function close(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}
