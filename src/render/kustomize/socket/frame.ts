import type { Readable, Writable } from 'node:stream';

/**
 * How agent and renderer talk. One connection is one question and one answer, each a frame:
 *
 *     6 bytes "sotto/" · 1 byte version · 1 byte kind · 4 bytes length of the header · 4 bytes length of the body
 *     header: JSON · body: bytes
 *
 * Lengths are unsigned and big-endian. The agent asks `describe` or `build`; the renderer answers `described`, `built`
 * or `refused`. Each side takes the other for hostile: lengths are capped before anything is kept, and everything in a
 * header is read by name and form (message.ts).
 */
export const PROTOCOL_VERSION = 1;

const KINDS = ['describe', 'build', 'described', 'built', 'refused'] as const;
export type FrameKind = (typeof KINDS)[number];

export interface FrameHead {
  readonly kind: FrameKind;
  readonly headerBytes: number;
  readonly bodyBytes: number;
}

/** Why a frame is none. `version`: the other side is another version of sotto. */
export type FrameTrouble = 'garbled' | 'version' | 'too-large' | 'cut';

export class BrokenFrame extends Error {
  readonly trouble: FrameTrouble;

  constructor(trouble: FrameTrouble) {
    super(`a frame is ${trouble}`);
    this.trouble = trouble;
  }
}

const MAGIC = Buffer.from('sotto/', 'latin1');
export const HEAD_BYTES = 16;

export interface FrameCaps {
  readonly maxHeaderBytes: number;
  readonly maxBodyBytes: number;
}

export function encodeHead({ kind, headerBytes, bodyBytes }: FrameHead, version = PROTOCOL_VERSION): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  MAGIC.copy(head);
  head.writeUInt8(version, 6);
  head.writeUInt8(KINDS.indexOf(kind) + 1, 7);
  head.writeUInt32BE(headerBytes, 8);
  head.writeUInt32BE(bodyBytes, 12);
  return head;
}

/** Throws BrokenFrame. */
export function decodeHead(head: Buffer, caps: FrameCaps): FrameHead {
  if (head.length !== HEAD_BYTES || !head.subarray(0, MAGIC.length).equals(MAGIC)) throw new BrokenFrame('garbled');
  if (head.readUInt8(6) !== PROTOCOL_VERSION) throw new BrokenFrame('version');
  const kind = KINDS[head.readUInt8(7) - 1];
  if (kind === undefined) throw new BrokenFrame('garbled');
  const [headerBytes, bodyBytes] = [head.readUInt32BE(8), head.readUInt32BE(12)];
  if (headerBytes > caps.maxHeaderBytes || bodyBytes > caps.maxBodyBytes) throw new BrokenFrame('too-large');
  return { kind, headerBytes, bodyBytes };
}

/** Takes counted bytes off a stream, which stands still in between. */
export class Incoming {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: Readable) {
    this.#chunks = stream.iterator({ destroyOnReturn: false });
  }

  /** Throws BrokenFrame when the stream ends or breaks before. */
  async take(bytes: number): Promise<Buffer> {
    const taken = Buffer.alloc(bytes);
    let filled = 0;
    for (;;) {
      const copied = this.#rest.copy(taken, filled);
      this.#rest = this.#rest.subarray(copied);
      filled += copied;
      if (filled === bytes) return taken;
      const chunk = await this.#next();
      if (chunk === undefined) throw new BrokenFrame('cut');
      this.#rest = chunk;
    }
  }

  /** Resolves when the other side has ended, is gone, or says more than it should. */
  async silence(): Promise<void> {
    if (this.#rest.length === 0) await this.#next();
  }

  /** Reads what still comes and drops it, so that the other side gets to read what it was answered. */
  async drain(): Promise<void> {
    while ((await this.#next()) !== undefined);
  }

  async #next(): Promise<Buffer | undefined> {
    try {
      const { done, value } = await this.#chunks.next();
      return done === true ? undefined : value;
    } catch {
      return undefined;
    }
  }
}

export async function takeHead(incoming: Incoming, caps: FrameCaps): Promise<FrameHead> {
  return decodeHead(await incoming.take(HEAD_BYTES), caps);
}

/** Throws BrokenFrame: a header is JSON in UTF-8. */
export async function takeHeader(incoming: Incoming, { headerBytes }: FrameHead): Promise<unknown> {
  const bytes = await incoming.take(headerBytes);
  try {
    const header: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return header;
  } catch {
    throw new BrokenFrame('garbled');
  }
}

/** Resolves when all of it was handed to the system. Rejects when the other side is gone. */
export function sendFrame(
  stream: Writable,
  kind: FrameKind,
  header: unknown,
  body: readonly Uint8Array[] = [],
): Promise<void> {
  const text = Buffer.from(JSON.stringify(header), 'utf8');
  const bodyBytes = body.reduce((sum, part) => sum + part.length, 0);
  return new Promise((resolve, reject) => {
    stream.cork();
    stream.write(encodeHead({ kind, headerBytes: text.length, bodyBytes }));
    for (const part of body.length === 0 ? [] : [text, ...body.slice(0, -1)]) stream.write(part);
    stream.write(body.at(-1) ?? text, (error) => (error == null ? resolve() : reject(error)));
    stream.uncork();
  });
}
