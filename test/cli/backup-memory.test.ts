import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createCanaries, needlesOf, scanProcess } from '../../src/demo/memory-scan.ts';

test('no passphrase that was typed for a backup is left in memory, however often the collector has moved things', async () => {
  const canaries = createCanaries(1, 2);
  // Collects every few hundred allocations: what lies in V8's heap is moved, and copies stay behind.
  const flags = ['--gc-interval=500', join(import.meta.dirname, 'backup-process.ts')];
  const child = spawn(process.execPath, flags, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit').then(() => [Buffer.from('ended')]);
  try {
    child.stdin.write(Buffer.from(Buffer.from(canaries.values[0] ?? '').toReversed()).toString('hex'));
    const [said] = (await Promise.race([once(child.stdout, 'data'), ended])) as [Buffer];
    expect(said.toString()).toBe('sealed\n');
    const { valuesFound, partials } = scanProcess(child.pid ?? 0, needlesOf(canaries), { freeze: true });
    expect({ valuesFound, partials }).toEqual({ valuesFound: 0, partials: 0 });
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}, 60_000);
