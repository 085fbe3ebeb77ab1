import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { completed, type Wanted } from '../../src/agent/reach.ts';
import { diskTree } from '../../src/cli/disk-tree.ts';
import { readWorkingTree } from '../../src/cli/working-tree.ts';
import { LIMITS } from '../../src/core/limits.ts';
import { syncSettings } from '../agent/fixture.ts';
import { type GitFixture, startGitFixture } from './git-fixture.ts';

const MAP = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: m }\n';
const MODULE = { mode: '160000', content: 'a'.repeat(40) } as const;
const LINK = { mode: '120000', content: '../base' } as const;

let fixture: GitFixture;

beforeAll(async () => {
  fixture = await startGitFixture();
});

afterAll(() => fixture.stop());

function codes({ kustomize }: Pick<Wanted, 'kustomize'>): string[] {
  const scanned = kustomize?.scanned;
  return scanned === undefined || scanned.ok ? [] : scanned.refusals.map(({ code }) => code);
}

describe('a look at paths of a commit', () => {
  it('tells files, folders, links, submodules and nothing apart', async () => {
    const repository = await fixture.repositoryWith({
      'deploy/a.yaml': 'a: 1\n',
      'base/sub/b.yaml': 'b: 1\n',
      'deploy/link': LINK,
      module: MODULE,
      big: 'x'.repeat(LIMITS.maxFileBytes + 1),
    });
    await using source = await fixture.sourceOf(repository);
    const { commit } = await source.pull();
    const paths = [
      '',
      'deploy',
      'deploy/a.yaml',
      'base/sub/b.yaml',
      'deploy/link',
      'deploy/link/x',
      'module',
      'module/x',
    ];
    const found = await source.look(commit, [...paths, 'absent', 'deploy/a.yaml/x', 'big'], []);
    const told = [...found].map(([path, each]) => [path, each.kind, each.kind === 'irregular' ? each.path : undefined]);
    expect(told).toEqual([
      ['', 'folder', undefined],
      ['deploy', 'folder', undefined],
      ['deploy/a.yaml', 'file', undefined],
      ['base/sub/b.yaml', 'file', undefined],
      ['deploy/link', 'irregular', 'deploy/link'],
      ['deploy/link/x', 'irregular', 'deploy/link'],
      ['module', 'irregular', 'module'],
      ['module/x', 'irregular', 'module'],
      ['absent', 'absent', undefined],
      ['deploy/a.yaml/x', 'absent', undefined],
      ['big', 'refused', undefined],
    ]);
    const file = found.get('base/sub/b.yaml');
    expect(file?.kind === 'file' && Buffer.from(file.file.bytes).toString()).toBe('b: 1\n');
    const big = found.get('big');
    expect(big?.kind === 'refused' && [big.error.code, big.error.place.file]).toEqual([
      expect.stringMatching(/^SOTTO-GIT-/),
      'big',
    ]);
  });

  it('is a look at the commit that was pulled, whatever the branch says since', async () => {
    const repository = await fixture.repositoryWith({
      'deploy/kustomization.yaml': 'resources: [map.yaml]\n',
      'deploy/map.yaml': MAP,
    });
    await using source = await fixture.sourceOf(repository);
    const snapshot = await source.pull();
    await repository.commit(
      { 'deploy/kustomization.yaml': 'resources: [other.yaml]\n', 'deploy/other.yaml': MAP },
      'moved on',
    );
    const wanted = await completed(snapshot, source, []);
    expect(wanted.files.map(({ path }) => path).toSorted()).toEqual(['deploy/kustomization.yaml', 'deploy/map.yaml']);
    // Known files are not read again.
    const again = await completed(snapshot, source, wanted.files);
    expect(again.files.map(({ bytes }) => wanted.files.some((each) => each.bytes === bytes))).toEqual([true, true]);
  });

  it.each([
    ['a submodule as base', 'resources: [../module]', 'SOTTO-RENDER-023'],
    ['a link as base', 'resources: [link]', 'SOTTO-RENDER-023'],
    ['a file below a link', 'resources: [link/map.yaml]', 'SOTTO-RENDER-023'],
    ['a path out of the repository', 'resources: [../../map.yaml]', 'SOTTO-RENDER-021'],
    ['a name that is too long for any file', `resources: [${'x'.repeat(200_000)}]`, 'SOTTO-RENDER-022'],
    [
      'many long names',
      `resources: [${Array.from({ length: 600 }, (_, at) => `${at}${'y'.repeat(4_000)}`).join(', ')}]`,
      'SOTTO-RENDER-022',
    ],
  ])('refuses %s', async (_name, kustomization, code) => {
    const repository = await fixture.repositoryWith({
      'deploy/kustomization.yaml': `${kustomization}\n`,
      'deploy/link': LINK,
      module: MODULE,
      'base/kustomization.yaml': 'resources: [map.yaml]\n',
      'base/map.yaml': MAP,
    });
    await using source = await fixture.sourceOf(repository);
    expect(new Set(codes(await completed(await source.pull(), source, [])))).toEqual(new Set([code]));
  });
});

describe('a look at paths of a checkout', () => {
  it('follows no link, and takes a folder with a repository of its own for a submodule', async () => {
    const root = await mkdtemp(join(tmpdir(), 'sotto-look-'));
    try {
      for (const folder of ['deploy', 'base', 'own/.git']) await mkdir(join(root, folder), { recursive: true });
      for (const folder of ['base', 'own']) {
        await writeFile(join(root, folder, 'kustomization.yaml'), 'resources: [map.yaml]\n');
        await writeFile(join(root, folder, 'map.yaml'), MAP);
      }
      await symlink('../base', join(root, 'deploy', 'link'));
      await symlink('/etc/passwd', join(root, 'deploy', 'passwd.yaml'));
      const of = async (text: string) => {
        await writeFile(join(root, 'deploy', 'kustomization.yaml'), text);
        return codes(await readWorkingTree(diskTree(root), syncSettings('app', { path: 'deploy' })));
      };
      expect(await of('resources: [../base]\n')).toEqual([]);
      expect(await of('resources: [../own]\n')).toEqual(['SOTTO-RENDER-023']);
      expect(await of('resources: [link]\n')).toEqual(['SOTTO-RENDER-023']);
      expect(await of('resources: [passwd.yaml]\n')).toEqual(['SOTTO-RENDER-023']);
      expect(await of('resources: [../../map.yaml]\n')).toEqual(['SOTTO-RENDER-021']);
      expect(await of(`resources: [${'x'.repeat(200_000)}]\n`)).toEqual(['SOTTO-RENDER-022']);
      await writeFile(join(root, 'deploy', 'big'), 'x'.repeat(LIMITS.maxFileBytes + 1));
      expect(await of('configMapGenerator: [{ name: g, files: [big] }]\n')).toEqual(['SOTTO-GIT-023']);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });
});
