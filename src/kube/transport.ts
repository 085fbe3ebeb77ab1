import type { Agent as HttpAgent, OutgoingHttpHeaders } from 'node:http';
import http from 'node:http';
import https from 'node:https';
import type { Clock } from '../core/clock.ts';
import { LIMITS } from '../core/limits.ts';
import type { AuthHeaders, Connection } from './api-server.ts';
import type { Verb } from './errors.ts';
import type { Body, Reply } from './exchange.ts';
import { exchange } from './exchange.ts';
import type { Resource } from './resource.ts';
import { resourceText } from './resource.ts';
import { openStream } from './stream.ts';
import type { StreamReply } from './stream.ts';

/** The only form in which the server may answer about Secrets: no fallback type, or values come back (memory.md, R5). */
export const METADATA_ONLY = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';
export const METADATA_LIST_ONLY = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';

export interface Call {
  readonly verb: Verb;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query. */
  readonly path: string;
  /** What it is about, for metrics; undefined: discovery. */
  readonly resource: Resource | undefined;
  /** Act as this user (impersonation); undefined: as who we are. */
  readonly asUser?: string | undefined;
  readonly accept: string;
  readonly contentType?: string | undefined;
  readonly body?: Body | undefined;
  readonly timeoutMs?: number | undefined;
  readonly maxAnswerBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RequestRecord {
  readonly verb: Verb;
  /** `deployments.apps`; '' for discovery. */
  readonly resource: string;
  /** HTTP status; 0: no answer. */
  readonly status: number;
  readonly tookMs: number;
}

export interface TransportOptions {
  readonly clock: Clock;
  readonly maxSockets?: number | undefined;
  readonly timeoutMs?: number | undefined;
  readonly userAgent?: string | undefined;
  /** Called once for every request sent; a watch counts when its answer begins. */
  readonly onRequest?: ((record: RequestRecord) => void) | undefined;
}

// Below the 90 s after which an API server closes idle connections, so that a request seldom meets a closed one.
const IDLE_CONNECTION_MS = 50_000;
const KEEP_ALIVE_MS = 30_000;

/** Requests to one API server as one user. Keeps its connections until `close`. */
export class Transport {
  readonly connection: Connection;
  readonly #options: TransportOptions;
  readonly #agent: HttpAgent;
  /** Streams have a connection each, outside the limit of the others. */
  readonly #streamAgent: HttpAgent;
  /** Ends the requests that were begun since the last `hurry`. */
  #underWay = { reads: new AbortController(), writes: new AbortController() };
  #mostMs = Number.POSITIVE_INFINITY;

