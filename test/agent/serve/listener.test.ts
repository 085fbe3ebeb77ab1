import { request } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Listener } from '../../../src/agent/serve/listener.ts';
import { parseListenAddress, startListener } from '../../../src/agent/serve/listener.ts';
import type { ProbeView } from '../../../src/agent/serve/probes.ts';

const VIEW: ProbeView = {
  healthy: () => ({ ok: true, lines: [] }),
  ready: () => ({ ok: false, lines: ['inventory: not loaded'] }),
  metrics: () => Promise.resolve('sotto_inventory_objects 5\n'),
  certificate: () => '-----BEGIN CERTIFICATE-----\n',
};

const open: Listener[] = [];
const defects: unknown[] = [];

async function start(view: Partial<ProbeView> = {}): Promise<Listener> {
  const listener = await startListener({ ...VIEW, ...view }, { host: '127.0.0.1', port: 0 }, (error) =>
    defects.push(error),
  );
  open.push(listener);
  return listener;
}

afterEach(async () => {
  defects.length = 0;
  await Promise.all(open.splice(0).map((listener) => listener.close(0)));
});

interface Response {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

function ask(listener: Listener, path: string, method = 'GET', body?: string): Promise<Response> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: listener.host, port: listener.port, path, method, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

/** What comes back on a plain connection until the other side closes it. */
function exchange(listener: Listener, send: string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(listener.port, listener.host, () => socket.write(send));
    socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    socket.on('error', () => undefined).on('close', () => resolve(text));
  });
}

describe('the probe listener', () => {
  it('answers health, readiness, metrics and the certificate', async () => {
    const listener = await start();
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
    const answer = await ask(await start({ certificate: () => undefined }), '/v1/cert.pem');
    expect(answer.status).toBe(404);
    expect(answer.body).toContain('no sealing key');
  });

  it('serves nothing else, by no other method', async () => {
    const listener = await start();
    for (const path of ['/', '/status.json', '/healthz/', '/%68ealthz', '//healthz', '/../healthz', '/v1/rotate']) {
      expect((await ask(listener, path)).status).toBe(404);
    }
    const posted = await ask(listener, '/v1/cert.pem', 'POST', 'body');
    expect(posted).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD', connection: 'close' } });
    expect((await ask(listener, '/healthz', 'DELETE')).status).toBe(405);
  });

  it('answers HEAD with the headers alone', async () => {
    const answer = await ask(await start(), '/metrics', 'HEAD');
    expect(answer).toMatchObject({ status: 200, body: '', headers: { 'content-length': '26' } });
  });

  it('answers a defect with 500 and nothing of it, and tells the agent', async () => {
    const listener = await start({ metrics: () => Promise.reject(new Error('canary')) });
    expect(await ask(listener, '/metrics')).toMatchObject({ status: 500, body: 'internal error\n' });
    const failing = await start({
      healthy: () => {
        throw new Error('canary');
      },
    });
    expect(await ask(failing, '/healthz')).toMatchObject({ status: 500, body: 'internal error\n' });
    expect(defects).toHaveLength(2);
  });

  it('cuts broken requests and oversized headers with a bare 400', async () => {
    const listener = await start();
    expect(await exchange(listener, 'nonsense\r\n\r\n')).toBe(
      'HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n',
    );
    const huge = `GET /healthz HTTP/1.1\r\nhost: x\r\nx-big: ${'a'.repeat(20_000)}\r\n\r\n`;
    expect(await exchange(listener, huge)).not.toContain('ok');
    expect((await ask(listener, '/healthz')).status).toBe(200);
  });

  it('does not wait for a body', async () => {
    const listener = await start();
    const answer = await exchange(listener, 'GET /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  it('closes although a connection is held open', async () => {
    const listener = await start();
    const held = exchange(listener, 'GET /healthz HTTP/1.1\r\n');
    const kept = exchange(listener, 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
    await ask(listener, '/healthz');
    await listener.close(50);
    await Promise.all([held, kept]);
    await expect(ask(listener, '/healthz')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('names the address and the reason when it cannot listen', async () => {
    const { port } = await start();
    await expect(startListener(VIEW, { host: '127.0.0.1', port }, () => undefined)).rejects.toMatchObject({
      code: 'SOTTO-CLI-001',
      what: `cannot listen on 127.0.0.1:${port}`,
      why: 'another program listens there',
    });
  });
});

describe('a listen address', () => {
  it.each([
    [':8080', { host: undefined, port: 8080 }],
    ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
    ['localhost:81', { host: 'localhost', port: 81 }],
    ['[::1]:8080', { host: '::1', port: 8080 }],
  ])('%s is understood', (text, expected) => {
    expect(parseListenAddress(text)).toEqual(expected);
  });

  it.each(['', '8080', 'host', 'host:', ':99999', '::1:8080', '[::1]', 'a b:1', ':80x'])('%j is refused', (text) => {
    expect(() => parseListenAddress(text)).toThrow(/^SOTTO-CLI-001/);
  });
});
