import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LIMITS } from '../../src/core/limits.ts';
import { encryptionOf } from '../../src/render/kustomize/encryption.ts';
import type { ScanResult } from '../../src/render/kustomize/scan-result.ts';
import { type FileTree, finderOf, type TreeEntry } from '../../src/render/kustomize/file-tree.ts';
import { scan } from '../../src/render/kustomize/scan.ts';
import { buildTree } from '../../src/render/kustomize/tree.ts';
import { writeTree } from '../../src/render/kustomize/write-tree.ts';
import { describeReal } from '../harness/real.ts';
import { newAgeKeyPair, runStock, stockOutput, type StockRun } from '../harness/stock.ts';
import { HOSTILE } from '../render/kustomize/hostile.ts';
import { MISTAKES, withMistakes } from '../render/kustomize/mistakes.ts';
import { OVERLAYS } from '../render/kustomize/overlays.ts';
import { CONFIG_MAP, emptied, fixture, kustomization, MAP, withDecoys } from '../render/kustomize/trees.ts';

let folder = '';
let server: Server;
let hits = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sotto-kustomize-'));
  // A git that only says that it was called.
  await mkdir(join(folder, 'bin'));
  await writeFile(join(folder, 'bin', 'git'), '#!/bin/sh\necho "$@" >> "$GIT_CALLS"\nexit 1\n');
  await chmod(join(folder, 'bin', 'git'), 0o755);
  server = createServer((_request, response) => {
    hits += 1;
    response.end(CONFIG_MAP);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
});

afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true, force: true });
});

