import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createCanaries, needlesOf, scanProcess } from '../../src/demo/memory-scan.ts';
import { makeIdentity } from '../../src/sops/make-identity.ts';
import { encryptForRecipients } from '../../src/sops/recipients.ts';

/** A data key is of the shorter length, a backup of keys of the longer one. */
const LENGTHS = [30, 6000];
const CHUNK_BYTES = 15;

const backwards = (bytes: Uint8Array): string => Buffer.from(bytes.toReversed()).toString('hex');

test.each(['encrypt', 'wrap', 'decrypt', 'open'] as const)(
  'no key that went into an age file, or came out of one, is left in memory: %s',
  async (task) => {
    const { identity, keyFile } = makeIdentity(new Date());
    using key = keyFile;
    for (const length of LENGTHS) {
      const canaries = createCanaries(8, length / CHUNK_BYTES);
      const texts: string[] = [];
      for (const value of canaries.values) {
        const isSealed = task === 'decrypt' || task === 'open';
        const text = isSealed ? await encryptForRecipients(Buffer.from(value), [identity.recipient]) : value;
        texts.push(backwards(Buffer.from(text)));
      }
      const child = spawn(process.execPath, [join(import.meta.dirname, 'age-process.ts')], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      try {
        const { recipient } = identity;
        child.stdin.end(JSON.stringify({ task, recipient, identity: backwards(key.reveal()), texts }));
        const [said] = (await once(child.stdout, 'data')) as [Buffer];
        expect(said.toString()).toBe('done 8\n');
        if (child.pid === undefined) throw new Error('the process did not start');
        const { valuesFound, partials, scannedBytes } = scanProcess(child.pid, needlesOf(canaries), { freeze: true });
        expect(scannedBytes).toBeGreaterThan(1024 * 1024);
        expect({ valuesFound, partials }).toEqual({ valuesFound: 0, partials: 0 });
      } finally {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    }
  },
  60_000,
);
