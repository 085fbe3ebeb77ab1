import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fileKey } from '../../src/cli/rotate/new-key.ts';
import { parseAgeIdentities } from '../../src/sops/age.ts';
import { makeIdentity } from '../../src/sops/make-identity.ts';
import { refusal } from '../sops/fixtures.ts';

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sotto-new-key-'));
  mkdirSync(join(folder, 'checkout'));
  path = join(folder, 'new.txt');
});
afterEach(() => rmSync(folder, { recursive: true }));

async function newKey(recovery: readonly string[] = []) {
  const isTerminal = { stdin: false, stdout: false, stderr: false };
  const { signal } = new AbortController();
  const stream = new PassThrough();
  const around = {
    env: {},
    cwd: folder,
    stdin: stream,
    stdout: stream,
    stderr: stream,
    columns: 80,
    isTerminal,
    signal,
  };
  const made = await fileKey(around, path, join(folder, 'checkout'));
  return () => made.make('age1old', recovery, new Date());
}

describe('the file of a new identity', () => {
  it('is for its owner alone, and nothing is beside it', async () => {
    const { identity } = await (await newKey())();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(parseAgeIdentities(readFileSync(path)).map(({ recipient }) => recipient)).toEqual([identity.recipient]);
    expect(readdirSync(folder).toSorted()).toEqual(['checkout', 'new.txt']);
  });

  it('is so too where a file that others may read was put in its way, or a kill left one', async () => {
    writeFileSync(`${path}.tmp`, 'left');
    chmodSync(`${path}.tmp`, 0o644);
    await (await newKey())();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder).toSorted()).toEqual(['checkout', 'new.txt']);
  });

  it('is not written to where a link leads that was put in its way', async () => {
    const elsewhere = join(folder, 'elsewhere');
    writeFileSync(elsewhere, 'theirs');
    symlinkSync(elsewhere, `${path}.tmp`);
    await (await newKey())();
    expect(readFileSync(elsewhere, 'utf8')).toBe('theirs');
    expect(statSync(path).isFile()).toBe(true);
  });

  it('is not taken where somebody else may have laid it there', async () => {
    await (await newKey())();
    chmodSync(path, 0o622);
    expect((await refusal(newKey)).code).toBe('SOTTO-ROTATE-005');
    chmodSync(path, 0o600);
    await newKey();
    if (process.getuid?.() !== 0) return;
    chownSync(path, 65_534, 65_534);
    expect((await refusal(newKey)).code).toBe('SOTTO-ROTATE-005');
  });

  it.runIf(process.getuid?.() === 0)(
    'is not taken through a link of somebody else, wherever it leads now',
    async () => {
      await (await newKey())();
      const own = join(folder, 'own.txt');
      renameSync(path, own);
      symlinkSync(own, path);
      await newKey();
      lchownSync(path, 65_534, 65_534);
      expect((await refusal(newKey)).code).toBe('SOTTO-ROTATE-005');
    },
  );

  it('leaves the copy of the key before where it is the only one left', async () => {
    const { identity: recovery } = makeIdentity(new Date());
    const make = await newKey([recovery.recipient]);
    await make();
    const former = readFileSync(`${path}.recovery.age`, 'utf8');
    rmSync(path);
    await make();
    expect(readFileSync(`${path}.recovery.age.1`, 'utf8')).toBe(former);
    expect(readFileSync(`${path}.recovery.age`, 'utf8')).not.toBe(former);
    rmSync(path);
    await make();
    expect(readFileSync(`${path}.recovery.age.1`, 'utf8')).toBe(former);
    expect(readdirSync(folder)).toContain('new.txt.recovery.age.2');
  });

  it('leaves no key beside it when it cannot be made', async () => {
    const make = await newKey();
    mkdirSync(path);
    expect((await refusal(make)).code).toBe('SOTTO-ROTATE-005');
    expect(existsSync(`${path}.tmp`)).toBe(false);
  });
});
