import { setTimeout as sleep } from 'node:timers/promises';
import { parseAgeIdentities } from '../../src/sops/age.ts';
import { openClear, rekey } from '../../src/sops/rekey.ts';
import type { WholeFormat } from '../../src/sops/scalar.ts';

// Opens files and encrypts them anew, as an agent that rotates does, and is quiet. Input: JSON with the identity and the
// files, which are encrypted.

interface Input {
  readonly identity: string;
  readonly files: readonly { readonly text: string; readonly format: WholeFormat }[];
}

const pieces: string[] = [];
for await (const piece of process.stdin) pieces.push(String(piece));
const { identity, files } = JSON.parse(pieces.join('')) as Input;
const identities = parseAgeIdentities(Buffer.from(identity));
const named = identities.map(({ recipient }) => ({ name: recipient, recipient: { kind: 'age' as const, recipient } }));
for (const { text, format } of files) {
  const file = { text, format, file: 'a' };
  (await openClear(file, identities)).wipe();
  await rekey(file, identities, { groups: [named], threshold: 1 }, 'new-data-key', new Date());
}
process.stdout.write(`done ${files.length}\n`);
for (;;) await sleep(1_000);
