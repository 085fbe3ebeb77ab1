import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fileKey } from '../../src/cli/rotate/new-key.ts';
import { collector } from './session.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sotto-new-key-'));
  mkdirSync(join(folder, 'app'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** The folder may be one in which everybody writes, as `/dev/shm` is. */
async function make(): Promise<string> {
  const around = {
    env: {},
    cwd: folder,
    stdin: Readable.from([]),
    stdout: collector(),
    stderr: collector(),
    isTerminal: { stdin: false, stdout: false, stderr: false },
    columns: undefined,
    signal: new AbortController().signal,
  };
  const key = await fileKey(around, 'new.txt', join(folder, 'app'));
  return (await key.make('age1old', [], new Date())).identity.recipient;
}

describe('the file of a new key', () => {
  it('is for its owner alone, and for nobody who has laid a file where it is written first', async () => {
    const beside = join(folder, 'new.txt.tmp');
    writeFileSync(beside, 'theirs\n');
    chmodSync(beside, 0o666);
    const theirs = openSync(beside, 'r');
    try {
      const recipient = await make();
      expect(readFileSync(join(folder, 'new.txt'), 'utf8')).toContain(`# public key: ${recipient}\n`);
      expect(statSync(join(folder, 'new.txt')).mode & 0o777).toBe(0o600);
      expect(readFileSync(theirs, 'utf8')).toBe('theirs\n');
      expect(readdirSync(folder).toSorted()).toEqual(['app', 'new.txt']);
    } finally {
      closeSync(theirs);
    }
  });

  it('goes nowhere else by a link', async () => {
    symlinkSync(join(folder, 'elsewhere'), join(folder, 'new.txt.tmp'));
    await make();
    expect(existsSync(join(folder, 'elsewhere'))).toBe(false);
    expect(statSync(join(folder, 'new.txt')).mode & 0o777).toBe(0o600);
  });
});
