import { setTimeout as sleep } from 'node:timers/promises';
import { tidier } from '../../src/agent/collect-garbage.ts';
import { parseAgeIdentities } from '../../src/sops/age.ts';
import { openAgeFile, parseAgeFile } from '../../src/sops/age-file.ts';
import { decryptWithIdentities, encryptForRecipients, wrapDataKey } from '../../src/sops/recipients.ts';

// Does one thing with each of some texts, which are secret or encrypted, and is quiet. Input: JSON with the texts and the
// identity in hex of their bytes backwards, which is a form that no scan knows.

interface Input {
  readonly task: 'encrypt' | 'wrap' | 'decrypt' | 'open';
  readonly recipient: string;
  readonly identity: string;
  readonly texts: readonly string[];
}

const pieces: string[] = [];
for await (const piece of process.stdin) pieces.push(String(piece));
const { task, recipient, identity, texts } = JSON.parse(pieces.join('')) as Input;
const identities = parseAgeIdentities(bytesOf(identity));
for (const text of texts) await work(text);
await tidier()();
process.stdout.write(`done ${texts.length}\n`);
for (;;) await sleep(1_000);

function bytesOf(text: string): Buffer<ArrayBuffer> {
  const bytes = Buffer.from(new ArrayBuffer(text.length / 2));
  for (let at = 0; at < bytes.length; at += 1) {
    const digits = text.slice(2 * at, 2 * at + 2);
    bytes[bytes.length - 1 - at] = Number.parseInt(digits, 16);
  }
  return bytes;
}

async function work(text: string): Promise<void> {
  const bytes = bytesOf(text);
  if (task === 'encrypt') await encryptForRecipients(bytes, [recipient]);
  if (task === 'wrap') await wrapDataKey(bytes, [recipient]);
  if (task === 'decrypt') (await decryptWithIdentities(bytes, identities))?.fill(0);
  if (task === 'open') {
    const file = parseAgeFile(bytes.toString('latin1'));
    const opened = file && openAgeFile(file, identities);
    if (opened?.outcome !== 'opened') throw new TypeError('it does not open');
    opened.payload.fill(0);
  }
  bytes.fill(0);
}
