import { spawn } from 'node:child_process';
import { randomBytes, webcrypto } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createCanaries, needlesOf, scanProcess } from '../../src/demo/memory-scan.ts';
import { bytesOf, sealEnc } from '../../src/sops/cipher.ts';

const FREEZES = 12;

/** What is found of values of one block, opened by a process that is stopped and goes on while its children end. */
async function foundIn(length: number): Promise<number> {
  const canaries = createCanaries(8, 1);
  const values = canaries.values.map((value) => value.padEnd(length, '.'));
  const raw = randomBytes(32);
  const key = await webcrypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt']);
  const sealed = await Promise.all(values.map((value) => sealEnc(bytesOf(value), 'str', bytesOf('p:'), key)));
  const opener = spawn(process.execPath, [join(import.meta.dirname, 'opener-process.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    opener.stdin.end([raw.toString('hex'), ...sealed].join('\n'));
    const [said] = (await once(opener.stdout, 'data')) as [Buffer];
    expect(said.toString()).toBe('opened 8\n');
    if (opener.pid === undefined) throw new Error('the opener did not start');
    for (let times = 0; times < FREEZES; times += 1) {
      process.kill(opener.pid, 'SIGSTOP');
      await sleep(60);
      process.kill(opener.pid, 'SIGCONT');
      await sleep(30);
    }
    const { valuesFound, partials, scannedBytes } = scanProcess(opener.pid, needlesOf(canaries), { freeze: true });
    expect(scannedBytes).toBeGreaterThan(1024 * 1024);
    return valuesFound + partials;
  } finally {
    opener.kill('SIGKILL');
    await once(opener, 'exit');
  }
}

// A signal that a thread takes puts its registers on its stack, and OpenSSL leaves the last block that it opened in one.
test.each([15, 16])(
  'no value of %d bytes is left in a thread that opened it, also when the process is stopped',
  async (length) => {
    for (let run = 0; run < 3; run += 1) expect(await foundIn(length)).toBe(0);
  },
);
