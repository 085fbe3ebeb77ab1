import { chmod, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { BuildOutcome } from '../../../../src/render/kustomize/child-renderer.ts';
import { type RendererPlace, readRendererPlace } from '../../../../src/render/kustomize/socket/address.ts';
import { encodeHead, HEAD_BYTES, sendFrame } from '../../../../src/render/kustomize/socket/frame.ts';
import { ANSWER_CAPS } from '../../../../src/render/kustomize/socket/message.ts';
import {
  type RendererServer,
  type RendererServerOptions,
  startRendererServer,
} from '../../../../src/render/kustomize/socket/server.ts';
import { socketRenderer, type SocketRendererOptions } from '../../../../src/render/kustomize/socket/socket-renderer.ts';
import { refusal } from '../../../sops/fixtures.ts';

const ABOUT = { kustomize: '5.8.2', network: 'none', resources: 'capped' } as const;
const FILES = [{ path: 'kustomization.yaml', bytes: Buffer.from('resources: []\n') }];
const DONE: BuildOutcome = { kind: 'done', output: Buffer.from('built') };
/** Long enough for two local processes; short enough that a test of a refusal does not wait. */
const PATIENCE = { reachMs: 1_000, firstWaitMs: 10, maxWaitMs: 50 };

let folder = '';
let count = 0;
const running: RendererServer[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sotto-socket-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server[Symbol.asyncDispose]()));
});

function newPlace(): Extract<RendererPlace, { kind: 'unix' }> {
  count += 1;
  return { kind: 'unix', path: join(folder, `${count}`, 'private', 'socket') };
}

/** Until the end of the test. */
async function serve(place: RendererPlace, more: Partial<RendererServerOptions> = {}): Promise<RendererServer> {
  const server = await startRendererServer({
    place,
    about: ABOUT,
    build: () => Promise.resolve(DONE),
    onBuilt: () => undefined,
    onDefect: (thrown) => {
      throw thrown;
    },
    ...more,
  });
  running.push(server);
  return server;
}

function client(place: RendererPlace, more: Partial<SocketRendererOptions> = {}) {
  return socketRenderer({ place, patience: PATIENCE, ...more });
}

async function codeOf(place: RendererPlace, more: Partial<SocketRendererOptions> = {}): Promise<string> {
  const rendered = await client(place, more).build(FILES, '');
  return rendered.ok ? 'built' : rendered.error.code;
}

