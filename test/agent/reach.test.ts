import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reach } from '../../src/agent/reach.ts';
import { LIMITS } from '../../src/core/limits.ts';
import { type FileTree, finderOf, type Found, type TreeEntry } from '../../src/render/kustomize/file-tree.ts';
import { scan, scanFurther } from '../../src/render/kustomize/scan.ts';
import type { Scanned } from '../../src/render/kustomize/scan-result.ts';
import { HOSTILE } from '../render/kustomize/hostile.ts';
import { OVERLAYS } from '../render/kustomize/overlays.ts';
import { CONFIG_MAP, fixture, kustomization, MAP, tree, treeOf } from '../render/kustomize/trees.ts';

function lookingAt(files: FileTree, asked: string[][] = []) {
  const find = finderOf(files);
  return async (paths: readonly string[]) => {
    asked.push([...paths]);
    return new Map(paths.map((path) => [path, find(path)]));
  };
}

/** A scan as values that can be compared. */
function told(scanned: Scanned): unknown {
  return scanned.ok ? scanned.result : scanned.refusals.map((error) => error.text()).toSorted();
}

/** Paths that lead out of the fixture are no files of the repository. */
function inside(text: string): FileTree {
  const { files, links } = fixture(text);
  return treeOf({ files: new Map([...files].filter(([path]) => !path.startsWith('../'))), links });
}

const CASES = [
  ...OVERLAYS.map(({ name, files, root }) => ({ name, files, root })),
  ...HOSTILE.map(({ name, files }) => ({ name, files, root: files.startsWith('-- o/') ? 'o' : '' })),
];

describe('a scan step by step', () => {
  it('says exactly what nobody has looked at yet', () => {
    const files = tree(kustomization('resources: [a, map.yaml]\npatches: [{ path: p.yaml }]', MAP));
    const whole = finderOf(files);
    const seen = new Set<string>(['']);
    const find = (path: string): Found => (seen.has(path) ? whole(path) : { kind: 'unread' });
    const first = scanFurther(find, '');
    const names = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'];
    expect(first).toEqual({ ok: 'later', unread: names });
    for (const name of names) seen.add(name);
    expect(scanFurther(find, '')).toEqual({ ok: 'later', unread: ['a', 'map.yaml', 'p.yaml'] });
  });

  it.each(CASES)('tells the same as that of the whole repository: $name', async ({ files, root }) => {
    const repository = inside(files);
    const { scanned } = await reach(root, lookingAt(repository));
    expect(told(scanned)).toEqual(told(scan(repository, root)));
  });

  it('tells the same in whatever order it is answered, and asks for nothing twice', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...CASES), fc.infiniteStream(fc.nat(7)), async ({ files, root }, numbers) => {
        const repository = inside(files);
        const whole = finderOf(repository);
        const seen = new Map<string, Found>([['', { kind: 'folder' }]]);
        const find = (path: string): Found => seen.get(path) ?? { kind: 'unread' };
        let scanned = scanFurther(find, root);
        while (scanned.ok === 'later') {
          const { unread } = scanned;
          expect(unread.filter((path) => seen.has(path))).toEqual([]);
          const picked = unread.filter(() => numbers.next().value === 0);
          for (const path of picked.length > 0 ? picked : unread.slice(-1)) seen.set(path, whole(path));
          scanned = scanFurther(find, root);
        }
        expect(told(scanned)).toEqual(told(scan(repository, root)));
      }),
      { numRuns: 300 },
    );
  });

  it('looks at nothing but what is named', async () => {
    const asked: string[][] = [];
    const files = tree(kustomization('resources: [map.yaml]', MAP, '-- secret.yaml\nx\n'));
    await reach('', lookingAt(files, asked));
    expect(asked.flat()).not.toContain('secret.yaml');
    expect(asked.flat().length).toBe(new Set(asked.flat()).size);
  });
});

const codes = async (files: FileTree, root = '') => {
  const { scanned } = await reach(root, lookingAt(files));
  return scanned.ok ? [] : [...new Set(scanned.refusals.map(({ code }) => code))];
};

describe('what a hostile kustomization reaches', () => {
  it('ends at a cycle', async () => {
    const text = '-- a/kustomization.yaml\nresources: [../b]\n-- b/kustomization.yaml\nresources: [../a]\n';
    expect(await codes(tree(text), 'a')).toEqual(['SOTTO-RENDER-034']);
  });

  it('ends at bases that are too deep', async () => {
    const chain = Array.from(
      { length: LIMITS.maxKustomizationDepth + 20 },
      (_, at) => `-- d${at}/kustomization.yaml\nresources: [../d${at + 1}]\n`,
    );
    expect(await codes(tree(chain.join('')), 'd0')).toEqual(['SOTTO-RENDER-035']);
  });

  it('ends at files of replacements that name one another without an end', async () => {
    const chain = Array.from({ length: 300 }, (_, at) => `-- r${at}.yaml\npath: r${at + 1}.yaml\n`);
    const text = kustomization('resources: [map.yaml]\nreplacements: [{ path: r0.yaml }]', MAP, ...chain);
    expect(await codes(tree(text))).toEqual(['SOTTO-RENDER-035']);
  });

  it('is told before it is read where it names more than could be built', async () => {
    const names = Array.from({ length: 2 * LIMITS.maxSnapshotFiles }, (_, at) => `f${at}.yaml`);
    const files = new Map(names.map((name) => [name, CONFIG_MAP]));
    files.set('kustomization.yaml', `resources: [${names.join(', ')}]`);
    const asked: string[][] = [];
    const { scanned } = await reach('', lookingAt(treeOf({ files, links: new Map() }), asked));
    expect(scanned.ok ? [] : scanned.refusals.map(({ code }) => code)).toEqual(['SOTTO-RENDER-035']);
    expect(asked.flat().length).toBeLessThan(100);
  });

  it('is 64 MiB at most', async () => {
    const bytes = new Uint8Array(LIMITS.maxFileBytes);
    const names = Array.from({ length: 14 }, (_, at) => `f${at}`);
    const files = tree(kustomization(`configMapGenerator: [{ name: g, files: [${names.join(', ')}] }]`));
    const big: FileTree = new Map<string, TreeEntry>([
      ...files,
      ...names.map((name): [string, TreeEntry] => [name, { kind: 'file', bytes }]),
    ]);
    await expect(reach('', lookingAt(big))).rejects.toMatchObject({ code: 'SOTTO-GIT-024' });
  });
});
