import { afterEach, describe, expect, it } from 'vitest';
import { type Listener, type ListenerLimits, startListener } from '../../../src/agent/serve/listener.ts';
import { answerPage } from '../../../src/agent/serve/page.ts';
import { startProbes } from '../../../src/agent/serve/probe-listener.ts';
import { answerProbe, type ProbeView } from '../../../src/agent/serve/probes.ts';
import { ask, closed, connected, exchange } from './client.ts';

const VIEW: ProbeView = {
  healthy: () => ({ ok: true, lines: [] }),
  ready: () => ({ ok: false, lines: ['inventory: not loaded'] }),
  metrics: () => Promise.resolve('sotto_inventory_objects 5\n'),
  certificate: () => '-----BEGIN CERTIFICATE-----\n',
};
const ADDRESS = { host: '127.0.0.1', port: 0 };

const open: Listener[] = [];
const defects: unknown[] = [];
const onDefect = (thrown: unknown): void => void defects.push(thrown);

async function probes(view: Partial<ProbeView> = {}, limits?: Partial<ListenerLimits>): Promise<Listener> {
  const answer = (asked: Parameters<typeof answerProbe>[0]) => answerProbe(asked, { ...VIEW, ...view });
  const listener = await startListener(ADDRESS, { answer, onDefect, ...(limits === undefined ? {} : { limits }) });
  open.push(listener);
  return listener;
}

async function page(status: unknown, limits?: Partial<ListenerLimits>): Promise<Listener> {
  const answer = (asked: Parameters<typeof answerPage>[0]) =>
    answerPage(asked, { status: () => status, undone: () => [] }, ADDRESS.host);
  const listener = await startListener(ADDRESS, { answer, onDefect, ...(limits === undefined ? {} : { limits }) });
  open.push(listener);
  return listener;
}

afterEach(async () => {
  defects.length = 0;
  await Promise.all(open.splice(0).map((listener) => listener.close(0)));
});

