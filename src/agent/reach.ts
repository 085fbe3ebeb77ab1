import { LIMITS } from '../core/limits.ts';
import { tooLargeTogether } from '../git/content.ts';
import type { Find, Found } from '../render/kustomize/file-tree.ts';
import { scanFurther } from '../render/kustomize/scan.ts';
import type { Scanned } from '../render/kustomize/scan-result.ts';
import type { GitSource } from '../source/git-source.ts';
import type { Snapshot, SnapshotFile } from '../source/snapshot.ts';

/** A snapshot with what its kustomization reaches, where it has one. */
export interface Wanted extends Snapshot {
  readonly kustomize?: Reached | undefined;
}

/** What a kustomization means to build, and everything that the build reads. */
export interface Reached {
  readonly scanned: Scanned;
  readonly find: Find;
}

/** Looks at paths, wherever the repository is: in Git, or as a checkout on a disk. */
export type Look = (paths: readonly string[]) => Promise<ReadonlyMap<string, Found>>;

/** Every step reads what the one before named; bases are at most so deep, and each needs two. */
const MAX_STEPS = LIMITS.maxKustomizationDepth * 2 + 10;

/** Scans a kustomization, reading only what it names, until all is known. */
export async function reach(root: string, look: Look): Promise<Reached> {
  const seen = new Map<string, Found>();
  const find: Find = (path) => seen.get(path) ?? (path === '' ? { kind: 'folder' } : { kind: 'unread' });
  let bytes = 0;
  for (let step = 0; ; step += 1) {
    const scanned = scanFurther(find, root);
    if (scanned.ok !== 'later') return { scanned, find };
    if (step > MAX_STEPS) throw new TypeError('a scan asks for the same again and again');
    for (const [path, found] of await look(scanned.unread)) {
      seen.set(path, found);
      if (found.kind === 'file') bytes += found.file.bytes.length;
    }
    if (bytes > LIMITS.maxSnapshotBytes) throw tooLargeTogether();
  }
}

/** The snapshot with everything that its kustomization names. Files known from the one before are not read again. */
export async function completed(
  snapshot: Snapshot,
  source: Pick<GitSource, 'look'>,
  before: readonly SnapshotFile[],
): Promise<Wanted> {
  if (snapshot.kustomization === undefined) return snapshot;
  const files: SnapshotFile[] = [];
  const kustomize = await reach(snapshot.path, async (paths) => {
    const found = await source.look(snapshot.commit, paths, before);
    for (const [path, { kind, ...rest }] of found) {
      if (kind === 'file' && 'file' in rest) files.push({ path, ...rest.file });
    }
    return found;
  });
  return { ...snapshot, files, kustomize };
}
