import { chmod, lstat, mkdir, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import type { BuildOutcome } from '../child-renderer.ts';
import type { RendererDescription } from '../renderer.ts';
import { cannotListen } from '../renderer-failure.ts';
import type { RendererPlace } from './address.ts';
import { BrokenFrame, Incoming, sendFrame, takeHead, takeHeader } from './frame.ts';
import { answerParts, type BuildRequest, readRequest, type Refusal, REQUEST_CAPS } from './message.ts';
import { serverTls } from './shared-key.ts';

export interface RendererServerOptions {
  readonly place: RendererPlace;
  readonly about: RendererDescription;
  /** One at a time. The signal says that nobody waits for it any more. */
  readonly build: (request: BuildRequest, signal: AbortSignal) => Promise<BuildOutcome>;
  readonly onBuilt: (built: BuiltFacts) => void;
  readonly onDefect: (thrown: unknown) => void;
  readonly limits?: Partial<ServerLimits>;
}

/** For the log: counts, never names or texts. */
export interface BuiltFacts {
  readonly files: number;
  readonly bytes: number;
  readonly outcome: BuildOutcome['kind'];
  readonly tookMs: number;
}

/** An agent builds one thing at a time: whatever is more, or slower, is not for us. */
export interface ServerLimits {
  readonly maxConnections: number;
  /** Builds that wait for another one. Nothing of them is read before their turn. */
  readonly maxWaiting: number;
  readonly headTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly answerTimeoutMs: number;
}

export const SERVER_LIMITS: ServerLimits = {
  maxConnections: 16,
  maxWaiting: 4,
  headTimeoutMs: 5_000,
  requestTimeoutMs: 30_000,
  answerTimeoutMs: 30_000,
};

export interface RendererServer extends AsyncDisposable {
  /** The port that was taken; undefined for a socket of the file system. */
  readonly port: number | undefined;
}

/** Listens until it is disposed of, which ends the build at work. Throws SottoError. */
export async function startRendererServer(options: RendererServerOptions): Promise<RendererServer> {
  const desk = new Desk(options);
  const { place } = options;
  const serve = (socket: Socket): void => void desk.serve(socket).catch(options.onDefect);
  const server =
    place.kind === 'unix'
      ? createServer(serve)
      : createTlsServer({ ...serverTls(place.key), handshakeTimeout: desk.limits.headTimeoutMs }, serve);
  server.maxConnections = desk.limits.maxConnections;
  const open = new Set<Socket>();
  // Also what never shook hands: a probe of the kubelet, or somebody without the token.
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => open.delete(socket));
  });
  await (place.kind === 'unix' ? listenOnPath(server, place.path) : listenOnPort(server, place));
  const address = server.address();
  return {
    port: typeof address === 'object' ? address?.port : undefined,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of open) socket.destroy();
      await Promise.all([closed, desk.idle()]);
    },
  };
}

/** Nobody but this user gets to the socket: the folder is closed before the socket is made in it. */
async function listenOnPath(server: Server, path: string): Promise<void> {
  const folder = dirname(path);
  try {
    await mkdir(folder, { mode: 0o700, recursive: true });
    const { uid, mode } = await lstat(folder);
    if (uid !== process.geteuid?.()) throw cannotListen(path, 'its folder belongs to somebody else');
    if ((mode & 0o077) !== 0) await chmod(folder, 0o700);
    await removeOldSocket(path);
    await listen(server, { path });
    await chmod(path, 0o600);
  } catch (thrown) {
    throw failed(path, thrown);
  }
}

/** What a renderer that was killed has left. */
async function removeOldSocket(path: string): Promise<void> {
  const entry = await lstat(path).catch(() => undefined);
  if (entry === undefined) return;
  if (!entry.isSocket()) throw cannotListen(path, 'there is something else of that name');
  await rm(path);
}