/** However it ends: an error comes before the end and says nothing more. */
function end(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

/** Somebody who answers each connection with these bytes. */
async function impostor(answer: (socket: Socket) => void): Promise<{ place: RendererPlace } & AsyncDisposable> {
  const place = newPlace();
  await mkdir(dirname(place.path), { recursive: true });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    answer(socket);
  });
  await new Promise<void>((resolve) => server.listen(place.path, resolve));
  return {
    place,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe('a renderer behind a socket', () => {
  test('gets the files as they are and gives what came out, and says what holds it', async () => {
    const place = newPlace();
    const seen: unknown[] = [];
    const told: unknown[] = [];
    await serve(place, {
      build: ({ files, root }) => {
        seen.push([root, files.map(({ path, bytes }) => [path, Buffer.from(bytes).toString()])]);
        return Promise.resolve(DONE);
      },
    });
    const renderer = client(place, { onDescribed: (description) => told.push(description) });
    expect(await renderer.describe()).toEqual(ABOUT);
    expect(await renderer.build(FILES, '')).toEqual({ ok: true, bytes: Buffer.from('built') });
    expect(seen).toEqual([['', [['kustomization.yaml', 'resources: []\n']]]]);
    expect(told).toEqual([ABOUT, ABOUT]);
  });

  test('lies in a folder that nobody else may enter, also one that was open before', async () => {
    const place = newPlace();
    await mkdir(dirname(place.path), { recursive: true });
    await chmod(dirname(place.path), 0o777);
    await serve(place);
    expect((await stat(dirname(place.path))).mode & 0o777).toBe(0o700);
    expect((await stat(place.path)).mode & 0o777).toBe(0o600);
  });

  test('takes the place of one that was killed, and of nothing else', async () => {
    const place = newPlace();
    await mkdir(dirname(place.path), { recursive: true });
    await writeFile(place.path, 'mine');
    expect(await refusal(() => serve(place))).toMatchObject({ code: 'SOTTO-RENDER-063' });
    await rm(place.path);
    await symlink('/etc/passwd', place.path);
    expect(await refusal(() => serve(place))).toMatchObject({ code: 'SOTTO-RENDER-063' });
    await rm(place.path);
    const old = createServer();
    await new Promise<void>((resolve) => old.listen(join(folder, 'old'), resolve));
    await symlink(join(folder, 'old'), place.path);
    expect(await refusal(() => serve(place))).toMatchObject({ code: 'SOTTO-RENDER-063' });
    old.close();
    await rm(place.path);
    await serve(place);
    expect(await codeOf(place)).toBe('built');
  });

  test('is waited for while it starts, and not without end', async () => {
    const place = newPlace();
    expect(await codeOf(place, { patience: { ...PATIENCE, reachMs: 30 } })).toBe('SOTTO-RENDER-064');
    const building = codeOf(place, { patience: { ...PATIENCE, reachMs: 20_000 } });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await serve(place);
    expect(await building).toBe('built');
  });

  test('that ends in the middle of a build is asked once more, and then no more', async () => {
    let asked = 0;
    await using breaking = await impostor((socket) => {
      asked += 1;
      socket.once('data', () => socket.destroy());
    });
    expect(await codeOf(breaking.place)).toBe('SOTTO-RENDER-065');
    expect(asked).toBe(2);
    const place = newPlace();
    const first = Promise.withResolvers<void>();
    const server = await serve(place, {
      build: (_request, gone) => {
        first.resolve();
        return new Promise((resolve) =>
          gone.addEventListener('abort', () => resolve({ kind: 'ended', why: 'stopped' })),
        );
      },
    });
    const building = codeOf(place, { patience: { ...PATIENCE, reachMs: 20_000 } });
    await first.promise;
    await server[Symbol.asyncDispose]();
    await serve(place);
    expect(await building).toBe('built');
  });

  test('builds one thing at a time, lets few wait, and reads nothing of those before their turn', async () => {
    const place = newPlace();
    let atOnce = 0;
    let most = 0;
    const release = Promise.withResolvers<void>();
    await serve(place, {
      limits: { maxWaiting: 1 },
      build: async () => {
        atOnce += 1;
        most = Math.max(most, atOnce);
        await release.promise;
        atOnce -= 1;
        return DONE;
      },
    });
    const two = [codeOf(place), codeOf(place)];
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await codeOf(place, { patience: { ...PATIENCE, reachMs: 30 } })).toBe('SOTTO-RENDER-068');
    expect(await client(place).describe()).toEqual(ABOUT);
    release.resolve();
    expect(await Promise.all(two)).toEqual(['built', 'built']);
    expect(most).toBe(1);
  });

  test('ends a build that nobody waits for any more', async () => {
    const place = newPlace();
    const begun = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    await serve(place, {
      build: (_request, gone) => {
        begun.resolve();
        return new Promise((resolve) =>
          gone.addEventListener('abort', () => {
            ended.resolve();
            resolve({ kind: 'ended', why: 'stopped' });
          }),
        );
      },
    });
    const stop = new AbortController();
    const building = client(place, { signal: stop.signal }).build(FILES, '');
    await begun.promise;
    stop.abort();
    const rendered = await building;
    expect(!rendered.ok && rendered.error.why).toBe('this process is ending');
    await ended.promise;
    expect(await codeOf(place, { signal: AbortSignal.abort() })).toBe('SOTTO-RENDER-038');
  });

  test('is not even asked for a tree that is too large', async () => {
    const huge = { path: 'x', bytes: new Uint8Array(65 * 1024 * 1024) };
    const rendered = await client(newPlace()).build([huge], '');
    expect(!rendered.ok && rendered.error.code).toBe('SOTTO-RENDER-039');
  });
});

