import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { RendererPlace } from './address.ts';
import { BrokenFrame, type FrameHead, type FrameKind, Incoming, sendFrame, takeHead, takeHeader } from './frame.ts';
import { ANSWER_CAPS, readRefusal, type Refusal } from './message.ts';
import { clientTls } from './shared-key.ts';

export interface Question {
  readonly kind: FrameKind;
  readonly header: unknown;
  readonly body: readonly Uint8Array[];
}

export interface Answer {
  readonly header: unknown;
  readonly body: Buffer;
}

/** How one connection went wrong. */
export type Trouble =
  /** Nobody was there: nothing was asked. */
  | { readonly kind: 'unreachable'; readonly reason: string }
  /** Somebody was there who does not know the token. */
  | { readonly kind: 'stranger' }
  /** The connection broke after it was made. */
  | { readonly kind: 'cut' }
  | { readonly kind: 'late' }
  | { readonly kind: 'refused'; readonly why: Refusal }
  | { readonly kind: 'broken'; readonly trouble: 'garbled' | 'version' | 'too-large' }
  | { readonly kind: 'stopped' };

export interface ExchangeOptions {
  readonly connectTimeoutMs: number;
  readonly answerTimeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export type Exchanged<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly trouble: Trouble };

/** One question, one answer, one connection. Throws SottoError when the token cannot be read. */
export async function exchange(
  place: RendererPlace,
  question: Question,
  options: ExchangeOptions,
): Promise<Exchanged<Answer>> {
  const { connectTimeoutMs, answerTimeoutMs, signal } = options;
  const isStopped = (): boolean => signal?.aborted === true;
  if (isStopped()) return trouble({ kind: 'stopped' });
  const socket = open(place);
  const stop = (): void => void socket.destroy();
  signal?.addEventListener('abort', stop, { once: true });
  let isLate = false;
  const lateIn = (ms: number): NodeJS.Timeout =>
    setTimeout(() => {
      isLate = true;
      socket.destroy();
    }, ms);
  let deadline = lateIn(connectTimeoutMs);
  try {
    const failure = await connected(socket, place);
    clearTimeout(deadline);
    if (failure !== undefined) return trouble(isStopped() ? { kind: 'stopped' } : failure);
    deadline = lateIn(answerTimeoutMs);
    return await ask(socket, question);
  } catch (thrown) {
    if (!(thrown instanceof BrokenFrame)) throw thrown;
    if (isStopped()) return trouble({ kind: 'stopped' });
    if (isLate) return trouble({ kind: 'late' });
    const how = thrown.trouble;
    return trouble(how === 'cut' ? { kind: 'cut' } : { kind: 'broken', trouble: how });
  } finally {
    clearTimeout(deadline);
    signal?.removeEventListener('abort', stop);
    socket.destroy();
  }
}

function trouble(what: Trouble): { readonly ok: false; readonly trouble: Trouble } {
  return { ok: false, trouble: what };
}

function open(place: RendererPlace): Socket {
  if (place.kind === 'unix') return connect({ path: place.path });
  const { host = 'localhost', port, key } = place;
  return connectTls({ host, port, ...clientTls(key) });
}

/** Undefined: it is. Errors that come later end what is read, so they need no other listener. */
function connected(socket: Socket, { kind }: RendererPlace): Promise<Trouble | undefined> {
  return new Promise((resolve) => {
    socket.once(kind === 'unix' ? 'connect' : 'secureConnect', () => resolve(undefined));
    socket.on('error', (error) => resolve(whyNot(error)));
    socket.once('close', () => resolve({ kind: 'unreachable', reason: 'it does not answer' }));
  });
}

function whyNot(error: Error): Trouble {
  const code = 'code' in error ? String(error.code) : '';
  if (code.startsWith('ERR_SSL') || code === 'EPROTO') return { kind: 'stranger' };
  return { kind: 'unreachable', reason: REASONS[code] ?? 'the connection cannot be made' };
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such socket',
  ECONNREFUSED: 'nobody listens there',
  ENOTFOUND: 'the name is not known',
  EAI_AGAIN: 'the name cannot be looked up',
  EACCES: 'it is not permitted',
  ECONNRESET: 'the connection was closed',
};

async function ask(socket: Socket, { kind, header, body }: Question): Promise<Exchanged<Answer>> {
  // Not awaited: a renderer that refuses may do so before it has read everything.
  sendFrame(socket, kind, header, body).catch(() => undefined);
  const incoming = new Incoming(socket);
  const head = await takeHead(incoming, ANSWER_CAPS);
  const answer = { header: await takeHeader(incoming, head), body: await incoming.take(head.bodyBytes) };
  if (head.kind === 'refused') return trouble(refusal(answer.header));
  if (head.kind !== ANSWERS[kind]) throw new BrokenFrame('garbled');
  return { ok: true, value: answer };
}

const ANSWERS: Readonly<Partial<Record<FrameKind, FrameHead['kind']>>> = { describe: 'described', build: 'built' };

function refusal(header: unknown): Trouble {
  const why = readRefusal(header);
  return why === 'version' ? { kind: 'broken', trouble: 'version' } : { kind: 'refused', why };
}
