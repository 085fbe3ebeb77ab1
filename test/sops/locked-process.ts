import { once } from 'node:events';
import { tidier } from '../../src/agent/collect-garbage.ts';
import { parseLockedSshKey } from '../../src/sops/ssh-locked.ts';

// Opens a key with its passphrase, as a command does, and is quiet. Input: JSON with the key, and the passphrase in hex of its
// bytes backwards, a form that no scan knows.

const pieces: Buffer[] = [];
while (pieces.at(-1)?.at(-1) !== 0x0a) pieces.push(((await once(process.stdin, 'data')) as [Buffer])[0]);
const { pem, typed } = JSON.parse(Buffer.concat(pieces).toString()) as { readonly pem: string; readonly typed: string };
const recipient = unlocked();
await tidier()();
process.stdout.write(`${recipient}\n`);
await once(process.stdin, 'data');

function unlocked(): string | undefined {
  const passphrase = new Uint8Array(new ArrayBuffer(typed.length / 2));
  for (let at = 0; at < passphrase.length; at += 1)
    passphrase[passphrase.length - 1 - at] = Number.parseInt(typed.slice(2 * at, 2 * at + 2), 16);
  try {
    return parseLockedSshKey(Buffer.from(pem))?.unlock(passphrase)?.recipient.slice(0, 7);
  } finally {
    passphrase.fill(0);
  }
}