describe('a client that means harm', () => {
  test('is answered or cut, and the renderer goes on for others', async () => {
    const place = newPlace();
    await serve(place, {
      limits: { headTimeoutMs: 50, requestTimeoutMs: 50, answerTimeoutMs: 50 },
    });
    const start = fc.constantFrom(
      Buffer.alloc(0),
      encodeHead({ kind: 'build', headerBytes: 20, bodyBytes: 5 }),
      encodeHead({ kind: 'built', headerBytes: 2, bodyBytes: 0 }),
      encodeHead({ kind: 'build', headerBytes: 0xffff_ffff, bodyBytes: 0xffff_ffff }),
      encodeHead({ kind: 'build', headerBytes: 2, bodyBytes: 0 }, 9),
    );
    await fc.assert(
      fc.asyncProperty(start, fc.uint8Array({ maxLength: 200 }), fc.boolean(), async (head, noise, isPatient) => {
        const socket = connect(place.path);
        socket.on('error', () => undefined);
        socket.resume();
        socket.write(Buffer.concat([head, noise]));
        if (!isPatient) socket.end();
        await end(socket);
      }),
      { numRuns: 40 },
    );
    expect(await codeOf(place)).toBe('built');
  });

  test('that is slow is cut, at the head, in the body, and at its answer', async () => {
    const place = newPlace();
    await serve(place, {
      limits: { headTimeoutMs: 50, requestTimeoutMs: 50, answerTimeoutMs: 50 },
      build: () => Promise.resolve({ kind: 'done', output: Buffer.alloc(32 * 1024 * 1024) }),
    });
    const header = Buffer.from(JSON.stringify({ root: '', files: [] }));
    const whole = Buffer.concat([encodeHead({ kind: 'build', headerBytes: header.length, bodyBytes: 0 }), header]);
    for (const sent of [whole.subarray(0, 5), whole.subarray(0, HEAD_BYTES + 3), whole]) {
      const socket = connect(place.path);
      socket.on('error', () => undefined);
      const closed = end(socket);
      socket.write(sent);
      if (sent !== whole) socket.resume();
      // What it does not read stays where it is; the end is seen by reading later.
      await new Promise((resolve) => setTimeout(resolve, 150));
      let bytes = 0;
      socket.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      await closed;
      expect(bytes).toBeLessThan(32 * 1024 * 1024);
    }
  });
});

