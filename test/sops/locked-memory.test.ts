import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createCanaries, needlesOf, scanProcess } from '../../src/demo/memory-scan.ts';

test('no passphrase of an SSH key in PEM is left in memory once it has opened the key', async () => {
  const canaries = createCanaries(1, 3);
  const [passphrase = ''] = canaries.values;
  const { privateKey: pem } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem', cipher: 'aes-128-cbc', passphrase },
  });
  const child = spawn(process.execPath, [join(import.meta.dirname, 'locked-process.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit').then(() => [Buffer.from('ended')]);
  try {
    const typed = Buffer.from(Buffer.from(passphrase).toReversed()).toString('hex');
    child.stdin.write(`${JSON.stringify({ pem, typed })}\n`);
    const [said] = (await Promise.race([once(child.stdout, 'data'), ended])) as [Buffer];
    expect(said.toString()).toBe('ssh-rsa\n');
    const { valuesFound, partials } = scanProcess(child.pid ?? 0, needlesOf(canaries), { freeze: true });
    expect({ valuesFound, partials }).toEqual({ valuesFound: 0, partials: 0 });
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}, 60_000);