/** Stock kustomize on a fixture as it stands on disk, with everything it might want at hand. */
async function stockBuild(text: string, root: string): Promise<{ run: StockRun; connects: boolean; repo: string }> {
  const own = await mkdtemp(join(folder, 'case-'));
  const repo = join(own, 'repo');
  const address = server.address();
  const host = `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  await writeFixture(repo, text.replaceAll('HOST', host));
  const calls = join(own, 'git-calls');
  const before = hits;
  const env = { PATH: join(folder, 'bin'), GIT_CALLS: calls, HOME: own };
  const run = await runStock('kustomize', ['build', join(repo, root)], { env });
  const cloned = await readFile(calls, 'utf8').catch(() => '');
  return { run, connects: hits > before || cloned !== '', repo };
}

/** Stock kustomize on what the scan has left of a repository. */
async function buildCopy(repo: string, root: string, tree: FileTree, scanned: ScanResult): Promise<StockRun> {
  const copy = join(dirname(repo), 'copy');
  await writeTree(copy, buildTree(scanned, finderOf(tree), emptied(scanned)));
  return runStock('kustomize', ['build', join(copy, root)]);
}

async function writeFixture(repo: string, text: string): Promise<void> {
  const { files, links } = fixture(text);
  await mkdir(repo, { recursive: true });
  for (const [path, content] of files) {
    await mkdir(dirname(join(repo, path)), { recursive: true });
    await writeFile(join(repo, path), content);
  }
  for (const [path, target] of links) await symlink(target, join(repo, path));
}

async function readTree(repo: string): Promise<FileTree> {
  const tree = new Map<string, TreeEntry>();
  for (const entry of await readdir(repo, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(repo.length + 1);
    if (entry.isSymbolicLink()) tree.set(name, { kind: 'link' });
    else if (entry.isFile()) tree.set(name, { kind: 'file', bytes: await readFile(path) });
  }
  return tree;
}

describeReal('an overlay that people write', ['kustomize'], () => {
  test.each(OVERLAYS)(
    'is built from its reachable files alone as from the whole repository: $name',
    async (overlay) => {
      const { run, repo } = await stockBuild(overlay.files, overlay.root);
      expect(run.code, run.stderr).toBe(0);
      const tree = await readTree(repo);
      const scanned = scan(tree, overlay.root);
      if (!scanned.ok) throw scanned.refusals[0] ?? new Error('no refusal');
      const again = await buildCopy(repo, overlay.root, tree, scanned.result);
      expect(again.stdout.toString(), again.stderr).toBe(run.stdout.toString());
    },
  );
});

/** Beginnings, hosts and ends that make an address more often than not, and things that spoil one. */
const ADDRESS = fc
  .tuple(
    fc.constantFrom('', ' ', './', 'git::', 'GIT::', '{', '#'),
    fc.constantFrom('http://', 'HTTPS://', 'ssh://', 'file://', 'http:', 'git@', 'a-1@', ''),
    fc.constantFrom('HOST', 'HOST', 'github.com', 'GitHub.com', 'a', ''),
    fc.constantFrom('/', ':', '//', ''),
    fc.constantFrom('a/b', 'a/b.git/c', '_git/a/b', 'x.yaml', '../a/b', 'a/b?ref=x', '%2e/b', 'a/b\n', '~', ''),
  )
  .map((parts) => parts.join(''));
const FIELDS = [
  'resources: [X]',
  'components: [X]',
  'transformers: [X]',
  'generators: [X]',
  'patchesStrategicMerge: [X]',
  'patches: [{ path: X }]',
  'configMapGenerator: [{ name: g, files: [X] }]',
  'crds: [X]',
];
const SCALARS = 'y no On ~ null 0123 0o17 1e3 .5 -0 1_000 2001-01-01 12:30:45 << .inf 0x1F'
  .split(' ')
  .concat('x: y', '!!str 1', '&a b', '"\\u2028"', "'it''s'", '');

/** A mistake in a heading, so that the files cannot be written. */
function isOddFixture(text: string): boolean {
  const { files, links } = fixture(text);
  const paths = [...files.keys(), ...links.keys()];
  const isInTheWay = (path: string): boolean => paths.some((other) => other.startsWith(`${path}/`));
  return paths.some((path) => !/^[\wä]/.test(path) || /\0|\.\.\/|\/$/.test(path) || isInTheWay(path));
}

function envOf(bytes: number): string {
  const line = `A=${'x'.repeat(bytes - 2)}`;
  return kustomization('configMapGenerator: [{ name: g, envs: [x.env] }]', `-- x.env\n${line}\nLAST=1\n`);
}

describeReal('the reading of the scan', ['kustomize'], () => {
  test('takes nothing for a path that stock kustomize takes for an address', async () => {
    let connected = 0;
    await fc.assert(
      fc.asyncProperty(ADDRESS, fc.constantFrom(...FIELDS), async (address, field) => {
        const text = kustomization(field.replace('X', () => JSON.stringify(address)));
        const { connects, repo } = await stockBuild(text, '');
        if (!connects) return;
        connected += 1;
        const trees = withDecoys(await readTree(repo), address);
        expect(trees.filter((tree) => scan(tree, '').ok)).toEqual([]);
      }),
      { seed: 20_261_128, numRuns: 400 },
    );
    // It would show nothing if the addresses were none.
    expect(connected).toBeGreaterThan(20);
  });

  test('gives kustomize the texts and types that stand in the file', async () => {
    const chars = fc.constantFrom(...Array.from("ab01.:-_ #,'"));
    const scalar = fc.oneof(fc.constantFrom(...SCALARS), fc.string({ unit: chars, minLength: 1, maxLength: 6 }));
    let built = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(scalar, { minLength: 1, maxLength: 3 }), async (scalars) => {
        const annotations = (indent: string) => scalars.map((each, index) => `${indent}k${index}: ${each}\n`).join('');
        const plugin = `apiVersion: builtin\nkind: AnnotationsTransformer\nmetadata: { name: p }\nfieldSpecs: [{ path: data, create: true }]\nannotations:\n${annotations('  ')}`;
        const text = `resources: [map.yaml]\ntransformers: [p.yaml]\ncommonAnnotations:\n${annotations('  ')}`;
        const { run, repo } = await stockBuild(kustomization(text, MAP, `-- p.yaml\n${plugin}`), '');
        const scanned = scan(await readTree(repo), '');
        // What one of the two does not read is refused by one of the two.
        if (run.code !== 0 || !scanned.ok) return;
        built += 1;
        const again = await buildCopy(repo, '', await readTree(repo), scanned.result);
        expect(again.stdout.toString(), again.stderr).toBe(run.stdout.toString());
      }),
      { seed: 20_261_128, numRuns: 200 },
    );
    expect(built).toBeGreaterThan(50);
  });

  test('is that of stock kustomize also for overlays with mistakes in them', async () => {
    let built = 0;
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...OVERLAYS), MISTAKES, async ({ files, root }, mistakes) => {
        const text = withMistakes(files, mistakes);
        if (isOddFixture(text)) return;
        const { run, repo, connects } = await stockBuild(text, root);
        const tree = await readTree(repo);
        const scanned = scan(tree, root);
        expect(connects && scanned.ok).toBe(false);
        if (run.code !== 0 || !scanned.ok) return;
        built += 1;
        const again = await buildCopy(repo, root, tree, scanned.result);
        expect(again.stdout.toString(), again.stderr).toBe(run.stdout.toString());
      }),
      { seed: 20_261_128, numRuns: 400 },
    );
    expect(built).toBeGreaterThan(20);
  });

  test('knows the length at which stock kustomize loses the lines of an env file', async () => {
    const fits = await stockBuild(envOf(LIMITS.maxEnvLineBytes), '');
    expect([fits.run.stdout.includes('LAST'), scan(await readTree(fits.repo), '').ok]).toEqual([true, true]);
    const over = await stockBuild(envOf(LIMITS.maxEnvLineBytes + 1), '');
    expect([over.run.stdout.includes('LAST'), scan(await readTree(over.repo), '').ok]).toEqual([false, false]);
  });
});

describeReal('a file that stock sops has encrypted', ['sops', 'age-keygen'], () => {
  test.each([
    ['x.yaml', 'a: b\n', 'yaml'],
    ['x.json', '{"a": "b"}', 'json'],
    ['x.env', 'A=b\n', 'dotenv'],
    ['x.ini', '[s]\na = b\n', 'ini'],
    ['x.pem', 'a', 'binary'],
    ['x', 'A=b\n', 'binary'],
  ])('is known by its form: %s', async (name, clear, form) => {
    const { recipient } = await newAgeKeyPair();
    const args = ['encrypt', '--age', recipient, '--filename-override', name];
    const closed = await stockOutput('sops', args, { stdin: clear });
    expect(encryptionOf(name, closed)).toBe(form);
    expect(encryptionOf(name, new TextEncoder().encode(clear))).toBe('none');
  });
});

describeReal('a kustomization that stock kustomize would follow outside', ['kustomize'], () => {
  test.each(HOSTILE)('is refused before the run: $name', async ({ files, code, stock }) => {
    const root = files.startsWith('-- o/') ? 'o' : '';
    const { run, connects, repo } = await stockBuild(files, root);
    const scanned = scan(await readTree(repo), root);
    expect(scanned.ok ? [] : scanned.refusals.map((error) => error.code)).toContain(code);
    // That the case is what it is said to be.
    const seen = connects ? 'connects' : run.code === 0 ? 'builds' : 'refuses';
    expect(seen, run.stderr).toBe(stock === 'leaves' ? 'builds' : stock);
    if (stock === 'leaves') expect(run.stdout.toString()).toContain('db.example.com');
  });
});
