import { spawn } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isJsonObject, stringAt } from '../../src/core/json.ts';
import { type Needles, scanProcess } from '../../src/demo/memory-scan.ts';
import { decodeBech32 } from '../../src/sops/bech32.ts';
import { makeIdentity } from '../../src/sops/make-identity.ts';
import { keyNeedles } from '../harness/key-needles.ts';
import { sendJson, startFakeApi, statusOf } from '../kube/fake-api.ts';

/** Pieces of an age identity: of its text and of its number. */
function ofAgeKey(keyFile: Buffer): Needles[] {
  const text = keyFile.subarray(keyFile.indexOf('AGE-SECRET-KEY-'), -1);
  const scalar = decodeBech32(text, 'AGE-SECRET-KEY-', 32);
  if (scalar === undefined) throw new TypeError('no identity was stored');
  return [keyNeedles(text.subarray(8)), keyNeedles(scalar)];
}

/** Pieces of a sealing key: of its text, and of its numbers as they stand in the text and as OpenSSL holds them. */
function ofSealingKey(pem: Buffer): Needles[] {
  const { d = '', p = '' } = createPrivateKey(pem).export({ format: 'jwk' });
  const numbers = [d, p].map((number) => Buffer.from(number, 'base64url'));
  const all = [pem.subarray(1000), ...numbers, ...numbers.map((number) => number.toReversed())];
  return all.map(keyNeedles);
}

const NOT_THERE = statusOf(404, 'NotFound', { details: { name: 'sotto-recovery', kind: 'configmaps' } });

test('no key that an agent has made, stored and encrypted for recovery is left in its memory', async () => {
  const bodies: unknown[] = [];
  await using api = await startFakeApi(({ method, body }, response) => {
    if (method === 'GET') return sendJson(response, 200, { kind: 'SecretList', metadata: {}, items: [] });
    const object: unknown = JSON.parse(body.toString());
    if (method === 'PATCH') return sendJson(response, 404, NOT_THERE);
    bodies.push(object);
    sendJson(response, 201, { metadata: isJsonObject(object) ? object['metadata'] : {} });
  });
  const { identity, keyFile } = makeIdentity(new Date());
  keyFile.wipe();
  const maker = spawn(process.execPath, [join(import.meta.dirname, 'key-maker-process.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    const { server, tls } = api.connection;
    maker.stdin.write(JSON.stringify({ server: server.href, ca: tls.ca, recovery: identity.recipient }));
    const ended = once(maker, 'exit').then(() => [Buffer.from('ended')]);
    const [said] = (await Promise.race([once(maker.stdout, 'data'), ended])) as [Buffer];
    expect(said.toString()).toBe('made\n');
    const stored = (name: string): Buffer => {
      const base64 = bodies.map((body) => stringAt(body, 'data', name)).find((text) => text !== undefined);
      return Buffer.from(base64 ?? '', 'base64');
    };
    const pid = maker.pid ?? 0;
    for (const needles of [...ofAgeKey(stored('age.agekey')), ...ofSealingKey(stored('tls.key'))]) {
      const { hits, partials } = scanProcess(pid, needles, { freeze: true });
      expect({ ...hits, partials }).toEqual({
        utf8: 0,
        utf16le: 0,
        base64: 0,
        'base64-utf16le': 0,
        hex: 0,
        partials: 0,
      });
    }
  } finally {
    maker.kill('SIGKILL');
  }
}, 120_000);
