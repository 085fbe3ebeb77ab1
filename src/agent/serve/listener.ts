import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SottoError } from '../../core/errors.ts';
import type { Answer, ProbeView } from './probes.ts';
import { answerProbe } from './probes.ts';

export interface ListenAddress {
  /** Undefined: every address of the machine. */
  readonly host?: string | undefined;
  /** 0: one that is free. */
  readonly port: number;
}

export interface Listener {
  /** Where it listens, with the port that was taken. */
  readonly host: string;
  readonly port: number;
  /** Takes no new connection, lets answers under way end, cuts what still hangs after `graceMs`. */
  close(graceMs?: number): Promise<void>;
}

/** Probes and a scraper are few and quick: whatever is more, or slower, is not for us. */
const HEADERS_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 5_000;
const MAX_CONNECTIONS = 64;
const MAX_HEADER_BYTES = 8 * 1024;
const MAX_HEADERS = 50;
const MAX_REQUESTS_PER_SOCKET = 1_000;
const CLOSE_GRACE_MS = 1_000;

/** `HOST:PORT`, `:PORT`, `[::1]:PORT`. Throws SOTTO-CLI-001. */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw refused(text, 'it is not an address', 'use HOST:PORT or :PORT, for example --listen 127.0.0.1:8080');
  }
  const host = match[1] ?? match[2];
  return { host: host === '' ? undefined : host, port };
}

/**
 * The listener of `--listen`: health, readiness, metrics, the sealing certificate; nothing that decrypts and nothing
 * that reads a body. `onDefect` is told when the view throws. Throws SOTTO-CLI-001 when the address cannot be used.
 */
export async function startListener(
  view: ProbeView,
  address: ListenAddress,
  onDefect: (error: unknown) => void,
): Promise<Listener> {
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      connectionsCheckingInterval: HEADERS_TIMEOUT_MS,
    },
    (request, response) => void respond(request, response, view, onDefect),
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.maxHeadersCount = MAX_HEADERS;
  server.maxRequestsPerSocket = MAX_REQUESTS_PER_SOCKET;
  // Node's own answer to a broken request names the parser's state; ours says nothing.
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
    else socket.destroy();
  });
  const bound = await listen(server, address);
  return { host: bound.address, port: bound.port, close: (graceMs = CLOSE_GRACE_MS) => close(server, graceMs) };
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  view: ProbeView,
  onDefect: (error: unknown) => void,
): Promise<void> {
  const method = request.method ?? '';
  // A body is refused unread: the answer goes out and the connection ends.
  const hasBody = request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined;
  const answer = await answerProbe(method, request.url ?? '', view).catch((error: unknown) => {
    onDefect(error);
    return INTERNAL_ERROR;
  });
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
  response.end(method === 'HEAD' ? undefined : body);
}

/** What went wrong is for the log, not for whoever asked. */
const INTERNAL_ERROR: Answer = { status: 500, contentType: 'text/plain; charset=utf-8', body: 'internal error\n' };

function listen(server: Server, address: ListenAddress): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    const shown = `${address.host ?? ''}:${address.port}`;
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(refused(shown, reasonOf(error), 'choose another address with --listen HOST:PORT'));
    });
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

function refused(address: string, why: string, next: string): SottoError {
  return new SottoError({ code: 'SOTTO-CLI-001', what: `cannot listen on ${address}`, why, next });
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
