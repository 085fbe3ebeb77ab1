import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createAuthority } from '../../src/demo/certificates.ts';

/** Status, content type and body, and what else stands in the head. */
export type ListenerAnswer = readonly [number, string, string, Readonly<Record<string, string>>?];

/** Stands in for a service at loopback, and counts who comes. */
export interface Listener extends AsyncDisposable {
  readonly address: string;
  readonly port: number;
  /** The authority of its certificate; empty without TLS. */
  readonly caPem: string;
  /** How often somebody came, whatever was said then. */
  connections(): number;
}

export interface ListenerOptions {
  readonly tls?: boolean;
  /** Names of its certificate besides the address. */
  readonly hosts?: readonly string[];
}

export async function startListener(
  answerTo: (request: IncomingMessage, body: Buffer) => ListenerAnswer,
  { tls = false, hosts = [] }: ListenerOptions = {},
): Promise<Listener> {
  const authority = tls ? await createAuthority('sotto test service') : undefined;
  const issued = await authority?.issue({ commonName: 'service', hosts: ['127.0.0.1', ...hosts] });
  const options = issued === undefined ? {} : { cert: issued.certificatePem, key: issued.privateKeyPem };
  const server = (tls ? createSecureServer(options) : createServer()).on('request', (request, response) => {
    const answer = async (): Promise<void> => {
      const [status, type, text, head = {}] = answerTo(request, await bodyOf(request));
      response.writeHead(status, { ...head, 'content-type': type }).end(text);
    };
    void answer();
  });
  let connections = 0;
  server.on('connection', () => (connections += 1)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    address: `${tls ? 'https' : 'http'}://127.0.0.1:${String(port)}`,
    port,
    caPem: authority?.certificatePem ?? '',
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}
