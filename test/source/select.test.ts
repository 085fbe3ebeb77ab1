import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RECEIPT_FILE } from '../../src/authoring/rotation/receipt.ts';
import { SottoError } from '../../src/core/errors.ts';
import { LIMITS } from '../../src/core/limits.ts';
import { parseTree, type TreeEntry } from '../../src/git/output.ts';
import { checkFolder, normalisePath, selectManifests } from '../../src/source/select.ts';

const MODES: Record<string, string> = {
  file: '100644 blob',
  run: '100755 blob',
  link: '120000 blob',
  submodule: '160000 commit',
  folder: '040000 tree',
  other: '100000 blob',
};

function entries(listing: Readonly<Record<string, string>>): TreeEntry[] {
  const id = '1'.repeat(40);
  const text = Object.entries(listing).map(([path, kind]) => `${MODES[kind]} ${id}\t${path}\0`);
  return parseTree(text.join('')) ?? [];
}

const many = (length: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length }, (_, index) => [`d/${index}.yaml`, 'file']));

const nothing = (_path: string): boolean => false;

function selected(listing: Readonly<Record<string, string>>, path: string, isIgnored = nothing): string[] {
  return selectManifests(entries(listing), path, isIgnored).files.map((file) => file.path);
}

describe('the selection of manifests', () => {
  it('takes yaml, yml and json files below the path, sorted, executable ones too', () => {
    const listing = {
      deploy: 'folder',
      'deploy/z.yaml': 'file',
      'deploy/sub/a.yml': 'run',
      'deploy/a.json': 'file',
      'deploy/README.md': 'file',
      'deploy/a.yaml.bak': 'file',
      'deployment/x.yaml': 'file',
      'x.yaml': 'file',
    };
    expect(selected(listing, 'deploy')).toEqual(['deploy/a.json', 'deploy/sub/a.yml', 'deploy/z.yaml']);
  });

  it('leaves out dot-files, what lies in dot-folders, the settings, and what is ignored', () => {
    const listing = {
      'd/.sops.yaml': 'file',
      'd/.github/x.yaml': 'file',
      'd/sotto.yaml': 'file',
      'd/sub/sotto.yaml': 'file',
      'd/skip.yaml': 'file',
      'd/keep.yaml': 'file',
    };
    expect(selected(listing, 'd', (path) => path === 'd/skip.yaml')).toEqual(['d/keep.yaml']);
  });

  it('leaves out the receipt of a rotation', () => {
    expect(selected({ '.sotto': 'folder', [RECEIPT_FILE]: 'file', 'a.yaml': 'file' }, '')).toEqual(['a.yaml']);
  });

  it('reads a path that is itself below a dot-folder', () => {
    expect(selected({ '.deploy/a.yaml': 'file' }, '.deploy')).toEqual(['.deploy/a.yaml']);
  });

  it('takes the whole repository for the empty path', () => {
    expect(selected({ 'a.yaml': 'file', 'b/c.yaml': 'file' }, '')).toEqual(['a.yaml', 'b/c.yaml']);
  });

  it('reports links, submodules and names with hidden characters instead of reading them', () => {
    const listing = {
      'd/link.yaml': 'link',
      'd/module': 'submodule',
      'd/odd': 'other',
      'd/x\u202Elmay.yaml': 'file',
      'd/line\nbreak.yaml': 'file',
      'd/\uFFFD.yaml': 'file',
      'd/-rf.yaml': 'file',
      'd/a "b".yaml': 'file',
    };
    const { files, skipped } = selectManifests(entries(listing), 'd', nothing);
    expect(files.map((file) => file.path)).toEqual(['d/-rf.yaml', 'd/a "b".yaml']);
    expect(skipped).toEqual([
      { path: 'd/link.yaml', why: 'symbolic links are not followed' },
      { path: 'd/module', why: 'submodules are not fetched' },
      { path: 'd/odd', why: 'it is neither a file nor a folder' },
      { path: 'd/x?lmay.yaml', why: 'its name holds hidden characters' },
      { path: 'd/line?break.yaml', why: 'its name holds hidden characters' },
      { path: 'd/?.yaml', why: 'its name holds hidden characters' },
    ]);
  });

  it.each(['kustomization.yaml', 'kustomization.yml', 'Kustomization'])('notices a %s anywhere below', (name) => {
    const listing = { 'd/a.yaml': 'file', [`d/deep/er/${name}`]: 'file', [`other/${name}`]: 'file' };
    expect(selectManifests(entries(listing), 'd', nothing).kustomizations).toEqual([`d/deep/er/${name}`]);
  });

  it('does not count a kustomization that is ignored', () => {
    const listing = { 'd/kustomize/kustomization.yaml': 'file', 'd/a.yaml': 'file' };
    const selection = selectManifests(entries(listing), 'd', (path) => path.startsWith('d/kustomize/'));
    expect(selection.kustomizations).toEqual([]);
  });

  it('refuses more manifests than the cap and takes exactly the cap', () => {
    expect(selected(many(LIMITS.maxSnapshotFiles), 'd')).toHaveLength(LIMITS.maxSnapshotFiles);
    expect(() => selected(many(LIMITS.maxSnapshotFiles + 1), 'd')).toThrow(
      expect.objectContaining({ code: 'SOTTO-GIT-022' }),
    );
  });
});

describe('the folder of a sync', () => {
  const listing = {
    deploy: 'folder',
    'deploy/prod': 'folder',
    'deploy/prod/a.yaml': 'file',
    l: 'link',
    m: 'submodule',
  };

  it.each(['', 'deploy', 'deploy/prod'])('%j is there', (path) => {
    expect(() => checkFolder(entries(listing), path)).not.toThrow();
  });

  it.each([
    ['deploy/stage', 'SOTTO-GIT-019'],
    ['Deploy', 'SOTTO-GIT-019'],
    ['deploy/prod/a.yaml', 'SOTTO-GIT-020'],
    ['l', 'SOTTO-GIT-020'],
    ['m/inner', 'SOTTO-GIT-020'],
  ])('%j is refused with %s', (path, code) => {
    expect(() => checkFolder(entries(listing), path)).toThrow(expect.objectContaining({ code }));
  });
});

describe('a path of the settings', () => {
  it.each([
    ['./deploy/prod/', 'deploy/prod'],
    ['deploy//prod', 'deploy/prod'],
    ['.', ''],
    ['', ''],
    [':(top)x', ':(top)x'],
  ])('%j is read as %j', (path, normal) => {
    expect(normalisePath(path)).toBe(normal);
  });

  it.each(['/deploy', '../x', 'a/../../x', 'a/.git/b', 'a/.GIT', 'a\nb', 'a\0b'])('%j is refused', (path) => {
    expect(() => normalisePath(path)).toThrow(expect.objectContaining({ code: 'SOTTO-GIT-021' }));
  });

  it('never leads out of the repository', () => {
    const path = fc.array(fc.constantFrom('..', '.', 'a', '', '.git', 'b c'), { maxLength: 6 });
    fc.assert(
      fc.property(path, (parts) => {
        try {
          expect(normalisePath(parts.join('/'))).not.toMatch(/(^|\/)(\.\.|\.git)(\/|$)|^\//);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(SottoError);
        }
      }),
    );
  });
});
