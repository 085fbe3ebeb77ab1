import type { BlobId, CommitId, TreeEntry } from '../git/output.ts';
import type { GitRepository } from '../git/repository.ts';
import type { SnapshotFile, Standing } from './snapshot.ts';

/** What stands at paths of a commit, contents included: for a reader that finds out step by step what it needs. */
export async function lookAt(
  repository: GitRepository,
  commit: CommitId,
  paths: readonly string[],
  known: readonly SnapshotFile[],
): Promise<Map<string, Standing>> {
  const asked = new Set(paths.flatMap((path) => [...foldersOf(path), path]));
  const entries = new Map((await repository.lookUp(commit, [...asked])).map((entry) => [entry.path, entry]));
  const blobs = new Map<BlobId, string>();
  for (const path of paths) {
    const entry = entries.get(path);
    if (entry?.kind === 'file') blobs.set(entry.blob, path);
  }
  const contents = new Map(known.filter(({ blob }) => blobs.has(blob)).map(({ blob, bytes }) => [blob, bytes]));
  const missing = [...blobs.keys()].filter((blob) => !contents.has(blob));
  const { contents: read, tooLarge } = await repository.read(missing, (blob) => blobs.get(blob) ?? 'a file');
  return new Map(
    paths.map((path): [string, Standing] => {
      const irregular = [...foldersOf(path), path].find((each) => isIrregular(entries.get(each)));
      if (irregular !== undefined) return [path, { kind: 'irregular', path: irregular }];
      const entry = entries.get(path);
      if (path === '' || entry?.kind === 'folder') return [path, { kind: 'folder' }];
      if (entry?.kind !== 'file') return [path, { kind: 'absent' }];
      const error = tooLarge.get(entry.blob);
      if (error !== undefined) return [path, { kind: 'refused', error: error.at({ file: path }) }];
      const bytes = contents.get(entry.blob) ?? read.get(entry.blob) ?? new Uint8Array();
      return [path, { kind: 'file', file: { kind: 'file', bytes, blob: entry.blob } }];
    }),
  );
}

function isIrregular(entry: TreeEntry | undefined): boolean {
  return entry !== undefined && entry.kind !== 'file' && entry.kind !== 'folder';
}

/** `a/b/c` → `a`, `a/b`. */
export function foldersOf(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(1).map((_part, index) => parts.slice(0, index + 1).join('/'));
}
