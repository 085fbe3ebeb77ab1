import { PassThrough, Readable, Writable } from 'node:stream';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BrokenFrame,
  decodeHead,
  encodeHead,
  type FrameKind,
  HEAD_BYTES,
  Incoming,
  sendFrame,
  takeHead,
  takeHeader,
} from '../../../../src/render/kustomize/socket/frame.ts';

const CAPS = { maxHeaderBytes: 1_000, maxBodyBytes: 1_000 };
const KINDS: readonly FrameKind[] = ['describe', 'build', 'described', 'built', 'refused'];

async function written(kind: FrameKind, header: unknown, body: readonly Uint8Array[]): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  await sendFrame(sink, kind, header, body);
  return Buffer.concat(chunks);
}

function inPieces(bytes: Buffer, cuts: readonly number[]): Readable {
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].toSorted((a, b) => a - b);
  const pieces = [...ends, bytes.length].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
  return Readable.from(
    pieces.filter((piece) => piece.length > 0),
    { objectMode: false },
  );
}

async function read(stream: Readable, caps = CAPS) {
  const incoming = new Incoming(stream);
  const head = await takeHead(incoming, caps);
  return { kind: head.kind, header: await takeHeader(incoming, head), body: await incoming.take(head.bodyBytes) };
}

async function troubleOf(task: () => unknown): Promise<string> {
  try {
    await task();
  } catch (thrown) {
    if (thrown instanceof BrokenFrame) return thrown.trouble;
    throw thrown;
  }
  return 'none';
}

describe('a frame', () => {
  test('arrives as it was sent, in whatever pieces', async () => {
    const body = fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 5 });
    const kind = fc.constantFrom(...KINDS);
    await fc.assert(
      fc.asyncProperty(
        kind,
        fc.jsonValue({ maxDepth: 2 }),
        body,
        fc.array(fc.nat()),
        async (as, header, parts, cuts) => {
          const bytes = await written(as, header, parts);
          fc.pre(bytes.length < 900);
          const got = await read(inPieces(bytes, cuts));
          expect(got.kind).toBe(as);
          expect(got.header).toEqual(JSON.parse(JSON.stringify(header)));
          expect(Buffer.compare(got.body, Buffer.concat(parts))).toBe(0);
        },
      ),
    );
  });

  test('that is cut anywhere, or is any bytes at all, is told as broken and as nothing else', async () => {
    const whole = await written('built', { a: 1 }, [Buffer.from('body')]);
    for (let end = 0; end < whole.length; end += 1) {
      expect(await troubleOf(() => read(inPieces(whole.subarray(0, end), [])))).toBe('cut');
    }
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), fc.boolean(), async (noise, isBehindHead) => {
        const bytes = Buffer.concat([
          isBehindHead ? encodeHead({ kind: 'built', headerBytes: 9, bodyBytes: 9 }) : Buffer.alloc(0),
          noise,
        ]);
        const trouble = await troubleOf(() => read(inPieces(bytes, [])));
        expect(['cut', 'garbled', 'version', 'too-large', ...(isBehindHead ? ['none'] : [])]).toContain(trouble);
      }),
    );
  });

  test('of another version or above the caps is refused by its head', async () => {
    const head = (headerBytes: number, bodyBytes: number, version?: number) =>
      troubleOf(() => decodeHead(encodeHead({ kind: 'build', headerBytes, bodyBytes }, version), CAPS));
    expect(await head(1_000, 1_000)).toBe('none');
    expect(await head(1_001, 0)).toBe('too-large');
    expect(await head(0, 0xffff_ffff)).toBe('too-large');
    expect(await head(0, 0, 2)).toBe('version');
    const unknown = encodeHead({ kind: 'build', headerBytes: 0, bodyBytes: 0 });
    unknown.writeUInt8(KINDS.length + 1, 7);
    expect(await troubleOf(() => decodeHead(unknown, CAPS))).toBe('garbled');
    expect(unknown.length).toBe(HEAD_BYTES);
  });

  test('whose header is no JSON, or no UTF-8, is refused', async () => {
    for (const header of [Buffer.from('{'), Buffer.from([0x22, 0xff, 0x22])]) {
      const head = encodeHead({ kind: 'built', headerBytes: header.length, bodyBytes: 0 });
      expect(await troubleOf(() => read(inPieces(Buffer.concat([head, header]), [])))).toBe('garbled');
    }
  });

  test('is waited for without end; silence ends with the stream or with whatever comes unasked', async () => {
    const [ended, loud] = [new PassThrough(), new PassThrough()];
    const silences = Promise.all([new Incoming(ended).silence(), new Incoming(loud).silence()]);
    ended.end();
    loud.write('x');
    await silences;
  });
});
