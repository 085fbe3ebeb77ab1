import { SottoError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { shellWord } from '../core/shell-word.ts';
import type { GitUrl } from './address.ts';
import type { BlobId } from './output.ts';

/** Where a blob stands, for messages: one content may be at several paths. */
export type PathOf = (blob: BlobId) => string;

export interface SizedBlobs {
  /** Within the cap for one file. */
  readonly fitting: readonly BlobId[];
  /** Over it, with the error of each. */
  readonly tooLarge: ReadonlyMap<BlobId, SottoError>;
}

/** Throws when all files together are over the cap, or when one has no size: the server withholds it. */
export function checkSizes(
  blobs: readonly BlobId[],
  sizes: ReadonlyMap<BlobId, number>,
  pathOf: PathOf,
  url: GitUrl,
): SizedBlobs {
  const fitting: BlobId[] = [];
  const tooLarge = new Map<BlobId, SottoError>();
  let totalBytes = 0;
  for (const blob of blobs) {
    const bytes = sizes.get(blob);
    if (bytes === undefined) throw withheld(pathOf(blob), url);
    if (bytes > LIMITS.maxFileBytes) {
      tooLarge.set(blob, fileTooLarge(bytes));
      continue;
    }
    fitting.push(blob);
    totalBytes += bytes;
  }
  if (totalBytes > LIMITS.maxSnapshotBytes) throw tooLargeTogether();
  return { fitting, tooLarge };
}

/** In pieces, so that the answers of git stand in memory one after the other and not all at once. */
export function* batches(
  blobs: readonly BlobId[],
  sizes: ReadonlyMap<BlobId, number>,
  maxBytes: number,
): Generator<BlobId[]> {
  let batch: BlobId[] = [];
  let batchBytes = 0;
  for (const blob of blobs) {
    const bytes = sizes.get(blob) ?? 0;
    if (batch.length > 0 && batchBytes + bytes > maxBytes) {
      yield batch;
      batch = [];
      batchBytes = 0;
    }
    batch.push(blob);
    batchBytes += bytes;
  }
  if (batch.length > 0) yield batch;
}

export function withheld(what: string, url: GitUrl): SottoError {
  return new SottoError({
    code: 'SOTTO-GIT-032',
    what: `${what} cannot be read`,
    why: 'the server did not send an object that the commit names',
    next: `run \`git fsck\` in the repository on the server, or try \`git clone ${shellWord(url)}\``,
  });
}

export function tooLargeTogether(): SottoError {
  return new SottoError({
    code: 'SOTTO-GIT-024',
    what: 'the manifests cannot be read',
    why: `together they have more than ${mebibytes(LIMITS.maxSnapshotBytes)}`,
    next: 'split the path into several syncs',
  });
}

function fileTooLarge(bytes: number): SottoError {
  return new SottoError({
    code: 'SOTTO-GIT-023',
    what: 'the file is not read',
    why: `it has ${mebibytes(bytes)}, the cap is ${mebibytes(LIMITS.maxFileBytes)}`,
    next: 'if it is no manifest, add a line with its name to .sourceignore',
  });
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
