import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createCanaries, needlesOf, scanProcess } from '../../src/demo/memory-scan.ts';
import { makeIdentity } from '../../src/sops/make-identity.ts';
import { keyNeedles } from '../harness/key-needles.ts';

test('no key of a backup is left in memory when its keys were read and dropped', async () => {
  const canaries = createCanaries(8);
  const made = canaries.values.map(() => makeIdentity(new Date()));
  const items = made.map(({ keyFile }, at) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: `key-${at}` },
    data: {
      'age.agekey': Buffer.from(keyFile.reveal()).toString('base64'),
      note: Buffer.from(canaries.values[at] ?? '').toString('base64'),
    },
  }));
  const list = Buffer.from(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  const child = spawn(process.execPath, [join(import.meta.dirname, 'key-list-process.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit').then(() => [Buffer.from('ended')]);
  try {
    child.stdin.write(`${Buffer.from(list.toReversed()).toString('hex')}\n`);
    let said = '';
    while (!/dropped|ended/.test(said)) said += String((await Promise.race([once(child.stdout, 'data'), ended]))[0]);
    expect(said).toBe('read 8\ndropped\n');
    const first = Buffer.from(made[0]?.keyFile.reveal() ?? []);
    const identity = keyNeedles(first.subarray(first.indexOf('AGE-SECRET-KEY-') + 8));
    for (const needles of [needlesOf(canaries), identity]) {
      const { valuesFound, partials } = scanProcess(child.pid ?? 0, needles, { freeze: true });
      expect({ valuesFound, partials }).toEqual({ valuesFound: 0, partials: 0 });
    }
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}, 60_000);
