import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Sensitive } from '../../src/core/sensitive.ts';
import { scanProcess } from '../../src/demo/memory-scan.ts';
import { fingerprintKey, keyedDigest } from '../../src/keys/fingerprint.ts';
import { keyNeedles } from '../harness/key-needles.ts';

const TIMES = 5;
const NOWHERE = { utf8: 0, utf16le: 0, base64: 0, 'base64-utf16le': 0, hex: 0 };

test('what is made from the fingerprint key is in its key objects and nowhere else, and goes with them', async () => {
  const bytes = randomBytes(32);
  const key = fingerprintKey(Sensitive.copyOf(bytes));
  const derived = [keyedDigest(key, 'exposure-key', 'team'), keyedDigest(key, 'last-key', 'team')].map(keyNeedles);
  const receipts = keyNeedles(keyedDigest(key, 'receipt-key'));
  const child = spawn(process.execPath, [join(import.meta.dirname, 'derived-process.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const told = async (line: string): Promise<string> => {
    child.stdin.write(line);
    const [said] = (await once(child.stdout, 'data')) as [Buffer];
    return said.toString();
  };
  try {
    expect(await told(`${bytes.toString('hex')} ${TIMES}`)).toBe('made\n');
    const pid = child.pid ?? 0;
    for (const needles of derived)
      expect(scanProcess(pid, needles, { freeze: true }).hits).toEqual({ ...NOWHERE, utf8: TIMES });
    expect(await told('drop')).toBe('dropped\n');
    for (const needles of [...derived, receipts])
      expect(scanProcess(pid, needles, { freeze: true })).toMatchObject({ hits: NOWHERE, partials: 0 });
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}, 60_000);
