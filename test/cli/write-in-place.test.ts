import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeInPlace } from '../../src/cli/write-in-place.ts';

const NEW = new TextEncoder().encode('new');
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sotto-write-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('writing in place', () => {
  it('replaces the content and keeps the permissions', () => {
    const path = join(folder, 'a.yaml');
    writeFileSync(path, 'old content that is longer');
    chmodSync(path, 0o604);
    writeInPlace(path, 'a.yaml', NEW);
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(statSync(path).mode & 0o777).toBe(0o604);
    expect(readdirSync(folder)).toEqual(['a.yaml']);
  });

  it('writes through a symbolic link and leaves the link', () => {
    mkdirSync(join(folder, 'real'));
    writeFileSync(join(folder, 'real/a.yaml'), 'old');
    symlinkSync('real/a.yaml', join(folder, 'link.yaml'));
    writeInPlace(join(folder, 'link.yaml'), 'link.yaml', NEW);
    expect(lstatSync(join(folder, 'link.yaml')).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(folder, 'real/a.yaml'), 'utf8')).toBe('new');
  });

  it('works with the longest names there are', () => {
    const name = `${'a'.repeat(250)}.yaml`;
    writeFileSync(join(folder, name), 'old');
    writeInPlace(join(folder, name), name, NEW);
    expect(readdirSync(folder)).toEqual([name]);
  });

  it.each([
    ['a folder', '', 'it is not a regular file'],
    ['a device', '/dev/null', 'it is not a regular file'],
    ['a missing file', 'missing.yaml', 'there is no such file'],
  ])('refuses %s and leaves nothing behind', (_, name, why) => {
    const path = name.startsWith('/') ? name : join(folder, name);
    expect(() => writeInPlace(path, 'x', NEW)).toThrow(expect.objectContaining({ code: 'SOTTO-CLI-006', why }));
    expect(readdirSync(folder)).toEqual([]);
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
  });
});
