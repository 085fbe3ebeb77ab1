import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { tidier } from '../../src/agent/collect-garbage.ts';
import { secretsIn } from '../../src/cli/keys/backup.ts';
import { keysInFile } from '../../src/cli/key-files.ts';
import { wipeEntries } from '../../src/keys/key-secret.ts';

// Reads the keys of a backup, as the commands do, drops them and is quiet. Input: the backup in hex of its bytes backwards, a
// form that no scan knows.

const pieces: Buffer[] = [];
while (pieces.at(-1)?.at(-1) !== 0x0a) pieces.push(((await once(process.stdin, 'data')) as [Buffer])[0]);
const hex = Buffer.concat(pieces).toString().trim();
process.stdout.write(`read ${readOften()}\n`);
await tidier()();
process.stdout.write('dropped\n');
await once(process.stdin, 'data');

function readOften(): number {
  const content = Buffer.from(new ArrayBuffer(hex.length / 2));
  for (let at = 0; at < content.length; at += 1)
    content[content.length - 1 - at] = Number.parseInt(hex.slice(2 * at, 2 * at + 2), 16);
  const stream = new PassThrough();
  const around = {
    env: {},
    cwd: '/',
    stdin: stream,
    stdout: stream,
    stderr: stream,
    columns: 80,
    isTerminal: { stdin: false, stdout: false, stderr: false },
    signal: new AbortController().signal,
  };
  const { identities } = keysInFile(around, content, 'backup');
  for (const secret of secretsIn(content, 'backup')) wipeEntries(secret);
  content.fill(0);
  return identities.length;
}
