import { readFile, writeFile } from 'node:fs/promises';
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { createAuthority } from '../../src/demo/certificates.ts';
import type { ControlPlaneAccess } from '../../src/demo/control-plane.ts';

export interface ProxiedRequest {
  readonly method: string;
  readonly path: string;
  readonly isWatch: boolean;
}

/** What the proxy does with a request instead of handing it on. */
export type Fault =
  /** The connection ends before an answer. `afterForward`: the API server has carried it out by then. */
  | { readonly kind: 'cut'; readonly afterForward: boolean }
  | { readonly kind: 'status'; readonly status: number; readonly retryAfterSeconds?: number }
  | { readonly kind: 'hang' }
  | { readonly kind: 'delay'; readonly ms: number }
  /** Handed on after that, also when whoever sent it is gone by then; nobody gets an answer. */
  | { readonly kind: 'stray'; readonly after: Promise<void> }
  /** Carried out at once and answered later: the watches tell of it first. */
  | { readonly kind: 'late'; readonly ms: number };

export interface Passed extends ProxiedRequest {
  readonly atMs: number;
  readonly fault: Fault['kind'] | 'none';
}

/** Stands between an agent and the API server; tests see and disturb everything that goes through. */
export interface FaultProxy extends AsyncDisposable {
  /** For the agent: its own token, the proxy's address and authority. */
  readonly kubeconfigPath: string;
  readonly passed: readonly Passed[];
  /** Asked for every request, until the next call; undefined hands it on. */
  setFault(decide: (asked: ProxiedRequest) => Fault | undefined): void;
  /** Cuts every open watch in the middle of a line or between two. */
  dropWatches(): void;
  /** Each open watch gets `410 Gone` as an event, as a server does that has forgotten where the client stands. */
  expireWatches(): void;
  /** Writes a bookmark into each open watch, as a server does once a minute. */
  bookmarkWatches(resourceVersion: string): void;
  /** Open watches stay open and say nothing any more, as behind a connection that was cut on the way. */
  silenceWatches(): void;
  /** Refuses connections, as a server that is not there. */
  setDown(isDown: boolean): void;
}

export interface FaultProxyOptions {
  readonly access: ControlPlaneAccess;
  /** The kubeconfig of the agent: it is written anew beside it, with the address and authority of the proxy. */
  readonly kubeconfigPath: string;
}

