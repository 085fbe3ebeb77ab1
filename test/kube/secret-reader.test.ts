import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SottoError } from '../../src/core/errors.ts';
import { LIMITS } from '../../src/core/limits.ts';
import type { SecretContent } from '../../src/kube/secret-reader.ts';
import { parseSecret, readSecret } from '../../src/kube/secret-reader.ts';
import type { FakeHandler } from './fake-api.ts';
import { sendJson, startFakeApi, statusOf } from './fake-api.ts';

// Texts that look like the places the scanner looks for.
const hostile = fc.oneof(
  fc.string(),
  fc.constantFrom(
    '"data":{',
    '\\"data\\":{"a":"eA=="}',
    '},"data":{"x":"eA=="',
    '\\',
    '"',
    '{"a":[',
    '\u2028',
    '\\u0022data',
  ),
);
const key = fc.oneof(
  fc.stringMatching(/^[-._a-zA-Z0-9]{1,20}$/),
  fc.constantFrom('data', '__proto__', 'constructor', 'a"b', 'ключ'),
);
// V8 13.6: after a key `\` JSON.parse reads a key `"` as `\` too. Not a matter of the scanner.
const name = hostile.filter((text) => !text.endsWith('\\'));
const secret = fc.record({
  kind: fc.constant('Secret'),
  metadata: fc.record({
    name: fc.string(),
    uid: fc.uuid(),
    resourceVersion: fc.stringMatching(/^[1-9][0-9]{0,18}$/),
    labels: fc.dictionary(name, hostile),
    annotations: fc.dictionary(name, hostile),
    managedFields: fc.array(fc.record({ fieldsV1: fc.dictionary(name, fc.jsonValue()) }), { maxLength: 2 }),
  }),
  type: hostile,
  data: fc.dictionary(key, fc.uint8Array({ maxLength: 80 })),
});

function revealed(content: SecretContent): Record<string, string> {
  return Object.fromEntries(
    [...content.entries].map(([entry, value]) => [entry, Buffer.from(value.reveal()).toString('hex')]),
  );
}

describe('parseSecret', () => {
  it('reads what JSON.parse reads, whatever stands in names, labels and annotations', () => {
    fc.assert(
      fc.property(secret, fc.constantFrom(undefined, 1), (wanted, indent) => {
        const encoded = Object.entries(wanted.data).map(([entry, value]) => [
          entry,
          Buffer.from(value).toString('base64'),
        ]);
        const text = JSON.stringify({ ...wanted, data: Object.fromEntries(encoded) }, null, indent);
        const content = parseSecret(Buffer.from(text));
        const hex = Object.entries(wanted.data).map(([entry, value]) => [entry, Buffer.from(value).toString('hex')]);
        expect(revealed(content)).toEqual(Object.fromEntries(hex));
        expect(content).toMatchObject({ name: wanted.metadata.name, uid: wanted.metadata.uid, type: wanted.type });
        expect(Object.entries(content.annotations)).toEqual(Object.entries(wanted.metadata.annotations));
        expect(Object.entries(content.labels)).toEqual(Object.entries(wanted.metadata.labels));
      }),
    );
  });

  it('leaves no value in the bytes it was given', () => {
    const bytes = Buffer.from(
      JSON.stringify({ metadata: { name: 'a' }, data: { k: 'aHVudGVyMg==' }, stringData: { s: 'plain' } }),
    );
    parseSecret(bytes);
    expect(bytes.includes('aHVudGVyMg')).toBe(false);
    expect(bytes.includes('plain')).toBe(false);
  });

  it('takes the last of a data field that stands twice, as JSON.parse does', () => {
    const content = parseSecret(Buffer.from('{"data":{"a":"YQ=="},"d\\u0061ta":{"a":"Yg=="}}'));
    expect(revealed(content)).toEqual({ a: '62' });
  });

  it.each(['', 'null', '[]', '{"data":{"a":"YQ=="}', '{"data":{"a":"not base64"}}', '{"data":{"a":"YQ==",}}'])(
    'refuses %s with a SyntaxError',
    (text) => {
      expect(() => parseSecret(Buffer.from(text))).toThrow(SyntaxError);
    },
  );

  it('throws nothing but a SyntaxError on bytes that are cut or changed', () => {
    const text = JSON.stringify({
      metadata: { name: 'a', annotations: { x: '"data":{' } },
      data: { k: 'aHVudGVyMg==' },
    });
    fc.assert(
      fc.property(fc.nat(text.length), fc.nat(255), (at, byte) => {
        const bytes = Buffer.from(text);
        bytes[at] = byte;
        for (const variant of [bytes, Buffer.from(text.slice(0, at))]) {
          try {
            parseSecret(variant);
          } catch (error) {
            expect(error).toBeInstanceOf(SyntaxError);
          }
        }
      }),
    );
  });
});

