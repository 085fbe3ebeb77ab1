import { once } from 'node:events';
import { PassThrough, Writable } from 'node:stream';
import { sealBackup } from '../../src/cli/keys/backup.ts';
import { Sensitive } from '../../src/core/sensitive.ts';

// Makes a backup behind a passphrase that is typed at a terminal, and is quiet. Input: the passphrase in hex of its bytes
// backwards, a form that no scan knows.

const [line] = (await once(process.stdin, 'data')) as [Buffer];
const stdin = Object.assign(new PassThrough(), { setRawMode: () => stdin });
const quiet = new Writable({ write: (_chunk, _encoding, done) => done() });
const context = {
  env: {},
  cwd: '/',
  stdin,
  stdout: quiet,
  stderr: new Writable({ write: (chunk: Buffer, _encoding, done) => (chunk.includes(':') && type(), done()) }),
  columns: 80,
  isTerminal: { stdin: true, stdout: true, stderr: true },
  signal: new AbortController().signal,
  exitWith: () => undefined,
};
using list = Sensitive.copyOf(Buffer.from('a list of keys'));
await sealBackup(context, list, 'passphrase');
process.stdout.write('sealed\n');
await once(process.stdin, 'data');

/** What the terminal gives when a prompt is shown. */
function type(): void {
  const hex = line.toString().trim();
  const typed = Buffer.from(new ArrayBuffer(hex.length / 2 + 1));
  for (let at = 0; at < typed.length - 1; at += 1)
    typed[typed.length - 2 - at] = Number.parseInt(hex.slice(2 * at, 2 * at + 2), 16);
  typed[typed.length - 1] = 0x0d;
  stdin.write(typed);
}