export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const authority = await createAuthority('sotto test fault proxy');
  const issued = await authority.issue({ commonName: 'fault-proxy', hosts: ['localhost', '127.0.0.1'] });
  const upstream = new https.Agent({ keepAlive: true, ca: await readFile(options.access.caPath) });
  const sockets = new Set<Duplex>();
  const state: State = { watches: new Set(), passed: [], decide: () => undefined, isDown: false };
  const server = https.createServer(
    { cert: issued.certificatePem, key: issued.privateKeyPem },
    (incoming, outgoing) => {
      serve(state, options.access.url, upstream, incoming, outgoing);
    },
  );
  server.on('connection', (socket) => {
    if (state.isDown) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const address = server.address() as AddressInfo;
  const url = `https://127.0.0.1:${address.port}`;
  const kubeconfigPath = `${options.kubeconfigPath}-proxied`;
  await writeFile(kubeconfigPath, await kubeconfigFor(options.kubeconfigPath, url, authority.certificatePem), {
    mode: 0o600,
  });
  const cutAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    kubeconfigPath,
    passed: state.passed,
    setFault: (decide) => void (state.decide = decide),
    dropWatches: () => {
      for (const watch of state.watches) watch.answer.socket?.destroy();
    },
    expireWatches: () => {
      for (const { answer, from } of state.watches) {
        from.destroy();
        answer.end(`${JSON.stringify(EXPIRED)}\n`);
      }
    },
    bookmarkWatches: (resourceVersion) => {
      const line = JSON.stringify({ type: 'BOOKMARK', object: { kind: 'Any', metadata: { resourceVersion } } });
      for (const { answer } of state.watches) answer.write(`${line}\n`);
    },
    silenceWatches: () => {
      for (const { silence } of state.watches) silence();
    },
    setDown: (isDown) => {
      state.isDown = isDown;
      if (isDown) cutAll();
    },
    [Symbol.asyncDispose]: async () => {
      cutAll();
      upstream.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const EXPIRED = {
  type: 'ERROR',
  object: {
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    message: 'too old resource version',
    reason: 'Expired',
    code: 410,
  },
};

interface State {
  readonly watches: Set<{
    readonly answer: ServerResponse;
    readonly from: ClientRequest;
    readonly silence: () => void;
  }>;
  readonly passed: Passed[];
  decide: (asked: ProxiedRequest) => Fault | undefined;
  isDown: boolean;
}

async function kubeconfigFor(path: string, url: string, caPem: string): Promise<string> {
  const config: unknown = JSON.parse(await readFile(path, 'utf8'), (key: string, value: unknown) => {
    if (key === 'server') return url;
    return key === 'certificate-authority-data' ? Buffer.from(caPem).toString('base64') : value;
  });
  return JSON.stringify(config);
}

function serve(
  state: State,
  url: string,
  upstream: https.Agent,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): void {
  const [method, path] = [incoming.method ?? 'GET', incoming.url ?? '/'];
  const asked: ProxiedRequest = { method, path, isWatch: /[?&]watch=(?:true|1)/.test(path) };
  const fault = state.decide(asked);
  state.passed.push({ ...asked, atMs: performance.now(), fault: fault?.kind ?? 'none' });
  outgoing.on('error', () => undefined);
  incoming.on('error', () => undefined);
  if (fault?.kind === 'hang') return;
  if (fault?.kind === 'cut' && !fault.afterForward) return void incoming.socket.destroy();
  if (fault?.kind === 'status') return refuse(incoming, outgoing, fault);
  if (fault?.kind === 'stray') {
    void strayed(incoming, fault.after, () =>
      https.request(`${url}${path}`, { method, agent: upstream, headers: headersOf(incoming) }),
    );
    return;
  }
  const forwarded = (): void => {
    let silence: (() => void) | undefined;
    const from = https.request(`${url}${path}`, { method, agent: upstream, headers: headersOf(incoming) }, (answer) => {
      answer.on('error', () => outgoing.destroy());
      if (fault?.kind === 'cut') {
        answer.resume().once('end', () => incoming.socket.destroy());
        return;
      }
      silence = () => answer.unpipe(outgoing).resume();
      const hand = (): void => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        // A stream that has nothing to say yet has begun all the same.
        outgoing.flushHeaders();
        answer.pipe(outgoing);
      };
      if (fault?.kind === 'late') setTimeout(hand, fault.ms);
      else hand();
    });
    from.on('error', () => outgoing.destroy());
    incoming.pipe(from);
    outgoing.once('close', () => from.destroy());
    if (!asked.isWatch) return;
    const watch = { answer: outgoing, from, silence: () => silence?.() };
    state.watches.add(watch);
    outgoing.once('close', () => state.watches.delete(watch));
  };
  if (fault?.kind === 'delay') setTimeout(forwarded, fault.ms);
  else forwarded();
}

async function strayed(incoming: IncomingMessage, after: Promise<void>, send: () => ClientRequest): Promise<void> {
  const pieces: Buffer[] = [];
  for await (const piece of incoming) pieces.push(Buffer.from(piece as Buffer));
  await after;
  send()
    .on('response', (answer) => answer.resume())
    .on('error', () => undefined)
    .end(Buffer.concat(pieces));
}

function headersOf({ headers }: IncomingMessage): IncomingMessage['headers'] {
  const { host: _host, connection: _connection, ...rest } = headers;
  return rest;
}

function refuse(incoming: IncomingMessage, outgoing: ServerResponse, fault: Extract<Fault, { kind: 'status' }>): void {
  incoming.resume();
  const { status, retryAfterSeconds } = fault;
  const body = { kind: 'Status', apiVersion: 'v1', status: 'Failure', message: 'disturbed by a test', code: status };
  outgoing.writeHead(status, {
    'content-type': 'application/json',
    ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
  });
  outgoing.end(JSON.stringify(body));
}
