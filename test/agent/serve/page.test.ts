import { assert, property, string } from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { UndoneEdit } from '../../../src/agent/undone-edits.ts';
import type { Asked } from '../../../src/agent/serve/answer.ts';
import { answerPage } from '../../../src/agent/serve/page.ts';
import { PageListener } from '../../../src/agent/serve/page-listener.ts';
import { createLogger } from '../../../src/report/log.ts';
import { ask } from './client.ts';

const STATUS = { schema: 'sotto.dev/status/v1alpha1', syncs: [{ message: '</script>\u202e & \u2028' }] };

const UNDONE: UndoneEdit = {
  n: 1,
  at: '2027-01-01T00:00:00Z',
  object: 'ConfigMap/web',
  apiVersion: 'v1',
  namespace: 'team',
  sync: 'app',
  file: 'deploy/web.yaml',
  line: 1,
  revision: 'main@sha1:0',
  manager: 'kubectl-edit',
  fields: [{ path: '/data/color', field: ['f:data', 'f:color'], json: '"red"' }],
  withheld: [],
};

function answer(asked: Partial<Asked>, listenHost?: string, status: unknown = STATUS) {
  const whole: Asked = { method: 'GET', target: '/status.json', host: 'localhost:8081', localAddress: '10.0.0.7' };
  return answerPage({ ...whole, ...asked }, { status: () => status, undone: () => [UNDONE] }, listenHost);
}

describe('the page listener', () => {
  it('serves the status document as JSON that nothing can break out of', () => {
    const { status, contentType, body } = answer({ target: '/status.json?x' });
    expect({ status, contentType }).toEqual({ status: 200, contentType: 'application/json; charset=utf-8' });
    expect(JSON.parse(body)).toEqual(STATUS);
    expect(body).not.toMatch(/[<>&\p{Cf}\u2028]/u);
  });

  it('serves JSON of any text that parses to the same and has no character that acts', () => {
    assert(
      property(string({ unit: 'binary' }), (text) => {
        const { body } = answer({}, undefined, { text: text.toWellFormed() });
        expect(JSON.parse(body)).toEqual({ text: text.toWellFormed() });
        expect(body).not.toMatch(/[<>&\p{Cf}\u007f-\u009f\u2028\u2029]/u);
      }),
      { seed: 1 },
    );
  });

  it('tells what was undone to whoever asks from inside of the Pod, and to nobody else', () => {
    for (const localAddress of ['127.0.0.1', '::ffff:127.0.0.1', '::1']) {
      expect(JSON.parse(answer({ localAddress }).body)).toEqual({ ...STATUS, undone: [UNDONE] });
    }
    for (const localAddress of ['10.0.0.7', '::ffff:10.0.0.7', 'fe80::1', '127.0.0.1.example.com', undefined]) {
      expect(answer({ localAddress }).body).not.toContain('undone');
    }
  });

  it('says that the page and its events are not in this version, and nothing more is there', () => {
    for (const target of ['/', '/events']) {
      expect(answer({ target })).toMatchObject({ status: 404, body: expect.stringContaining('not in this version') });
    }
    for (const target of ['/metrics', '/status.json/', '/../status.json', 'http://localhost/status.json']) {
      expect(answer({ target })).toMatchObject({ status: 404 });
    }
    expect(answer({ method: 'POST' })).toMatchObject({ status: 405 });
    expect(answer({ method: 'OPTIONS' })).toMatchObject({ status: 405 });
  });

  it('is no use to another origin', () => {
    for (const asked of [{}, { method: 'OPTIONS' }, { host: 'evil.example.com' }]) {
      const headers = answer(asked).headers ?? {};
      expect(headers['cross-origin-resource-policy']).toBe('same-origin');
      expect(headers['content-security-policy']).toContain("default-src 'none'");
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control-'))).toEqual([]);
    }
  });

  it('says so while the agent has no status yet', () => {
    expect(
      answerPage(
        { method: 'GET', target: '/status.json', host: 'localhost', localAddress: '' },
        { status: () => undefined, undone: () => [] },
        undefined,
      ),
    ).toMatchObject({ status: 503 });
  });

  it.each([
    ['localhost', '127.0.0.1'],
    ['LocalHost:9999', '127.0.0.1'],
    ['127.0.0.1:8081', '127.0.0.1'],
    ['[::1]:8081', '::1'],
    ['sotto.example.com', 'sotto.example.com'],
    ['10.0.0.7:8081', undefined],
  ])('answers to Host %s when it listens on %s', (host, listenHost) => {
    expect(answer({ host }, listenHost).status).toBe(200);
  });

  it.each([
    ['evil.example.com', '127.0.0.1'],
    ['evil.example.com:8081', undefined],
    ['10.0.0.7', '127.0.0.1'],
    ['10.0.0.8', undefined],
    ['localhost.evil.example.com', undefined],
    ['localhost:8081@evil.example.com', undefined],
    ['localhost, evil.example.com', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('refuses Host %s when it listens on %s', (host, listenHost) => {
    const wrong = answerPage(
      { method: 'GET', target: '/status.json', host, localAddress: '10.0.0.7' },
      { status: () => STATUS, undone: () => [] },
      listenHost,
    );
    expect(wrong.status).toBe(421);
    expect(wrong.body).not.toContain('schema');
  });
});

describe('page.listen of the settings', () => {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({
    level: 'debug',
    stream: { write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>) },
  });
  const pages: PageListener[] = [];
  const listeners = () => lines.filter(({ msg }) => msg === 'page listening');

  function create(): PageListener {
    const page = new PageListener({ status: () => STATUS, undone: () => [] }, log);
    pages.push(page);
    return page;
  }

  async function listening(count: number): Promise<{ host: string; port: number; close(): Promise<void> }> {
    await expect.poll(() => listeners().length, { timeout: 10_000 }).toBe(count);
    const { host, port } = listeners().at(-1) ?? {};
    return { host: String(host), port: Number(port), close: () => Promise.resolve() };
  }

  afterEach(async () => {
    await Promise.all(pages.splice(0).map((page) => page.close()));
    lines.length = 0;
  });

  it('is followed from one address to another, and to off', async () => {
    const page = create();
    page.follow({ host: '127.0.0.1', port: 0 });
    const first = await listening(1);
    expect((await ask(first, '/status.json')).status).toBe(200);
    page.follow({ host: '127.0.0.1', port: 0 });
    page.follow({ host: 'localhost', port: 0 });
    const second = await listening(2);
    expect((await ask(second, '/status.json')).status).toBe(200);
    await expect(ask(first, '/status.json')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    page.follow(undefined);
    await page.close();
    await expect(ask(second, '/status.json')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('whose address is taken is reported, and the next one is followed', async () => {
    const first = create();
    first.follow({ host: '127.0.0.1', port: 0 });
    const { port } = await listening(1);
    const second = create();
    second.follow({ host: '127.0.0.1', port });
    await expect.poll(() => lines.some(({ code }) => code === 'SOTTO-CLI-080'), { timeout: 10_000 }).toBe(true);
    second.follow({ host: '127.0.0.1', port: 0 });
    expect((await ask(await listening(2), '/status.json')).status).toBe(200);
  });
});
