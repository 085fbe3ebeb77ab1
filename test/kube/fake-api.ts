import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../src/core/clock.ts';
import { systemClock } from '../../src/core/clock.ts';
import { createAuthority } from '../../src/demo/certificates.ts';
import type { Connection } from '../../src/kube/connection.ts';
import { Transport } from '../../src/kube/transport.ts';
import type { TransportOptions } from '../../src/kube/transport.ts';

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  readonly socket: Duplex;
}

export type FakeHandler = (received: Received, response: ServerResponse) => void;

/** An https server that answers as a test wants: faults a real API server does not have on demand. */
export interface FakeApi extends AsyncDisposable {
  readonly connection: Connection;
  /** Requests whose body has arrived, in order. */
  readonly received: readonly Received[];
  /** How often credentials were asked for, and how often anew. */
  readonly authorized: { times: number; forced: number };
  transport(options?: Partial<TransportOptions>): Transport;
  handle(handler: FakeHandler): void;
}

const certificates = createAuthority('fake api').then(async (authority) => ({
  ca: authority.certificatePem,
  server: await authority.issue({ commonName: '127.0.0.1', hosts: ['127.0.0.1', 'localhost'] }),
}));

export async function startFakeApi(first: FakeHandler): Promise<FakeApi> {
  const { ca, server: issued } = await certificates;
  const received: Received[] = [];
  const sockets = new Set<Duplex>();
  const transports: Transport[] = [];
  let handler = first;
  const server = createServer({ cert: issued.certificatePem, key: issued.privateKeyPem }, (request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('error', () => undefined);
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'https://fake');
      const one = {
        method: request.method ?? '',
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        body: Buffer.concat(pieces),
        socket: request.socket,
      };
      received.push(one);
      handler(one, response);
    });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const authorized = { times: 0, forced: 0 };
  const connection: Connection = {
    server: new URL(`https://127.0.0.1:${port}`),
    namespace: 'team',
    tls: { ca },
    authorize: (force) => {
      authorized.times += 1;
      if (force) authorized.forced += 1;
      return Promise.resolve({ Authorization: `Bearer token-${authorized.forced}` });
    },
    user: 'tester',
    warnings: [],
  };
  return {
    connection,
    received,
    authorized,
    transport: (options = {}) => {
      const transport = new Transport(connection, { clock: systemClock, ...options });
      transports.push(transport);
      return transport;
    },
    handle: (next) => {
      handler = next;
    },
    [Symbol.asyncDispose]: async () => {
      for (const transport of transports) transport.close();
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export function sendJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
): void {
  const body = JSON.stringify(value);
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
}

/** A Status as an API server refuses with. */
export function statusOf(code: number, reason: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', reason, code, ...more };
}

/** Own memory, as a sender's lane has it. */
export function bytesOf(value: unknown): Uint8Array<ArrayBuffer> {
  const text = Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
  const bytes = new Uint8Array(new ArrayBuffer(text.length));
  bytes.set(text);
  return bytes;
}

/** A clock that stands still until it is moved. */
export function manualClock(): Clock & { forward(ms: number): void } {
  let elapsed = 0;
  return { now: () => new Date(elapsed), elapsedMs: () => elapsed, forward: (ms) => (elapsed += ms) };
}