describe('an answer that means harm', () => {
  test.each<readonly [string, (socket: Socket) => void, string]>([
    ['nothing of the kind', (socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'), 'SOTTO-RENDER-066'],
    [
      'another version',
      (socket) => void socket.end(encodeHead({ kind: 'built', headerBytes: 0, bodyBytes: 0 }, 2)),
      'SOTTO-RENDER-067',
    ],
    [
      'more bytes than may be',
      (socket) =>
        void socket.write(encodeHead({ kind: 'built', headerBytes: 2, bodyBytes: ANSWER_CAPS.maxBodyBytes + 1 })),
      'SOTTO-RENDER-066',
    ],
    [
      'a description where a build was asked for',
      (socket) => void sendFrame(socket, 'described', ABOUT),
      'SOTTO-RENDER-066',
    ],
    ['a refusal without a reason', (socket) => void sendFrame(socket, 'refused', {}), 'SOTTO-RENDER-066'],
    ['a refusal of the form', (socket) => void sendFrame(socket, 'refused', { why: 'garbled' }), 'SOTTO-RENDER-068'],
    ['a refusal of the version', (socket) => void sendFrame(socket, 'refused', { why: 'version' }), 'SOTTO-RENDER-067'],
    [
      'an outcome that is none',
      (socket) => void sendFrame(socket, 'built', { about: ABOUT, outcome: { kind: 'great' } }),
      'SOTTO-RENDER-066',
    ],
  ])('%s is refused with a code', async (_name, answer, code) => {
    await using other = await impostor(answer);
    expect(await codeOf(other.place)).toBe(code);
    expect(await client(other.place, { patience: { ...PATIENCE, answerMs: 200 } }).describe()).toEqual(
      code === 'SOTTO-RENDER-066' && _name.startsWith('a description') ? ABOUT : undefined,
    );
  });

  test('that never comes is not waited for without end', async () => {
    await using other = await impostor((socket) => void socket.resume());
    expect(await codeOf(other.place, { patience: { ...PATIENCE, answerMs: 50 } })).toBe('SOTTO-RENDER-064');
  });

  test('of any bytes ends in a code', async () => {
    let noise: Uint8Array = new Uint8Array();
    await using other = await impostor((socket) => void socket.end(noise));
    const start = fc.constantFrom(Buffer.alloc(0), encodeHead({ kind: 'built', headerBytes: 30, bodyBytes: 10 }));
    await fc.assert(
      fc.asyncProperty(start, fc.uint8Array({ maxLength: 100 }), async (head, bytes) => {
        noise = Buffer.concat([head, bytes]);
        expect(await codeOf(other.place)).toMatch(/^SOTTO-RENDER-06[567]$/);
      }),
      { numRuns: 40 },
    );
  });
});

async function tokenFile(text: string): Promise<string> {
  count += 1;
  const file = join(folder, `token-${count}`);
  await writeFile(file, text, { mode: 0o600 });
  return file;
}

async function portServer(text: string): Promise<{ server: RendererServer; at: (file: string) => RendererPlace }> {
  const server = await serve(readRendererPlace('tcp:127.0.0.1:0', await tokenFile(text)));
  return { server, at: (file) => readRendererPlace(`tcp:127.0.0.1:${server.port ?? 0}`, file) };
}

describe('a renderer at a port', () => {
  const token = 'a'.repeat(64);

  test('answers who knows its token, however the file ends', async () => {
    const { at } = await portServer(token);
    const renderer = client(at(await tokenFile(`${token}\n`)));
    expect(await renderer.describe()).toEqual(ABOUT);
    expect(await renderer.build(FILES, '')).toEqual({ ok: true, bytes: Buffer.from('built') });
  });

  test('and a client with another token refuse each other before anything is sent', async () => {
    let built = 0;
    const server = await serve(readRendererPlace('tcp:127.0.0.1:0', await tokenFile(token)), {
      build: () => {
        built += 1;
        return Promise.resolve(DONE);
      },
    });
    const other = readRendererPlace(`tcp:127.0.0.1:${server.port ?? 0}`, await tokenFile('b'.repeat(64)));
    expect(await codeOf(other)).toBe('SOTTO-RENDER-069');
    expect(built).toBe(0);
  });

  test('is no impostor: who does not know the token learns nothing, in clear or otherwise', async () => {
    const heard: Buffer[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (chunk: Buffer) => {
        heard.push(chunk);
        socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const place = readRendererPlace(`tcp:127.0.0.1:${port}`, await tokenFile(token));
    expect(await codeOf(place, { patience: { ...PATIENCE, reachMs: 30 } })).toBe('SOTTO-RENDER-069');
    expect(Buffer.concat(heard).toString('latin1')).not.toMatch(/kustomization|resources|aaaa/);
    server.close();
  });

  test('survives who only knocks, and who speaks in clear', async () => {
    const { server, at } = await portServer(token);
    for (const text of ['', 'GET / HTTP/1.1\r\n\r\n']) {
      const socket = connect(server.port ?? 0, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.resume();
      socket.end(text);
      await end(socket);
    }
    expect(await codeOf(at(await tokenFile(token)))).toBe('built');
  });

  test('without a token that can be used does not begin, and is not asked', async () => {
    for (const text of ['', 'short', 'x'.repeat(5_000)]) {
      const place = readRendererPlace('tcp:127.0.0.1:0', await tokenFile(text));
      expect(await refusal(() => serve(place))).toMatchObject({ code: 'SOTTO-RENDER-062' });
      expect(await codeOf(place)).toBe('SOTTO-RENDER-062');
    }
    const absent = readRendererPlace('tcp:127.0.0.1:0', join(folder, 'absent'));
    expect(await codeOf(absent)).toBe('SOTTO-RENDER-062');
  });

  test('takes a new token without being started anew', async () => {
    const file = await tokenFile(token);
    const server = await serve(readRendererPlace('tcp:127.0.0.1:0', file));
    await writeFile(file, 'c'.repeat(40));
    const at = (own: string) => readRendererPlace(`tcp:127.0.0.1:${server.port ?? 0}`, own);
    expect(await codeOf(at(await tokenFile('c'.repeat(40))))).toBe('built');
    expect(await codeOf(at(await tokenFile(token)))).toBe('SOTTO-RENDER-069');
  });
});

describe('an address of a renderer', () => {
  test.each([
    ['unix:/run/x', { kind: 'unix', path: '/run/x' }],
    ['tcp:renderer:9443', { kind: 'tcp', host: 'renderer', port: 9443 }],
    ['tcp:[::1]:1', { kind: 'tcp', host: '::1', port: 1 }],
    ['tcp::9443', { kind: 'tcp', host: undefined, port: 9443 }],
  ])('%s is one', (text, place) => {
    expect(readRendererPlace(text, '/token')).toMatchObject(place);
  });

  test.each([
    '',
    'unix:',
    'unix:x',
    `unix:/${'x'.repeat(107)}`,
    'tcp:a',
    'tcp:a:70000',
    'tcp:a b:1',
    'http://a:1',
    '/run/x',
  ])('%j is none', async (text) => {
    expect(await refusal(() => readRendererPlace(text, '/token'))).toMatchObject({ code: 'SOTTO-RENDER-061' });
  });

  test('at a port needs a token', async () => {
    expect(await refusal(() => readRendererPlace('tcp:a:1', undefined))).toMatchObject({ code: 'SOTTO-RENDER-061' });
  });
});