async function listenOnPort(
  server: Server,
  { host, port, key }: Extract<RendererPlace, { kind: 'tcp' }>,
): Promise<void> {
  // Said now and not to each client: a missing token is this container's mistake.
  key();
  try {
    await listen(server, { host, port });
  } catch (thrown) {
    throw failed(`${host ?? ''}:${port}`, thrown);
  }
}

function listen(server: Server, where: { path?: string; host?: string | undefined; port?: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function failed(where: string, thrown: unknown): unknown {
  if (!(thrown instanceof Error && 'code' in thrown) || thrown.name === 'SottoError') return thrown;
  const whys: Readonly<Record<string, string>> = {
    EADDRINUSE: 'another program listens there',
    EACCES: 'it is not permitted',
    EROFS: 'the file system is read-only',
  };
  return cannotListen(where, whys[String(thrown.code)] ?? `the system refused it (${String(thrown.code)})`);
}

/** Serves connections; builds stand in a line. */
class Desk {
  readonly limits: ServerLimits;
  readonly #options: RendererServerOptions;
  #last: Promise<unknown> = Promise.resolve();
  #inLine = 0;

  constructor(options: RendererServerOptions) {
    this.#options = options;
    this.limits = { ...SERVER_LIMITS, ...options.limits };
  }

  async idle(): Promise<void> {
    await this.#last;
  }

  async serve(socket: Socket): Promise<void> {
    const { about } = this.#options;
    const incoming = new Incoming(socket);
    try {
      const head = await within(this.limits.headTimeoutMs, socket, () => takeHead(incoming, REQUEST_CAPS));
      if (head.kind === 'describe') await this.#answer(socket, () => sendFrame(socket, 'described', about));
      else if (head.kind !== 'build') await this.#refuse(socket, incoming, 'garbled');
      else if (this.#inLine > this.limits.maxWaiting) await this.#refuse(socket, incoming, 'busy');
      else await this.#inTurn(() => this.#build(socket, incoming, head));
    } catch (thrown) {
      if (!(thrown instanceof BrokenFrame)) throw thrown;
      if (thrown.trouble !== 'cut') await this.#refuse(socket, incoming, thrown.trouble);
    } finally {
      socket.destroySoon();
    }
  }

  #inTurn(task: () => Promise<void>): Promise<void> {
    this.#inLine += 1;
    const turn = this.#last.then(task).finally(() => {
      this.#inLine -= 1;
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #build(socket: Socket, incoming: Incoming, head: Awaited<ReturnType<typeof takeHead>>): Promise<void> {
    if (socket.destroyed) return;
    const { about, build, onBuilt } = this.#options;
    const request = await within(this.limits.requestTimeoutMs, socket, async () =>
      readRequest(await takeHeader(incoming, head), await incoming.take(head.bodyBytes)),
    );
    const gone = new AbortController();
    void incoming.silence().then(() => gone.abort());
    const startedMs = performance.now();
    const outcome = await build(request, gone.signal);
    const bytes = request.files.reduce((sum, file) => sum + file.bytes.length, 0);
    onBuilt({
      files: request.files.length,
      bytes,
      outcome: outcome.kind,
      tookMs: Math.round(performance.now() - startedMs),
    });
    const { header, body } = answerParts({ about, outcome });
    await this.#answer(socket, () => sendFrame(socket, 'built', header, [body]));
  }

  #refuse(socket: Socket, incoming: Incoming, why: Refusal): Promise<void> {
    return this.#answer(socket, async () => {
      await sendFrame(socket, 'refused', { why });
      await incoming.drain();
    });
  }

  /** Whoever does not take the answer does without it. */
  #answer(socket: Socket, send: () => Promise<void>): Promise<void> {
    return within(this.limits.answerTimeoutMs, socket, send).catch(() => undefined);
  }
}

/** Cuts the connection when it takes longer, which ends what waits for it. */
async function within<T>(timeoutMs: number, socket: Socket, task: () => Promise<T>): Promise<T> {
  const deadline = setTimeout(() => socket.destroy(), timeoutMs);
  try {
    return await task();
  } finally {
    clearTimeout(deadline);
  }
}