describe('readSecret', () => {
  it('asks once more, for something harmless, on the same connection', async () => {
    await using api = await startFakeApi((received, response) => {
      if (received.path === '/apis') sendJson(response, 200, { kind: 'APIGroupDiscoveryList', items: [] });
      else
        sendJson(response, 200, {
          metadata: { name: 'keys', uid: 'u', resourceVersion: '7' },
          type: 'Opaque',
          data: { a: 'YQ==' },
        });
    });
    const content = await readSecret(api.transport(), 'team', 'keys');
    expect(content?.entries.get('a')?.length).toBe(1);
    expect(api.received.map(({ path }) => path)).toEqual(['/api/v1/namespaces/team/secrets/keys', '/apis']);
    expect(api.received[0]?.socket).toBe(api.received[1]?.socket);
  });

  it('renews credentials after a 401, on a new connection', async () => {
    await using api = await startFakeApi((received, response) => {
      if (received.headers.authorization === 'Bearer token-1') sendJson(response, 200, { metadata: { name: 'keys' } });
      else sendJson(response, 401, statusOf(401, 'Unauthorized'));
    });
    expect((await readSecret(api.transport(), 'team', 'keys'))?.name).toBe('keys');
  });

  it('reads an answer in chunks and pieces, larger than its first buffer', async () => {
    const value = Buffer.alloc(300_000, 7).toString('base64');
    const text = JSON.stringify({ metadata: { name: 'keys' }, data: { a: value } });
    await using api = await startFakeApi((received, response) => {
      if (received.path === '/apis') return sendJson(response, 200, {});
      for (let at = 0; at < text.length; at += 70_001) response.write(text.slice(at, at + 70_001));
      return void response.end();
    });
    const content = await readSecret(api.transport(), 'team', 'keys');
    expect(content?.entries.get('a')?.length).toBe(300_000);
  });

  it.each<[string, FakeHandler]>([
    ['a cut connection', (received) => void received.socket.destroy()],
    ['what is no HTTP', (received) => void received.socket.end('SSH-2.0-x\r\n\r\n')],
    ['an answer that is no JSON', (_received, response) => void response.end('<html>')],
    ['an answer over the cap', (_received, response) => void response.end(Buffer.alloc(LIMITS.maxAnswerBytes + 1))],
  ])('ends in a coded error on %s', async (_name, handler) => {
    await using api = await startFakeApi(handler);
    const error = await readSecret(api.transport(), 'team', 'keys').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SottoError);
  });

  it('is undefined for a Secret that is not there', async () => {
    await using api = await startFakeApi((_received, response) =>
      sendJson(response, 404, statusOf(404, 'NotFound', { details: { name: 'keys', kind: 'secrets' } })),
    );
    expect(await readSecret(api.transport(), 'team', 'keys')).toBeUndefined();
  });

  it('says which rule is missing when it may not', async () => {
    await using api = await startFakeApi((_received, response) =>
      sendJson(
        response,
        403,
        statusOf(403, 'Forbidden', { message: 'User "x" cannot get resource "secrets" in API group ""' }),
      ),
    );
    const error = await readSecret(api.transport(), 'team', 'keys').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SottoError);
    expect(error).toMatchObject({
      code: 'SOTTO-KUBE-003',
      next: expect.stringContaining('resources: ["secrets"], verbs: ["get"]'),
    });
  });
});
