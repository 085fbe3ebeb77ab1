import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { webcrypto } from 'node:crypto';
import { bytesOf, openEnc, overwriteLastOpened } from '../../src/sops/cipher.ts';
import { parseEnc } from '../../src/sops/enc.ts';

// Opens values on the threads of the pool, then is quiet while processes that it has started end, as git does for the
// agent. Input: the key in hex, then a value a line.

const lines: string[] = [];
for await (const piece of process.stdin) lines.push(String(piece));
const [hex = '', ...sealed] = lines.join('').split('\n');
const bytes = Buffer.from(hex, 'hex');
const key = await webcrypto.subtle.importKey('raw', bytes, 'AES-GCM', false, ['decrypt']);
const opened = await Promise.all(
  sealed.map(async (text) => {
    const enc = parseEnc(text);
    if (enc === undefined) throw new TypeError('no value');
    const value = await openEnc(enc, bytesOf('p:'), key);
    value?.fill(0);
    return value?.length ?? 0;
  }),
);
await overwriteLastOpened();
process.stdout.write(`opened ${opened.filter((length) => length > 0).length}\n`);
for (;;) await once(spawn('/bin/sleep', ['0.02']), 'exit');
