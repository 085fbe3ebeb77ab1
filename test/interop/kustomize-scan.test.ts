import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FileTree, TreeEntry } from '../../src/render/kustomize/file-tree.ts';
import { scan } from '../../src/render/kustomize/scan.ts';
import { buildTree } from '../../src/render/kustomize/tree.ts';
import { writeTree } from '../../src/render/kustomize/write-tree.ts';
import { describeReal } from '../harness/real.ts';
import { runStock, type StockRun } from '../harness/stock.ts';
import { HOSTILE } from '../render/kustomize/hostile.ts';
import { OVERLAYS } from '../render/kustomize/overlays.ts';
import { CONFIG_MAP, fixture } from '../render/kustomize/trees.ts';

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
      const files = buildTree(tree, scanned.result, () => new Uint8Array());
      expect(files.map(({ path }) => path).filter((path) => /README|unused|base-of-others/.test(path))).toEqual([]);
      const copy = join(folder, basename(dirname(repo)), 'copy');
      await writeTree(copy, files);
      const again = await runStock('kustomize', ['build', join(copy, overlay.root)]);
      expect(again.stdout.toString(), again.stderr).toBe(run.stdout.toString());
    },
  );
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