  constructor(connection: Connection, options: TransportOptions) {
    this.connection = connection;
    this.#options = options;
    this.#agent = agentFor(connection, {
      keepAlive: true,
      keepAliveMsecs: KEEP_ALIVE_MS,
      maxSockets: options.maxSockets ?? 8,
      timeout: IDLE_CONNECTION_MS,
    });
    this.#streamAgent = agentFor(connection, { keepAlive: false });
  }

  /**
   * One request, its whole answer. A 401 renews the credentials and is tried once more, but not with a secret body,
   * which is gone by then: that 401 is returned and the caller fills again. Throws SottoError only when there are no
   * credentials.
   */
  async send(call: Call): Promise<Reply> {
    const first = await this.#once(call, false);
    if (first.kind === 'answer' && first.status === 401) {
      if (call.body?.secret !== true) return this.#once(call, true);
      await this.connection.authorize(true);
      return first;
    }
    return isSafeToRepeat(call, first) ? this.#once(call, false) : first;
  }

  /** A stream on a connection of its own: answers when its head is there. A 401 is tried once more. */
  async open(call: Call): Promise<StreamReply> {
    const first = await this.#openOnce(call, false);
    return first.kind === 'answer' && first.status === 401 ? this.#openOnce(call, true) : first;
  }

  /**
   * The process ends: reads under way are given up now, writes in `graceMs`, and what comes later has no more time
   * than that. A write that is given up may have been carried out; whoever sent it takes that into account.
   */
  hurry(graceMs: number): void {
    const { reads, writes } = this.#underWay;
    this.#underWay = { reads: new AbortController(), writes: new AbortController() };
    this.#mostMs = graceMs;
    reads.abort();
    setTimeout(() => writes.abort(), graceMs).unref();
  }

  /** For reads that are not sent here. */
  get readSignal(): AbortSignal {
    return this.#underWay.reads.signal;
  }

  get userAgent(): string {
    return this.#options.userAgent ?? 'sotto';
  }

  /** Lets a request that is not sent here be seen by `onRequest`. */
  async counted(about: Pick<Call, 'verb' | 'resource'>, request: () => Promise<Reply>): Promise<Reply> {
    const startMs = this.#options.clock.elapsedMs();
    const reply = await request();
    this.#record(about, reply, startMs);
    return reply;
  }

  close(): void {
    this.#agent.destroy();
    this.#streamAgent.destroy();
  }

  async #once(call: Call, renew: boolean): Promise<Reply> {
    const headers = this.#headers(call, await this.#authorize(call, renew));
    return this.counted(call, () =>
      exchange({
        server: this.connection.server,
        agent: this.#agent,
        method: call.method,
        path: call.path,
        headers,
        body: call.body,
        timeoutMs: Math.min(this.#mostMs, call.timeoutMs ?? this.#options.timeoutMs ?? 30_000),
        maxAnswerBytes: call.maxAnswerBytes ?? LIMITS.maxAnswerBytes,
        wipeChunks: call.resource?.secret === true,
        signal: call.signal ?? this.#underWay[call.method === 'GET' ? 'reads' : 'writes'].signal,
      }),
    );
  }

  async #openOnce(call: Call, renew: boolean): Promise<StreamReply> {
    const headers = this.#headers(call, await this.connection.authorize(renew));
    const startMs = this.#options.clock.elapsedMs();
    const reply = await openStream({
      server: this.connection.server,
      agent: this.#streamAgent,
      method: call.method,
      path: call.path,
      headers,
      keepAliveMs: KEEP_ALIVE_MS,
      timeoutMs: call.timeoutMs ?? this.#options.timeoutMs ?? 30_000,
      signal: call.signal,
    });
    this.#record(call, reply, startMs);
    return reply;
  }

  /** A secret body must be wiped even when there are no credentials to send it with. */
  async #authorize(call: Call, renew: boolean): Promise<AuthHeaders> {
    try {
      return await this.connection.authorize(renew);
    } catch (error) {
      if (call.body?.secret === true) call.body.wipe();
      throw error;
    }
  }

  #headers(call: Call, auth: AuthHeaders): OutgoingHttpHeaders {
    return {
      ...auth,
      ...(call.asUser === undefined ? {} : { 'Impersonate-User': call.asUser }),
      'User-Agent': this.userAgent,
      Accept: call.accept,
      ...(call.contentType === undefined ? {} : { 'Content-Type': call.contentType }),
      ...(call.body === undefined ? {} : { 'Content-Length': call.body.bytes.length }),
    };
  }

  #record(call: Pick<Call, 'verb' | 'resource'>, reply: Reply | StreamReply, startMs: number): void {
    this.#options.onRequest?.({
      verb: call.verb,
      resource: call.resource === undefined ? '' : resourceText(call.resource),
      status: statusOf(reply),
      tookMs: this.#options.clock.elapsedMs() - startMs,
    });
  }
}

function statusOf(reply: Reply | StreamReply): number {
  if (reply.kind === 'stream') return 200;
  return reply.kind === 'answer' ? reply.status : 0;
}

/** Connections of one owner, with the client certificate and CA of the connection. */
function agentFor(connection: Connection, options: http.AgentOptions): HttpAgent {
  if (connection.server.protocol === 'http:') return new http.Agent(options);
  return new https.Agent({ ...connection.tls, ...options });
}

/** A kept connection that was closed under us: the request was not read, and these may be sent twice in any case. */
function isSafeToRepeat(call: Call, reply: Reply): boolean {
  if (reply.kind !== 'none' || !reply.staleConnection || call.body?.secret === true) return false;
  return call.method === 'GET' || call.contentType === 'application/apply-patch+yaml';
}
