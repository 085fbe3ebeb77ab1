import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LIMITS } from '../../../src/core/limits.ts';
import { scan } from '../../../src/render/kustomize/scan.ts';
import { finderOf } from '../../../src/render/kustomize/file-tree.ts';
import { buildTree } from '../../../src/render/kustomize/tree.ts';
import { writeTree } from '../../../src/render/kustomize/write-tree.ts';
import { encrypted, newKeyPair, refusal } from '../../sops/fixtures.ts';
import { CONFIG_MAP, kustomization, SECRET, tree } from './trees.ts';

const pair = await newKeyPair();
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

let outer = '';
let folder = '';

beforeEach(async () => {
  outer = await mkdtemp(join(tmpdir(), 'sotto-tree-'));
  folder = join(outer, 'tree');
});

afterEach(() => rm(outer, { recursive: true, force: true }));

describe('the tree for a renderer', () => {
  it('holds closed forms in place of encrypted files, and ids of what is as it was', async () => {
    const db = await encrypted(SECRET, pair.recipient, {
      selector: { kind: 'encrypted_regex', value: '^stringData$' },
    });
    const files = new Map([
      ...tree(kustomization('resources: [db.yaml, map.yaml]', `-- db.yaml\n${db}`, '-- README.md\nx\n')),
      ['map.yaml', { kind: 'file', bytes: bytes(CONFIG_MAP), blob: 'b1' }] as const,
    ]);
    const scanned = scan(files, '');
    if (!scanned.ok) throw scanned.refusals[0] ?? new Error('no refusal');
    const closed = scanned.result.files
      .filter(({ encryption }) => encryption !== 'none')
      .map(({ path, role, encryption }) => [path, bytes(`${path} ${role} ${encryption}`)] as const);
    const built = buildTree(scanned.result, finderOf(files), new Map(closed));
    expect(built.map(({ path, id, bytes: content }) => [path, id, Buffer.from(content).toString()])).toEqual([
      ['db.yaml', undefined, 'db.yaml document yaml'],
      ['kustomization.yaml', undefined, '{resources: [db.yaml, map.yaml]}\n'],
      ['map.yaml', 'b1', CONFIG_MAP],
    ]);
  });
});

describe('a written tree', () => {
  it('is of regular files for the owner alone', async () => {
    await writeTree(folder, [
      { path: 'a/b/c.yaml', bytes: bytes('c') },
      { path: 'a/d', bytes: bytes('d') },
      { path: 'e f', bytes: bytes('') },
    ]);
    const found = await readdir(outer, { recursive: true });
    const modes = await Promise.all(found.map(async (name) => (await stat(join(outer, name))).mode.toString(8)));
    expect(Object.fromEntries(found.map((name, index) => [name, modes[index]]))).toEqual({
      tree: '40700',
      'tree/a': '40700',
      'tree/a/b': '40700',
      'tree/a/b/c.yaml': '100600',
      'tree/a/d': '100600',
      'tree/e f': '100600',
    });
    expect(await readFile(join(folder, 'a/b/c.yaml'), 'utf8')).toBe('c');
  });

  it.each(['../x', '/x', 'a/../../x', 'a//b', './a', 'a/', '', 'a\0b'])('has no path as %j', async (path) => {
    const attempt = () => writeTree(folder, [{ path, bytes: bytes('x') }]);
    expect(await refusal(attempt)).toEqual({ code: 'SOTTO-RENDER-039' });
    expect(await readdir(outer)).toEqual(['tree']);
    expect(await readdir(folder)).toEqual([]);
  });

  it('is written over nothing: no folder, no file, no link', async () => {
    await symlink(outer, folder);
    expect(await refusal(() => writeTree(folder, []))).toEqual({ code: 'SOTTO-RENDER-039' });
    await rm(folder);
    await writeFile(folder, 'mine');
    expect(await refusal(() => writeTree(folder, []))).toEqual({ code: 'SOTTO-RENDER-039' });
    expect(await readFile(folder, 'utf8')).toBe('mine');
    await rm(folder);
    const twice = { path: 'a', bytes: bytes('x') };
    expect(await refusal(() => writeTree(folder, [twice, twice]))).toEqual({ code: 'SOTTO-RENDER-039' });
  });

  it('has caps of its own', async () => {
    const many = Array.from({ length: LIMITS.maxSnapshotFiles + 1 }, (_, index) => ({
      path: String(index),
      bytes: bytes(''),
    }));
    expect(await refusal(() => writeTree(folder, many))).toEqual({ code: 'SOTTO-RENDER-039' });
    const big = [{ path: 'big', bytes: new Uint8Array(LIMITS.maxSnapshotBytes + 1) }];
    expect(await refusal(() => writeTree(folder, big))).toEqual({ code: 'SOTTO-RENDER-039' });
    expect(await readdir(outer)).toEqual([]);
  });
});