describe('the probe listener', () => {
  it('answers health, readiness, metrics and the certificate', async () => {
    const listener = await probes();
    expect(await ask(listener, '/healthz')).toMatchObject({ status: 200, body: 'ok\n' });
    expect(await ask(listener, '/readyz?verbose')).toMatchObject({
      status: 503,
      body: 'not ok\ninventory: not loaded\n',
    });
    const metrics = await ask(listener, '/metrics');
    expect(metrics.body).toBe('sotto_inventory_objects 5\n');
    expect(metrics.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    const certificate = await ask(listener, '/v1/cert.pem');
    expect(certificate.body).toBe('-----BEGIN CERTIFICATE-----\n');
    expect(certificate.headers['content-type']).toBe('application/x-pem-file');
  });

  it('says that there is no certificate while there is none', async () => {
    const answer = await ask(await probes({ certificate: () => undefined }), '/v1/cert.pem');
    expect(answer.status).toBe(404);
    expect(answer.body).toContain('no sealing key');
  });

  it('serves nothing else, by no other method', async () => {
    const listener = await probes();
    for (const path of ['/', '/status.json', '/healthz/', '/%68ealthz', '//healthz', '/../healthz', '/v1/rotate']) {
      expect((await ask(listener, path)).status).toBe(404);
    }
    const posted = await ask(listener, '/v1/cert.pem', { method: 'POST', body: 'body' });
    expect(posted).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD', connection: 'close' } });
    expect((await ask(listener, '/healthz', { method: 'DELETE' })).status).toBe(405);
  });

  it('answers HEAD with the headers alone', async () => {
    const answer = await ask(await probes(), '/metrics', { method: 'HEAD' });
    expect(answer).toMatchObject({ status: 200, body: '', headers: { 'content-length': '26' } });
  });

  it('answers a defect with 500 and nothing of it, and tells the agent', async () => {
    const listener = await probes({ metrics: () => Promise.reject(new Error('canary')) });
    expect(await ask(listener, '/metrics')).toMatchObject({ status: 500, body: 'internal error\n' });
    const failing = await probes({
      healthy: () => {
        throw new Error('canary');
      },
    });
    expect(await ask(failing, '/healthz')).toMatchObject({ status: 500, body: 'internal error\n' });
    expect(defects).toHaveLength(2);
  });

  it('names the address and the reason when it cannot listen', async () => {
    const { port } = await probes();
    await expect(startProbes(`127.0.0.1:${port}`, VIEW, onDefect)).rejects.toMatchObject({
      code: 'SOTTO-CLI-001',
      what: `cannot listen on 127.0.0.1:${port}`,
      why: 'another program listens there',
    });
    await expect(startProbes('8080', VIEW, onDefect)).rejects.toMatchObject({ code: 'SOTTO-CLI-001' });
    expect(await startProbes('', VIEW, onDefect)).toBeUndefined();
  });
});

describe.each([
  { name: 'probes', path: '/healthz', start: (limits?: Partial<ListenerLimits>) => probes({}, limits) },
  { name: 'page', path: '/status.json', start: (limits?: Partial<ListenerLimits>) => page({ schema: 'x' }, limits) },
])('a hostile client of the $name listener', ({ path, start }) => {
  const HEAD = `GET ${path} HTTP/1.1\r\nhost: localhost\r\n`;

  it('gets a bare 400 for what is no request', async () => {
    const listener = await start();
    for (const broken of [
      'nonsense\r\n\r\n',
      `GET ${path} HTTP/9.9\r\nhost: localhost\r\n\r\n`,
      `GET ${path} HTTP/1.1\r\n\r\n`,
      `GET ${path} HTTP/1.1\r\nhost: localhost\r\nbad header\r\n\r\n`,
      `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n`,
      `\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003`,
    ]) {
      expect(await exchange(listener, broken), broken).toMatch(/^HTTP\/1\.1 400 Bad Request\r\nconnection: close/i);
    }
    expect((await ask(listener, path)).status).toBe(200);
  });

  it('gets nothing for huge or countless headers', async () => {
    const listener = await start();
    expect(await exchange(listener, `${HEAD}x-big: ${'a'.repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 400 /);
    expect(await exchange(listener, `GET /${'a'.repeat(20_000)} HTTP/1.1\r\n\r\n`)).toMatch(/^HTTP\/1\.1 400 /);
    const many = Array.from({ length: 2_000 }, (_, index) => `x-${index}: 1\r\n`).join('');
    expect(await exchange(listener, `${HEAD}${many}\r\n`)).toMatch(/^HTTP\/1\.1 400 /);
    expect((await ask(listener, path)).status).toBe(200);
  });

  it('is not waited for with a body, and need not be asked for it', async () => {
    const listener = await start();
    const answer = await exchange(listener, `${HEAD}content-length: 1000000000\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    const chunked = await exchange(listener, `${HEAD}transfer-encoding: chunked\r\n\r\nfff\r\n`);
    expect(chunked).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    const continued = await exchange(listener, `${HEAD}expect: 100-continue\r\ncontent-length: 10\r\n\r\n`);
    expect(continued).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  it('gets its pipelined requests answered in order, and HTTP/1.0 closed', async () => {
    const listener = await start();
    const last = `GET /nothing HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`;
    const answers = await exchange(listener, `${`${HEAD}\r\n`.repeat(50)}${last}`);
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual([...Array<string>(50).fill('HTTP/1.1 200'), 'HTTP/1.1 404']);
    expect(await exchange(listener, `GET ${path} HTTP/1.0\r\nhost: localhost\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  it('cannot tunnel, upgrade or use it as a proxy', async () => {
    const listener = await start();
    expect(await exchange(listener, 'CONNECT localhost:22 HTTP/1.1\r\nhost: localhost\r\n\r\n')).toBe('');
    const upgraded = await exchange(listener, `${HEAD}upgrade: h2c\r\nconnection: upgrade, close\r\n\r\n`);
    expect(upgraded).not.toMatch(/^HTTP\/1\.1 101/);
    const absolute = `GET http://other.example.com${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`;
    expect(await exchange(listener, absolute)).toMatch(/^HTTP\/1\.1 404/);
  });

  it('is cut off when it sends slowly, or nothing', async () => {
    const listener = await start({ headersTimeoutMs: 100 });
    const [silent, slow] = [await connected(listener), await connected(listener)];
    slow.write('GET /healthz HTTP/1.1\r\n');
    const drip = setInterval(() => slow.write('a: b\r\n'), 20);
    await Promise.all([closed(silent), closed(slow)]);
    clearInterval(drip);
    expect((await ask(listener, path)).status).toBe(200);
  });

  it('cannot keep others out with many connections: the oldest ones go', async () => {
    const listener = await start({ maxConnections: 8 });
    const sockets = await Promise.all(Array.from({ length: 50 }, () => connected(listener)));
    expect((await ask(listener, path)).status).toBe(200);
    await Promise.all(sockets.slice(0, 42).map(closed));
    expect(sockets.filter((socket) => !socket.closed).length).toBeLessThanOrEqual(8);
    for (const socket of sockets) socket.destroy();
  });

  it('cannot keep it from closing', async () => {
    const listener = await start();
    const held = exchange(listener, `GET ${path} HTTP/1.1\r\n`);
    const kept = exchange(listener, `${HEAD}\r\n`);
    await ask(listener, path);
    await listener.close(50);
    await Promise.all([held, kept]);
    await expect(ask(listener, path)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});

describe('a client that does not read', () => {
  it('is cut off, also when it keeps asking', async () => {
    const listener = await page({ big: 'x'.repeat(250_000) }, { answerTimeoutMs: 100 });
    const socket = await connected(listener);
    socket.pause();
    socket.write('GET /status.json HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(100));
    // A paused socket does not see its end: what is written then is refused.
    await new Promise<void>((resolve) => {
      const poll = setInterval(() => {
        if (!socket.writable) return;
        socket.write('GET /status.json HTTP/1.1\r\nhost: localhost\r\n\r\n');
      }, 20);
      socket.once('close', () => {
        clearInterval(poll);
        resolve();
      });
    });
    expect((await ask(listener, '/status.json')).status).toBe(200);
  });
});
