import { Agent } from 'node:https';
import { TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { LIMITS } from '../../src/core/limits.ts';
import type { Reply } from '../../src/kube/exchange.ts';
import { applyObject, createObject, deleteObject, getMetadata, getObject } from '../../src/kube/objects.ts';
import { CONFIG_MAPS, SECRETS } from '../../src/kube/resource.ts';
import { withRetry } from '../../src/kube/retry.ts';
import { METADATA_ONLY, Transport } from '../../src/kube/transport.ts';
import type { Call, RequestRecord } from '../../src/kube/transport.ts';
import type { FakeHandler } from './fake-api.ts';
import { bytesOf, sendJson, startFakeApi, statusOf } from './fake-api.ts';

const metadata = { kind: 'PartialObjectMetadata', metadata: { name: 's', uid: 'u', resourceVersion: '7' } };
const answerMetadata: FakeHandler = (_received, response) => sendJson(response, 200, metadata);

const get: Call = {
  verb: 'get',
  method: 'GET',
  path: '/api/v1/namespaces/team/configmaps/a',
  resource: CONFIG_MAPS,
  accept: 'application/json',
};

const secretBody = { apiVersion: 'v1', kind: 'Secret', data: { k: 'aHVudGVyMg==' } };
const secretTarget = { resource: SECRETS, namespace: 'team', name: 's', force: true };

function isWiped(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

describe('a request', () => {
  it('brings status, body and credentials over one kept connection', async () => {
    await using api = await startFakeApi((_received, response) => sendJson(response, 200, { a: 1 }));
    const transport = api.transport({ userAgent: 'sotto/test' });
    for (let count = 0; count < 3; count += 1) {
      const reply = await transport.send(get);
      expect(reply).toMatchObject({ kind: 'answer', status: 200 });
    }
    expect(new Set(api.received.map(({ socket }) => socket)).size).toBe(1);
    expect(api.received[0]?.headers).toMatchObject({
      'user-agent': 'sotto/test',
      authorization: 'Bearer token-0',
      accept: 'application/json',
    });
    expect(api.received[0]?.headers['accept-encoding']).toBeUndefined();
  });

  it('is counted with its status and kind, and 0 without an answer', async () => {
    const records: RequestRecord[] = [];
    await using api = await startFakeApi((_received, response) => sendJson(response, 404, statusOf(404, 'NotFound')));
    const transport = api.transport({ onRequest: (record) => records.push(record) });
    await transport.send(get);
    api.handle((received) => received.socket.destroy());
    await transport.send({ ...get, method: 'DELETE', verb: 'delete' });
    expect(records.map(({ verb, resource, status }) => [verb, resource, status])).toEqual([
      ['get', 'configmaps', 404],
      ['delete', 'configmaps', 0],
    ]);
  });

  it('after 401 gets new credentials and is sent once more', async () => {
    await using api = await startFakeApi((received, response) => {
      if (received.headers.authorization === 'Bearer token-1') sendJson(response, 200, {});
      else sendJson(response, 401, statusOf(401, 'Unauthorized'));
    });
    expect(await api.transport().send(get)).toMatchObject({ status: 200 });
    expect(api.authorized.forced).toBe(1);
  });

  it('that stays unauthorized is not sent a third time', async () => {
    await using api = await startFakeApi((_received, response) =>
      sendJson(response, 401, statusOf(401, 'Unauthorized')),
    );
    expect(await api.transport().send(get)).toMatchObject({ status: 401 });
    expect(api.received).toHaveLength(2);
  });

  it.each<[string, FakeHandler, Partial<Reply>]>([
    ['is cut before the answer', (received) => received.socket.destroy(), { kind: 'none', cause: 'unreachable' }],
    [
      'is cut inside the answer',
      (received, response) => {
        response.writeHead(200, { 'Content-Length': 100 });
        response.write('half', () => received.socket.destroy());
      },
      { kind: 'none', cause: 'unreachable' },
    ],
    ['gets no answer', () => undefined, { kind: 'none', cause: 'timeout' }],
    [
      'gets an answer that does not end',
      (_received, response) => {
        response.writeHead(200);
        response.write('a');
      },
      { kind: 'none', cause: 'timeout' },
    ],
    [
      'gets more than its cap',
      (_received, response) => response.end('x'.repeat(2000)),
      { kind: 'none', cause: 'protocol' },
    ],
    [
      'gets an error with a long text: the status is kept, the text is not',
      (_received, response) => {
        response.writeHead(500);
        response.end('x'.repeat(LIMITS.maxErrorBodyBytes + 1));
      },
      { kind: 'answer', status: 500, bytes: Buffer.alloc(0) },
    ],
    [
      'is redirected: it does not follow',
      (_received, response) => void response.writeHead(302, { Location: '/x' }).end(),
      { status: 302 },
    ],
  ])('that %s ends as a value', async (_name, handler, expected) => {
    await using api = await startFakeApi(handler);
    const reply = await api.transport({ timeoutMs: 300 }).send({ ...get, method: 'POST', maxAnswerBytes: 1000 });
    expect(reply).toMatchObject(expected);
    expect(api.received).toHaveLength(1);
  });

  it('to a port where nobody listens ends as a value', async () => {
    const api = await startFakeApi(answerMetadata);
    const transport = api.transport();
    await api[Symbol.asyncDispose]();
    expect(await transport.send(get)).toMatchObject({ kind: 'none', cause: 'unreachable', detail: 'ECONNREFUSED' });
  });

  it('to a server with another certificate is not sent', async () => {
    await using api = await startFakeApi(answerMetadata);
    await using other = await startFakeApi(answerMetadata);
    const transport = new Transport(
      { ...api.connection, tls: {}, server: other.connection.server },
      { clock: systemClock },
    );
    expect(await transport.send(get)).toMatchObject({ kind: 'none', cause: 'unreachable' });
    expect(other.received).toHaveLength(0);
  });

  it('can be given up', async () => {
    await using api = await startFakeApi(() => undefined);
    const abort = new AbortController();
    const reply = api.transport().send({ ...get, signal: abort.signal });
    setTimeout(() => abort.abort(), 50);
    expect(await reply).toMatchObject({ kind: 'none', cause: 'aborted' });
    expect(await api.transport().send({ ...get, signal: abort.signal })).toMatchObject({ cause: 'aborted' });
  });

  it('that meets a kept connection closed meanwhile is sent again when that is safe', async () => {
    await using api = await startFakeApi((_received, response) => sendJson(response, 200, {}));
    const transport = api.transport();
    await transport.send(get);
    let cuts = 1;
    api.handle((received, response) => {
      if (cuts-- > 0) received.socket.destroy();
      else sendJson(response, 200, {});
    });
    expect(await transport.send(get)).toMatchObject({ status: 200 });
    cuts = 1;
    expect(await transport.send({ ...get, method: 'POST' })).toMatchObject({ kind: 'none', staleConnection: true });
  });

  it('waits for a free connection and its deadline begins after that', async () => {
    await using api = await startFakeApi(
      (_received, response) => void setTimeout(() => sendJson(response, 200, {}), 150),
    );
    const transport = api.transport({ maxSockets: 1, timeoutMs: 400 });
    const replies = await Promise.all(Array.from({ length: 5 }, () => transport.send(get)));
    expect(replies.map((reply) => reply.kind)).toEqual(Array.from({ length: 5 }, () => 'answer'));
  });
});

describe('the body of a Secret', () => {
  it('arrives whole, is asked to be answered as metadata only, and is gone afterwards', async () => {
    await using api = await startFakeApi(answerMetadata);
    const transport = api.transport();
    for (const size of [1, 100, 200_000]) {
      const sent = { ...secretBody, data: { k: 'A'.repeat(size * 4) } };
      const body = bytesOf(sent);
      const outcome = await applyObject(transport, { ...secretTarget, body });
      expect(outcome).toMatchObject({ ok: true, value: { created: false } });
      expect(isWiped(body)).toBe(true);
      expect(JSON.parse(String(api.received.at(-1)?.body))).toEqual(sent);
    }
    expect(api.received[0]?.headers).toMatchObject({
      accept: METADATA_ONLY,
      'content-type': 'application/apply-patch+yaml',
    });
    expect(String(api.received[0]?.query)).toBe('fieldManager=sotto&force=true');
  });

  it('is given to the TLS layer as one buffer in one write, after the handshake, on new, kept and awaited connections', async () => {
    await using api = await startFakeApi(answerMetadata);
    const transport = api.transport({ maxSockets: 1 });
    const spy = spyOnWrites();
    try {
      const bodies = Array.from({ length: 4 }, (_, index) => bytesOf({ ...secretBody, index }));
      const lengths = bodies.map((body) => body.length);
      await Promise.all(bodies.slice(0, 3).map((body) => applyObject(transport, { ...secretTarget, body })));
      await applyObject(transport, { ...secretTarget, body: bodies[3] ?? bytesOf('') });
      expect(spy.joined).toBe(0);
      const written = spy.writes.filter(({ chunk }) => bodies.some((body) => body.buffer === chunk.buffer));
      expect(written.map(({ chunk }) => chunk.length)).toEqual(lengths);
      expect(written.every(({ secure }) => secure)).toBe(true);
      expect(api.received).toHaveLength(4);
    } finally {
      spy.restore();
    }
  });

  it.each<[string, FakeHandler]>([
    ['the connection is cut', (received) => received.socket.destroy()],
    ['no answer comes', () => undefined],
    ['the credentials are refused', (_received, response) => sendJson(response, 401, statusOf(401, 'Unauthorized'))],
    ['the server refuses it', (_received, response) => sendJson(response, 422, statusOf(422, 'Invalid'))],
  ])('is gone also when %s', async (_name, handler) => {
    await using api = await startFakeApi(handler);
    const body = bytesOf(secretBody);
    const outcome = await applyObject(api.transport({ timeoutMs: 300 }), { ...secretTarget, body });
    expect(outcome.ok).toBe(false);
    expect(isWiped(body)).toBe(true);
    expect(api.received).toHaveLength(1);
  });

  it('is gone when the server cannot be reached or the request is given up before it starts', async () => {
    const api = await startFakeApi(answerMetadata);
    const transport = api.transport();
    const aborted = bytesOf(secretBody);
    await applyObject(transport, { ...secretTarget, body: aborted, signal: AbortSignal.abort() });
    await api[Symbol.asyncDispose]();
    const unsent = bytesOf(secretBody);
    await applyObject(transport, { ...secretTarget, body: unsent });
    expect([isWiped(aborted), isWiped(unsent)]).toEqual([true, true]);
  });

  it('is gone when there are no credentials', async () => {
    await using api = await startFakeApi(answerMetadata);
    const transport = api.transport();
    Object.assign(api.connection, { authorize: () => Promise.reject(new Error('no token')) });
    const body = bytesOf(secretBody);
    await expect(applyObject(transport, { ...secretTarget, body })).rejects.toThrow('no token');
    expect(isWiped(body)).toBe(true);
  });

  it('is not touched any more once the request is settled: the sender fills the same buffer again', async () => {
    await using api = await startFakeApi((received) => received.socket.destroy());
    const body = bytesOf(secretBody);
    await applyObject(api.transport(), { ...secretTarget, body });
    body.fill(1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(body.every((byte) => byte === 1)).toBe(true);
  });

  it('is filled anew after a 401: the next attempt has the new credentials', async () => {
    await using api = await startFakeApi((received, response) => {
      if (received.headers.authorization === 'Bearer token-1') sendJson(response, 201, metadata);
      else sendJson(response, 401, statusOf(401, 'Unauthorized'));
    });
    const transport = api.transport();
    const attempt = () => applyObject(transport, { ...secretTarget, body: bytesOf(secretBody) });
    expect(await withRetry(attempt, { random: () => 0 })).toMatchObject({ ok: true, value: { created: true } });
  });
});

describe('withRetry', () => {
  it('waits as long as the server asks, a little longer, and gives up after its attempts', async () => {
    await using api = await startFakeApi((_received, response) =>
      sendJson(response, 429, statusOf(429, 'TooManyRequests'), { 'Retry-After': '0' }),
    );
    const transport = api.transport();
    const waits: number[] = [];
    const outcome = await withRetry(() => getMetadata(transport, secretTarget), {
      attempts: 3,
      random: () => 0,
      onWait: (failure, waitMs) => waits.push(waitMs, failure.retryAfterMs ?? -1),
    });
    expect(outcome).toMatchObject({ ok: false, failure: { kind: 'throttled', retryAfterMs: 0 } });
    expect(waits).toEqual([50, 0, 50, 0]);
    expect(api.received).toHaveLength(3);
  });

  it('does not repeat what cannot succeed, and ends with its signal', async () => {
    await using api = await startFakeApi((_received, response) => sendJson(response, 422, statusOf(422, 'Invalid')));
    const transport = api.transport();
    await withRetry(() => getMetadata(transport, secretTarget), { random: () => 0 });
    expect(api.received).toHaveLength(1);
    api.handle((_received, response) => sendJson(response, 503, statusOf(503, ''), { 'Retry-After': '60' }));
    const signal = AbortSignal.timeout(50);
    expect(await withRetry(() => getMetadata(transport, secretTarget), { random: () => 0, signal })).toMatchObject({
      ok: false,
    });
  });
});

describe('objects', () => {
  const target = { resource: CONFIG_MAPS, namespace: 'team', name: 'My.Name' };

  it('are created by POST to the collection and deleted with the uid as a precondition', async () => {
    await using api = await startFakeApi((received, response) =>
      sendJson(response, received.method === 'POST' ? 201 : 200, metadata),
    );
    const transport = api.transport();
    expect(await createObject(transport, { ...target, body: bytesOf({}) })).toMatchObject({ value: { created: true } });
    expect(await deleteObject(transport, { ...target, uid: 'u-1', resourceVersion: '7' })).toEqual({
      ok: true,
      value: 'accepted',
    });
    expect(api.received.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'POST /api/v1/namespaces/team/configmaps',
      'DELETE /api/v1/namespaces/team/configmaps/My.Name',
    ]);
    expect(JSON.parse(String(api.received[1]?.body))).toMatchObject({
      propagationPolicy: 'Background',
      preconditions: { uid: 'u-1', resourceVersion: '7' },
    });
  });

  it('are written and deleted as somebody else where that is asked for, and read as ourselves', async () => {
    await using api = await startFakeApi(answerMetadata);
    const transport = api.transport();
    const place = { resource: SECRETS, namespace: 'team', name: 's' };
    const asUser = 'system:serviceaccount:team:deployer';
    await applyObject(transport, { ...place, asUser, force: true, body: bytesOf(secretBody) });
    await deleteObject(transport, { ...place, asUser, uid: 'u' });
    await getMetadata(transport, place);
    expect(api.received.map(({ method, headers }) => [method, headers['impersonate-user']])).toEqual([
      ['PATCH', asUser],
      ['DELETE', asUser],
      ['GET', undefined],
    ]);
  });

  it('are undefined when absent; an answer that is no object is a failure', async () => {
    await using api = await startFakeApi((_received, response) =>
      sendJson(response, 404, statusOf(404, 'NotFound', { details: { name: 'x', kind: 'configmaps' } })),
    );
    const transport = api.transport();
    expect(await getObject(transport, target)).toEqual({ ok: true, value: undefined });
    expect(await deleteObject(transport, { ...target, uid: 'u' })).toEqual({ ok: true, value: 'gone' });
    api.handle((_received, response) => void response.end('<html>'));
    expect(await getObject(transport, target)).toMatchObject({ ok: false, failure: { kind: 'protocol' } });
  });
});

describe('a transport in a hurry', () => {
  const target = { resource: CONFIG_MAPS, namespace: 'team', name: 'x' } as const;

  it('gives up reads at once and writes after their grace, and gives no more time to what comes later', async () => {
    await using api = await startFakeApi(() => undefined);
    const transport = api.transport();
    const write = createObject(transport, { ...target, body: Buffer.from('{}') });
    const read = getObject(transport, target);
    await expect.poll(() => api.received.length).toBe(2);
    transport.hurry(100);
    expect(await read).toMatchObject({ ok: false, failure: { kind: 'aborted' } });
    expect(await write).toMatchObject({ ok: false, failure: { kind: 'aborted', outcomeUnknown: true } });
    expect(await getObject(transport, target)).toMatchObject({ ok: false, failure: { kind: 'timeout' } });
    api.handle((_received, response) => sendJson(response, 200, { kind: 'ConfigMap' }));
    expect(await getObject(transport, target)).toMatchObject({ ok: true });
  });
});

interface WriteSpy {
  readonly writes: { readonly chunk: Uint8Array; readonly secure: boolean }[];
  joined: number;
  restore(): void;
}

type Done = (error?: Error | null) => void;

/** Sees what the client's connections hand to the TLS layer: `_write` one buffer, `_writev` several joined. */
function spyOnWrites(): WriteSpy {
  const original: unknown = Reflect.get(Agent.prototype, 'createConnection');
  if (typeof original !== 'function') throw new Error('https.Agent has no createConnection');
  const restore = () => Object.assign(Agent.prototype, { createConnection: original });
  const spy: WriteSpy = { writes: [], joined: 0, restore };
  Object.assign(Agent.prototype, {
    createConnection(this: Agent, ...args: unknown[]) {
      const socket: unknown = Reflect.apply(original, this, args);
      if (!(socket instanceof TLSSocket)) throw new Error('no TLS connection');
      const write = (Reflect.get(socket, '_write') as (chunk: Uint8Array, encoding: string, done: Done) => void).bind(
        socket,
      );
      return Object.assign(socket, {
        _write(chunk: Uint8Array, encoding: string, done: Done) {
          const secure = socket.getProtocol() !== null && Reflect.get(socket, 'secureConnecting') === false;
          if (chunk instanceof Uint8Array) spy.writes.push({ chunk, secure });
          write(chunk, encoding, done);
        },
        _writev(pieces: { chunk: Uint8Array }[], done: Done) {
          spy.joined += 1;
          write(Buffer.concat(pieces.map(({ chunk }) => Buffer.from(chunk))), 'buffer', done);
        },
      });
    },
  });
  return spy;
}
