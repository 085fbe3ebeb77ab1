import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createCanaries, needlesOf, scanBytes, scanProcess } from '../../src/demo/memory-scan.ts';
import type { CanaryForm, CanarySet, ScanResult } from '../../src/demo/memory-scan.ts';

const VALUES = 1000;

/** Without these a count of zero would prove nothing: every form in which a value can survive must be found. */
const CONTROLS: readonly [form: string, foundAs: CanaryForm][] = [
  ['buffer', 'utf8'],
  ['one-byte', 'utf8'],
  ['two-byte', 'utf16le'],
  ['base64', 'base64'],
  ['base64-shifted-1', 'base64'],
  ['base64-shifted-2', 'base64'],
  ['base64-two-byte', 'base64-utf16le'],
  ['hex', 'hex'],
];

test.each(CONTROLS)('finds every value that a process holds as %s', async (form, foundAs) => {
  const canaries = createCanaries(VALUES);
  const result = await scanHolder(form, canaries);
  expect(result.valuesFound).toBe(VALUES);
  expect(result.hits[foundAs]).toBeGreaterThanOrEqual(VALUES);
});

test('finds nothing in a process that has read the values and kept none of them', async () => {
  const result = await scanHolder('none', createCanaries(VALUES));
  expect(result).toMatchObject({ valuesFound: 0, partials: 0 });
  expect(result.scannedBytes).toBeGreaterThan(1024 * 1024);
});

test('counts a piece of a value as a partial', async () => {
  const canaries = createCanaries(VALUES);
  const pieces = canaries.values.map((value) => value.slice(0, 10));
  const result = await scanHolder('buffer', canaries, pieces);
  expect(result.valuesFound).toBe(0);
  expect(result.partials).toBeGreaterThanOrEqual(VALUES);
});

test('finds a value in bytes at every alignment, and another set not at all', () => {
  const canaries = createCanaries(3, 1);
  const others = needlesOf(createCanaries(3, 1));
  for (let shift = 0; shift < 6; shift++) {
    const text = Buffer.from('x'.repeat(shift) + canaries.values.join('')).toString('base64');
    expect(scanBytes(Buffer.from(text), needlesOf(canaries)).valuesFound).toBe(3);
    expect(scanBytes(Buffer.from(text), others)).toMatchObject({ valuesFound: 0, partials: 0 });
  }
});

async function scanHolder(form: string, canaries: CanarySet, held = canaries.values): Promise<ScanResult> {
  const holder = spawn(process.execPath, [join(import.meta.dirname, 'memory-holder.ts'), form], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    holder.stdin.end(held.map(disguise).join('\n'));
    await once(holder.stdout, 'data');
    if (holder.pid === undefined) throw new Error('the holder did not start');
    return scanProcess(holder.pid, needlesOf(canaries), { freeze: true });
  } finally {
    holder.kill('SIGKILL');
    await once(holder, 'exit');
  }
}

function disguise(value: string): string {
  return Buffer.from(Buffer.from(value).toReversed()).toString('hex');
}
