import type { FileTree } from './file-tree.ts';
import type { ReachableFile, ScanResult } from './scan-result.ts';

/** One file for the renderer's folder. */
export interface BuildFile {
  /** Relative, clean, with slashes. */
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Equal ids are equal bytes, so that a file of an earlier tree can be used again. Undefined where that is not known. */
  readonly id?: string | undefined;
}

/** What stands for an encrypted file: its closed form, tokens in place of values. */
export type ClosedForm = (file: ReachableFile) => Uint8Array;

/**
 * What a renderer gets to see of a repository: the reachable files, encrypted ones in their closed form, and
 * kustomizations as the scan has read them. Sorted by path.
 */
export function buildTree(tree: FileTree, scanned: ScanResult, closedForm: ClosedForm): BuildFile[] {
  return scanned.files.map((file) => {
    const { path } = file;
    if (file.encryption !== 'none') return { path, bytes: closedForm(file) };
    const rewritten = scanned.rewritten.get(path);
    if (rewritten !== undefined) return { path, bytes: rewritten };
    const entry = tree.get(path);
    if (entry?.kind !== 'file') throw new TypeError(`${path} was scanned in another tree`);
    return { path, bytes: entry.bytes, id: entry.blob };
  });
}
