import { describe, expect, it } from 'vitest';
import { scan } from '../../../src/render/kustomize/scan.ts';
import { HOSTILE } from './hostile.ts';
import { fixture, treeOf } from './trees.ts';

/** Of a fixture, what is in the repository. */
function inside(text: string) {
  const { files, links } = fixture(text);
  return treeOf({ files: new Map([...files].filter(([path]) => !path.startsWith('../'))), links });
}

function refusals(text: string, root = '') {
  const scanned = scan(inside(text), root);
  return scanned.ok ? [] : scanned.refusals;
}

describe('a hostile kustomization', () => {
  it.each(HOSTILE)('is refused before the run: $name', ({ files, code }) => {
    const root = files.startsWith('-- o/') ? 'o' : '';
    const found = refusals(files, root);
    expect(found.map((error) => error.code)).toContain(code);
    expect(found.filter((error) => error.place.file === undefined).map((error) => error.text())).toEqual([]);
  });
});
