import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { exchange, type Reply } from '../kube/exchange.ts';

/** One request to a service: a POST, unless it says otherwise. */
export interface ServiceCall {
  /** Origin of an allowed service. */
  readonly origin: string;
  /** Path and query. */
  readonly path: string;
  readonly method?: 'GET';
  readonly headers: Readonly<Record<string, string>>;
  /** Overwritten when it is sent; a GET has none. */
  readonly body: Uint8Array;
  /** PEM of the authority; undefined: those of the system. */
  readonly ca?: Uint8Array | undefined;
}

/** Never rejects: what went wrong is a value. */
export type CallService = (call: ServiceCall) => Promise<Reply>;

/** A service that hangs holds one file of one sync this long, and then none for a while (`Patience`). */
const TIMEOUT_MS = 10_000;
/** A wrapped data key has some hundred bytes. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** Certificates are verified, redirects are not followed, and no connection is kept. */
export const callService: CallService = async ({ origin, path, method, headers, body, ca }) => {
  const server = new URL(origin);
  const isPlain = server.protocol === 'http:';
  const options = { keepAlive: false, ...(ca === undefined ? {} : { ca: Buffer.from(ca) }) };
  const agent = isPlain ? new HttpAgent({ keepAlive: false }) : new HttpsAgent(options);
  try {
    return await exchange({
      server,
      agent,
      method: method ?? 'POST',
      path,
      headers: method === 'GET' ? headers : { ...headers, 'content-length': body.length },
      body: method === 'GET' ? undefined : { secret: true, bytes: body, wipe: () => void body.fill(0) },
      timeoutMs: TIMEOUT_MS,
      maxAnswerBytes: MAX_ANSWER_BYTES,
      wipeChunks: true,
      signal: undefined,
    });
  } finally {
    agent.destroy();
  }
};
