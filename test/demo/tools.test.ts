import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { compareVersions, pinTool } from '../../src/demo/tool-list.ts';
import { ensureTools, findOrBuildTools, toolNames, toolsCacheFolder } from '../../src/demo/tools.ts';

const packageRoot = join(import.meta.dirname, '..', '..');
let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sotto-tools-test-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

test('every tool is pinned by a go.mod with sums', () => {
  for (const tool of toolNames()) expect(pinTool(tool, packageRoot).version).toMatch(/^v\d+\.\d+\.\d+$/);
});

test('without Go a tool that is nowhere is named as missing', async () => {
  const env = { PATH: folder, SOTTO_TOOLS_CACHE: folder };
  expect((await findOrBuildTools(['sops', 'etcd'], { packageRoot, env })).missing).toEqual(['sops', 'etcd']);
  await expect(ensureTools(['sops'], { packageRoot, env })).rejects.toMatchObject({
    code: 'TOOLS_MISSING',
    missing: ['sops'],
  });
});

test('what is in the cache is taken without Go', async () => {
  const env = { PATH: '', SOTTO_TOOLS_CACHE: folder };
  const { cacheKey } = pinTool('sops', packageRoot);
  const path = fakeTool(join(folder, cacheKey), 'sops', 'any');
  expect(await ensureTools(['sops'], { packageRoot, env })).toEqual({ sops: path });
});

test('PATH must hold exactly the pinned version', async () => {
  const { version } = pinTool('sops', packageRoot);
  const older = fakeTool(join(folder, 'older'), 'sops', 'sops 3.1.0');
  const pinned = fakeTool(join(folder, 'pinned'), 'sops', `sops ${version.slice(1)} (latest)`);
  const env = { PATH: `${join(older, '..')}:${join(pinned, '..')}`, SOTTO_TOOLS_CACHE: folder };
  expect(await ensureTools(['sops'], { packageRoot, env })).toEqual({ sops: pinned });
});

test.each([
  ['v1.31.4', true],
  ['v1.30.9', false],
])('KUBEBUILDER_ASSETS with kube-apiserver %s is taken: %s', async (version, isTaken) => {
  const assets = join(folder, 'assets');
  const path = fakeTool(assets, 'kube-apiserver', `Kubernetes ${version}`);
  const env = { PATH: '', SOTTO_TOOLS_CACHE: folder, KUBEBUILDER_ASSETS: assets };
  const { paths } = await findOrBuildTools(['kube-apiserver'], { packageRoot, env });
  expect(paths.get('kube-apiserver')).toBe(isTaken ? path : undefined);
});

test('the cache folder comes from the environment', () => {
  expect(toolsCacheFolder({ SOTTO_TOOLS_CACHE: '/a', XDG_CACHE_HOME: '/b' })).toBe('/a');
  expect(toolsCacheFolder({ XDG_CACHE_HOME: '/b' })).toBe('/b/sotto/tools');
});

test('versions compare by number', () => {
  expect(compareVersions('v1.9.0', '1.10.0')).toBe(-1);
  expect(compareVersions('sops 3.13.3 (latest)', 'v3.13.3')).toBe(0);
});

function fakeTool(at: string, name: string, says: string): string {
  mkdirSync(at, { recursive: true });
  const path = join(at, name);
  writeFileSync(path, `#!/bin/sh\necho '${says}'\n`);
  chmodSync(path, 0o755);
  return path;
}
