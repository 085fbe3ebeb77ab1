import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createCanaries, needlesOf, scanProcess } from '../../src/demo/memory-scan.ts';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import { makeIdentity } from '../../src/sops/make-identity.ts';
import type { WholeFormat } from '../../src/sops/scalar.ts';

const CLEAR: Readonly<Record<WholeFormat, (value: string) => string>> = {
  yaml: (value) => `# top\na: ${value}\nb:\n- c\n`,
  json: (value) => `${JSON.stringify({ a: value, b: ['c'] })}\n`,
  ini: (value) => `[b]\na = ${value}\n`,
  dotenv: (value) => `A=${value}\n`,
  binary: (value) => value,
};

test.each(['yaml', 'json', 'ini', 'dotenv', 'binary'] as const)(
  'whoever opened a file of format %s and encrypted it anew has no value of it in memory afterwards',
  async (format) => {
    const canaries = createCanaries(8);
    const { identity, keyFile } = makeIdentity(new Date());
    using key = keyFile;
    const options = { format, file: 'a', recipients: [identity.recipient], now: new Date() };
    const files: { text: string; format: WholeFormat }[] = [];
    for (const value of canaries.values)
      files.push({ format, text: await encryptFile(Buffer.from(CLEAR[format](value)), options) });
    const child = spawn(process.execPath, [join(import.meta.dirname, 'rekey-process.ts')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    try {
      child.stdin.end(JSON.stringify({ identity: Buffer.from(key.reveal()).toString(), files }));
      const [said] = (await once(child.stdout, 'data')) as [Buffer];
      expect(said.toString()).toBe('done 8\n');
      if (child.pid === undefined) throw new Error('the process did not start');
      const { hits, scannedBytes } = scanProcess(child.pid, needlesOf(canaries), { freeze: true });
      expect(scannedBytes).toBeGreaterThan(1024 * 1024);
      expect(hits).toEqual({ utf8: 0, utf16le: 0, base64: 0, 'base64-utf16le': 0, hex: 0 });
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  },
);
