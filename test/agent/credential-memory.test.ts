import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MEMORY_ENV } from '../../src/demo/agent-child.ts';
import { createCanaries, needlesOf, scanProcess } from '../../src/demo/memory-scan.ts';
import { sendJson, startFakeApi } from '../kube/fake-api.ts';

test('a credential of a kind that git is not given is not kept in memory', async () => {
  const canaries = createCanaries(8, 40);
  const names = canaries.values.map((_, at) => `git-${at}`);
  const annotations = { 'sotto.dev/for': 'https://git.example.com/' };
  const metadataOf = (name: string) => ({
    name,
    labels: { 'sotto.dev/use': 'git' },
    annotations,
    resourceVersion: '1',
  });
  await using api = await startFakeApi(({ path, headers }, response) => {
    const name = path.split('/').at(-1) ?? '';
    // What a real one answers is larger than a Secret, and takes its place in the buffers below Node.
    if (!path.includes('/secrets/')) return sendJson(response, 200, { groups: 'x'.repeat(100_000) });
    const isMetadata = headers.accept?.includes('PartialObjectMetadata') === true;
    const identity = Buffer.from(canaries.values[names.indexOf(name)] ?? '').toString('base64');
    sendJson(response, 200, {
      metadata: metadataOf(name),
      ...(isMetadata ? {} : { type: 'Opaque', data: { identity } }),
    });
  });
  const child = spawn(process.execPath, [join(import.meta.dirname, 'credential-process.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // OpenSSL gives the buffer that a record was opened in back as it is: only the C library can overwrite it.
    env: { ...process.env, ...MEMORY_ENV },
  });
  const ended = once(child, 'exit').then(() => [Buffer.from('ended')]);
  try {
    const { server, tls } = api.connection;
    child.stdin.write(JSON.stringify({ server: server.href, ca: tls.ca, names }));
    const [said] = (await Promise.race([once(child.stdout, 'data'), ended])) as [Buffer];
    expect(said.toString()).toBe('refused 8\n');
    const { valuesFound, partials } = scanProcess(child.pid ?? 0, needlesOf(canaries), { freeze: true });
    expect({ valuesFound, partials }).toEqual({ valuesFound: 0, partials: 0 });
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}, 60_000);
