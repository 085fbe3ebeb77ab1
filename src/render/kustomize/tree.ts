import type { Find } from './file-tree.ts';
import type { ScanResult } from './scan-result.ts';

/** One file for the renderer's folder. */
export interface BuildFile {
  /** Relative, clean, with slashes. */
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Equal ids are equal bytes, so that a file of an earlier tree can be used again. Undefined where that is not known. */
  readonly id?: string | undefined;
}

/**
 * What a renderer gets to see of a repository: the reachable files, those with secrets in their closed form (tokens in
 * place of values), and kustomizations as the scan has read them. Sorted by path.
 */
export function buildTree(scanned: ScanResult, find: Find, closed: ReadonlyMap<string, Uint8Array>): BuildFile[] {
  return scanned.files.map(({ path, encryption }) => {
    const instead = closed.get(path) ?? scanned.rewritten.get(path);
    if (instead !== undefined) return { path, bytes: instead };
    const found = find(path);
    // Whatever is encrypted has a closed form, or it is not rendered at all.
    if (encryption !== 'none' || found.kind !== 'file') throw new TypeError(`${path} cannot be given to a renderer`);
    return { path, bytes: found.file.bytes, id: found.file.blob };
  });
}
